"""The KPI document: what the board serves, ``kpi.reps`` carries and the batch oracle computes.

One document per rep, per team and for the organisation, from the same parts. Conventions:

* Amounts are ``{currency: decimal text}`` with no exponent and no trailing zeros (``"1200.5"``); a currency with no
  deal in the period has no entry, and a sum that is zero because its deals are worth nothing is ``"0"``.
* A ratio whose denominator is zero does not exist: ``None``. Zero is a figure; ``None`` is the absence of one.
* Durations are seconds (floats from integer microseconds); ``working`` ones count only working time.
* Instants are RFC 3339 texts in the organisation's zone.
"""

from __future__ import annotations

import msgspec

Money = dict[str, str]


class Durations(msgspec.Struct, gc=False):
    """Sojourns that ended in a period. Quantiles carry at most 1 % relative error; the mean and count are exact."""

    count: int
    mean_seconds: float | None
    median_seconds: float | None
    p90_seconds: float | None


class Left(msgspec.Struct, gc=False):
    """How deals left a stage. ``other``: to a stage whose order is unknown, or to another pipeline."""

    forward: int = 0
    back: int = 0
    won: int = 0
    lost: int = 0
    other: int = 0


class StageFlow(msgspec.Struct, gc=False):
    """Traffic through one stage in one period."""

    entered: int
    left: Left
    working: Durations
    wall: Durations


class Counted(msgspec.Struct, gc=False):
    """A number of deals and what they are worth."""

    count: int
    amount: Money


class LeadFigures(msgspec.Struct, gc=False):
    """Leads of a period by what happened to them in it, and the two readings of conversion."""

    created: int
    qualified: int
    accepted: int
    converted: int
    disqualified: int
    cohort_accepted: int
    cohort_converted: int
    period: float | None
    cohort: float | None
    acceptance: float | None
    closing: float | None


class OutreachFigures(msgspec.Struct, gc=False):
    """Outreach of a period. ``call`` is cold outbound calls, ``total`` the sum of the three kinds."""

    call: int
    email: int
    voicemail_drop: int
    total: int
    outbound_calls: int
    inbound_calls: int
    connected_calls: int
    connect_rate: float | None
    talk_seconds: float
    emails: int
    replies: int


class Figures(msgspec.Struct, gc=False):
    """Everything that is a sum over a period: a window, or one month of the history."""

    created: int
    won: int
    lost: int
    won_amount: Money
    lost_amount: Money
    win_rate: float | None
    loss_rate: float | None
    created_per_lost: float | None
    lost_by_reason: dict[str, Counted]
    lost_by_stage: dict[str, Counted]
    advances: int
    cycle: Durations
    first_touch: Durations
    flow: dict[str, dict[str, StageFlow]]
    leads: LeadFigures
    lead_flow: dict[str, StageFlow]
    outreach: OutreachFigures


class Closes(msgspec.Struct, gc=False):
    """What was closed in a period."""

    won: int
    lost: int
    won_amount: Money
    lost_amount: Money


class Change(msgspec.Struct, gc=False):
    """Why won amount changed from ``prev_mtd`` to ``mtd``: three parts that add up to ``amount`` exactly.

    ``cause`` names the largest negative part (``volume``, ``win_rate`` or ``deal_size``), ``None`` if no part is.
    """

    amount: str
    volume: str
    win_rate: str
    deal_size: str
    cause: str | None


class Sales(msgspec.Struct, gc=False):
    """KPI 1. ``elapsed`` is the share of the month's working time that has passed."""

    month: str
    elapsed: float | None
    mtd: Closes
    prev_mtd: Closes
    prev_month: Closes
    growth: dict[str, float]
    quota: Money
    quota_count: int | None
    attainment: dict[str, float]
    attainment_count: float | None
    pace: dict[str, float]
    projection: Money
    change: dict[str, Change]


class StageNow(msgspec.Struct, gc=False):
    """What sits in a stage now; ``overdue`` deals have been there for longer than ``expected_seconds``."""

    open: int
    amount: Money
    overdue: int
    expected_seconds: float | None


class Bottleneck(msgspec.Struct, gc=False):
    """The stage with the largest ``median_seconds`` ÷ ``expected_seconds`` over 30 days."""

    stage: str
    median_seconds: float
    expected_seconds: float
    ratio: float
    sojourns: int


class PipelineNow(msgspec.Struct, gc=False):
    """A pipeline as it stands: its stages in order, and what holds it up."""

    stages: dict[str, StageNow]
    bottleneck: Bottleneck | None


class Funnel(msgspec.Struct, gc=False):
    """KPI 2, the part that is a state and no sum. Velocity is an amount per working day, by currency."""

    open_deals: int
    open_amount: Money
    overdue_deals: int
    pipelines: dict[str, PipelineNow]
    leads: PipelineNow
    last_advance: str | None
    idle_seconds: float
    idle_wall_seconds: float
    velocity: dict[str, float]


class Leak(msgspec.Struct, gc=False):
    """KPI 3 for one window: the rate against what is expected, and the half that leaks if it falls short."""

    period: float | None
    cohort: float | None
    acceptance: float | None
    closing: float | None
    expected: float | None
    half: str | None


class OutreachPace(msgspec.Struct, gc=False):
    """KPI 4 for one window: done against what the benchmark asks for in the working time elapsed."""

    done: int
    expected: float | None
    attainment: float | None


class Outreach(msgspec.Struct, gc=False):
    """KPI 4. ``needs_support`` looks at the last 5 whole working days."""

    per_day: float | None
    windows: dict[str, OutreachPace]
    recent_attainment: float | None
    needs_support: bool | None


class Recording(msgspec.Struct, gc=False):
    """A call to listen to. ``talk_ratio`` is the rep's share of the talking, where a system tells it."""

    call_id: str
    at: str
    url: str
    rep: str
    deal_id: str | None
    deal_lost: bool
    outcome: str | None
    talk_seconds: float | None
    talk_ratio: float | None


class Document(msgspec.Struct, gc=False):
    """The KPIs of one rep, one team or the organisation (``level``) as of one instant."""

    level: str
    id: str
    name: str
    team: str | None
    manager: str | None
    active: bool
    as_of: str
    windows: dict[str, Figures]
    months: dict[str, Figures]
    sales: Sales
    funnel: Funnel
    conversion: dict[str, Leak]
    outreach: Outreach
    coaching: list[Recording]
    version: str = "1"


class Evidence(msgspec.Struct, gc=False):
    """What a detector sees for one subject: −log10 of the probability of it, if nothing had changed."""

    detector: str
    level: str
    subject: str
    pipeline: str
    evidence: float
    window_days: int
    observed: float
    of: float
    baseline: float


class Alert(msgspec.Struct, gc=False):
    """A detector started (``firing``) or stopped (``resolved``) saying that something is wrong; on ``kpi.alerts``.

    ``withheld``: it would be critical, but the manager has had the pages of the day: a warning, listed in the digest.
    """

    id: str
    detector: str
    level: str
    subject: str
    name: str
    team: str | None
    severity: str
    state: str
    since: str
    at: str
    evidence: Evidence
    cause: str | None
    text: str
    url: str
    withheld: bool = False
