"""Plain facts: what happened, when, and whom it is credited to. Figures are facts, filtered and added up."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import msgspec


class Fact(msgspec.Struct, frozen=True, gc=False):
    """Something that happened at an instant (µs) and is credited to a rep; ``""`` is nobody."""

    rep: str
    at: int


class Created(Fact, frozen=True, gc=False):
    """A deal was created."""


class Won(Fact, frozen=True, gc=False):
    """A deal that stands won was closed; ``cycle_us`` is the working time since its creation."""

    currency: str
    units: int
    cycle_us: int


class Lost(Fact, frozen=True, gc=False):
    """A deal that stands lost was closed in ``stage``."""

    currency: str
    units: int
    stage: str
    reason: str


class Advanced(Fact, frozen=True, gc=False):
    """A deal moved to a later stage, or was won."""


class Entered(Fact, frozen=True, gc=False):
    """A sojourn in a stage began."""

    pipeline: str
    stage: str


class Left(Fact, frozen=True, gc=False):
    """A sojourn in a stage ended."""

    pipeline: str
    stage: str
    how: str
    working_us: int
    wall_us: int


class Milestone(Fact, frozen=True, gc=False):
    """A lead was ``created``, ``qualified``, ``accepted``, ``converted`` or ``disqualified``."""

    what: str


class Cohort(Fact, frozen=True, gc=False):
    """A lead qualified at this instant was ``accepted``, or ``converted``, at whatever time."""

    what: str


class FirstTouch(Fact, frozen=True, gc=False):
    """A lead was touched for the first time, so much working time after its creation."""

    working_us: int


class Called(Fact, frozen=True, gc=False):
    """A call took place."""

    direction: str
    cold: bool
    outcome: str
    talk_ms: int


class Emailed(Fact, frozen=True, gc=False):
    """An email was sent."""

    cold: bool


class Replied(Fact, frozen=True, gc=False):
    """An email was answered for the first time."""


class OpenDeal(msgspec.Struct, frozen=True, gc=False):
    """A deal that is open, and whose it is."""

    rep: str
    pipeline: str
    stage: str
    currency: str
    units: int
    entered_at: int
    owned_since: int


class OpenLead(msgspec.Struct, frozen=True, gc=False):
    """A lead that is neither converted nor disqualified, and whose it is."""

    rep: str
    state: str
    entered_at: int


class Recording(msgspec.Struct, frozen=True, gc=False):
    """A call that can be listened to."""

    rep: str
    call_id: str
    at: int
    url: str
    deal_id: str | None
    outcome: str | None
    talk_ms: int | None
    talk_ratio: int | None


class Touch(msgspec.Struct, frozen=True, gc=False):
    """A call or email reached a lead at an instant."""

    lead_id: str
    at: int


Facts = dict[type[Fact], list[Fact]]
"""Facts by what they are."""
F = TypeVar("F", bound=Fact)


def of(kind: type[F], facts: Facts) -> list[F]:
    """The facts of one kind."""
    return [fact for fact in facts.get(kind, ()) if isinstance(fact, kind)]


def together(parts: Iterable[Facts]) -> Facts:
    """All facts of several heaps."""
    heap: Facts = {}
    for part in parts:
        for kind, facts in part.items():
            heap.setdefault(kind, []).extend(facts)
    return heap
