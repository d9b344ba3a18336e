"""What the board's API says besides KPI documents: rows of key figures, ages, readiness, problems.

The conventions are those of ``schemas.document``: amounts by currency as decimal text, seconds, no figure instead of a
ratio whose denominator is zero.
"""

from __future__ import annotations

import msgspec

from funnelwatch.schemas.document import Alert, Money


class SlowStage(msgspec.Struct, gc=False):
    """The worst bottleneck of the subject's pipelines: median working time ÷ expected time of the stage."""

    pipeline: str
    stage: str
    ratio: float


class Row(msgspec.Struct, gc=False):
    """The key figures of one rep, one team or the organisation, as the wall page lists them.

    Sales are of the month to date; losses and conversion of 30 days; ``outreach_*`` of today, except
    ``outreach_recent`` (the last 5 whole working days). ``currency`` is the one to judge sales by: that of the quota,
    else the organisation's if there is anything in it, else any; None if there is no amount at all. ``concern`` orders
    the list, worst first, and ``reasons`` names what makes it up, largest part first.
    """

    level: str
    id: str
    name: str
    team: str | None
    manager: str | None
    active: bool
    as_of: str
    concern: float
    reasons: list[str]
    severity: str | None
    currency: str | None
    month: str
    elapsed: float | None
    won: int
    won_amount: Money
    quota: Money
    attainment: dict[str, float]
    pace: dict[str, float]
    projection: Money
    growth: dict[str, float]
    cause: dict[str, str | None]
    open_deals: int
    open_amount: Money
    overdue_deals: int
    idle_seconds: float
    slow_stage: SlowStage | None
    conversion: float | None
    conversion_expected: float | None
    conversion_half: str | None
    outreach_done: int
    outreach_expected: float | None
    outreach_attainment: float | None
    outreach_recent: float | None
    needs_support: bool | None
    lost: int
    decided: int
    loss_rate: float | None
    evidence: dict[str, float]


class Rows(msgspec.Struct, gc=False):
    """A list of subjects, worst first."""

    as_of: str
    rows: list[Row]


class Alerts(msgspec.Struct, gc=False):
    """The alerts that are firing now, critical ones first, then the oldest.

    ``told``: id of an alert → when Alertmanager told people of it, where the board is told that.
    """

    as_of: str
    alerts: list[Alert]
    told: dict[str, str] = {}


class PartitionAge(msgspec.Struct, gc=False):
    """How long ago the worker of one partition last confirmed its figures, and in which generation of its group."""

    topic: str
    partition: int
    age_seconds: float
    epoch: int


class Status(msgspec.Struct, gc=False):
    """Whether the figures are whole and fresh. ``age_seconds`` is that of the oldest partition.

    ``share`` is the part of the partitions that has been read; ``detail`` says in a sentence what is missing.
    """

    ready: bool
    share: float
    detail: str
    as_of: str
    age_seconds: float | None
    partitions: list[PartitionAge]


class Problem(msgspec.Struct, gc=False):
    """Why a request was not answered (RFC 9457, ``application/problem+json``)."""

    title: str
    status: int
    detail: str
    type: str = "about:blank"
