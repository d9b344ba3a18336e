"""KPI 3, conversion; KPI 4, outreach; and the recordings to listen to."""

from __future__ import annotations

from funnelwatch.schemas.document import LeadFigures, Leak, Outreach, OutreachPace, Recording
from funnelwatch.schemas.fields import RATIO_UNITS
from funnelwatch.schemas.settings import Settings
from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.oracle.figures import lead_figures, outreach_done, ratio
from funnelwatch.streams.oracle.periods import Period, Periods
from funnelwatch.streams.oracle.subjects import Subject
from funnelwatch.streams.oracle.world import World

CONVERSION_WINDOWS = ("7d", "30d", "90d", "mtd")
OUTREACH_WINDOWS = ("today", "wtd", "30d")
RECENT_DAYS = 5
RECENT_DAYS_SOUGHT = 90
RECORDINGS_MAX = 20


def conversion(subject: Subject, other: Subject | None, settings: Settings) -> dict[str, Leak]:
    """KPI 3 of a subject, compared with the team or organisation ``other``."""
    expected = subject.rep.conversion_rate if subject.rep else settings.benchmarks.conversion_rate
    leaks = {}
    for window in CONVERSION_WINDOWS:
        own = lead_figures(subject.window(window))
        theirs = lead_figures(other.window(window)) if other else None
        leaks[window] = Leak(
            period=own.period,
            cohort=own.cohort,
            acceptance=own.acceptance,
            closing=own.closing,
            expected=expected,
            half=_half(own, theirs, expected) if theirs else None,
        )
    return leaks


def _half(own: LeadFigures, theirs: LeadFigures, expected: float | None) -> str | None:
    """The half of the conversion that leaks, if it falls short."""
    limit = theirs.period if expected is None else expected
    if own.period is None or limit is None or own.period >= limit:
        return None
    shares = {}
    if own.acceptance is not None and theirs.acceptance:
        shares["acceptance"] = own.acceptance / theirs.acceptance
    if own.closing is not None and theirs.closing:
        shares["closing"] = own.closing / theirs.closing
    smallest = min(shares, key=lambda name: shares[name], default=None)
    return smallest if smallest is not None and shares[smallest] < 1 else None


def outreach(subject: Subject, settings: Settings, periods: Periods) -> Outreach:
    """KPI 4 of a subject."""
    asked = [rep.per_day for rep in subject.staffed if rep.per_day is not None]
    per_day = sum(asked) if asked else None
    recent = _recent(subject, per_day, periods)
    return Outreach(
        per_day=per_day,
        windows={name: _pace(subject, name, per_day, periods) for name in OUTREACH_WINDOWS},
        recent_attainment=recent,
        needs_support=None if recent is None else recent < settings.benchmarks.support_ratio,
    )


def _pace(subject: Subject, window: str, per_day: float | None, periods: Periods) -> OutreachPace:
    done = outreach_done(subject.window(window))
    if per_day is None:
        return OutreachPace(done=done, expected=None, attainment=None)
    start = periods.calendar.day_start(periods.first_days[window])
    expected = per_day * _working_days(subject.calendar, start, periods.now)
    return OutreachPace(done=done, expected=expected, attainment=ratio(done, expected))


def _working_days(calendar: Calendar, start: int, end: int) -> float:
    """Each day's share of its working time that lies in [start, end], added up."""
    days = 0.0
    for day in range(calendar.day(start), calendar.day(end) + 1):
        worked = calendar.working_us(max(start, calendar.day_start(day)), min(end, calendar.day_start(day + 1)))
        days += ratio(worked, calendar.day_working_us(day)) or 0.0
    return days


def _recent(subject: Subject, per_day: float | None, periods: Periods) -> float | None:
    """What was done on the last whole working days, of what was asked for."""
    sought = range(periods.today - 1, periods.today - 1 - RECENT_DAYS_SOUGHT, -1)
    worked = [day for day in sought if subject.calendar.day_working_us(day) > 0][:RECENT_DAYS]
    if not per_day or len(worked) < RECENT_DAYS:
        return None
    return sum(outreach_done(subject.during(Period(day, day))) for day in worked) / (RECENT_DAYS * per_day)


def coaching(subject: Subject, world: World, periods: Periods) -> list[Recording]:
    """The recordings to listen to: on lost deals first, then the newest."""
    ordered = sorted(
        subject.recordings,
        key=lambda recording: (recording.deal_id not in world.lost_deals, -recording.at, recording.call_id),
    )
    return [
        Recording(
            call_id=recording.call_id,
            at=periods.calendar.text(recording.at),
            url=recording.url,
            rep=recording.rep,
            deal_id=recording.deal_id,
            deal_lost=recording.deal_id in world.lost_deals,
            outcome=recording.outcome,
            talk_seconds=None if recording.talk_ms is None else recording.talk_ms / 1_000,
            talk_ratio=None if recording.talk_ratio is None else recording.talk_ratio / RATIO_UNITS,
        )
        for recording in ordered[:RECORDINGS_MAX]
    ]
