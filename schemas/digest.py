"""What a manager's daily digest is made of; `agents.digest` makes a mail of it.

The conventions are those of ``schemas.document``: amounts by currency as decimal text, no figure where there is none.
"""

from __future__ import annotations

import msgspec

from funnelwatch.schemas.board import Row
from funnelwatch.schemas.document import Alert, Money, Recording


class DayFigures(msgspec.Struct, gc=False):
    """What was done on one day, and the outreach that the benchmark asks for on such a day."""

    created: int
    won: int
    won_amount: Money
    lost: int
    advances: int
    outreach: int
    outreach_expected: float | None


class RepDay(msgspec.Struct, gc=False):
    """A rep's key figures as of now, and those of the last working day."""

    row: Row
    day: DayFigures


class Heard(msgspec.Struct, gc=False):
    """A recording worth hearing, and whose it is."""

    name: str
    recording: Recording


class Digest(msgspec.Struct, gc=False):
    """One manager's morning: who needs help and why, the last working day, what to hear, what was not paged.

    ``day`` is the last working day, ``today`` the day the digest is for (ISO); ``reps`` are all of the manager's, worst
    first. ``alerts`` fire now: warnings, and pages that were withheld since the manager had those of the day.
    """

    manager: str
    organisation: str
    today: str
    day: str
    as_of: str
    reps: list[RepDay]
    total: DayFigures
    alerts: list[Alert]
    recordings: list[Heard]


class Digests(msgspec.Struct, gc=False):
    """The digests of all managers; reps without one are under the empty name."""

    as_of: str
    digests: list[Digest]
