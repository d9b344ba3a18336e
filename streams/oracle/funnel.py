"""KPI 2, what is open: stages, overdue deals, the bottleneck, idleness and velocity."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from funnelwatch.schemas.document import Bottleneck, Funnel, PipelineNow, StageNow
from funnelwatch.schemas.settings import MONEY_UNITS, LeadSettings, Settings
from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.oracle.facts import Left, Lost, OpenDeal, Won, of
from funnelwatch.streams.oracle.figures import SECOND_US, Counting, quantile_seconds
from funnelwatch.streams.oracle.leads import LEADS, STATES
from funnelwatch.streams.oracle.periods import Periods
from funnelwatch.streams.oracle.subjects import Subject
from funnelwatch.streams.oracle.worth import Part, Worth
from funnelwatch.streams.sketch import bin_of, bin_seconds
from funnelwatch.streams.workdays import longest_day_us

SOJOURNS_MIN = 5


class Seated(NamedTuple):
    """Something that sits in a stage."""

    stage: str
    entered_at: int
    deal: OpenDeal | None


class Looking:
    """What the funnel of every subject is looked at with."""

    def __init__(self, settings: Settings, periods: Periods, counting: Counting) -> None:
        self.settings = settings
        self.periods = periods
        self.counting = counting
        self.calendar: Calendar = periods.calendar

    def worth(self, deals: Sequence[OpenDeal]) -> Worth:
        """What open deals are worth, as of today."""
        today = self.periods.today
        return self.counting.exchange.worth(Part(deal.rep, today, deal.currency, deal.units) for deal in deals)

    def age_us(self, entered_at: int) -> int:
        """Working time since an instant."""
        return self.calendar.working_us(entered_at, self.periods.now)


def funnel(subject: Subject, looking: Looking) -> Funnel:
    """KPI 2 of a subject."""
    deals = subject.open_deals
    worth = looking.worth(deals)
    left = of(Left, subject.window("30d"))
    pipelines = {name: _pipeline(name, deals, left, looking) for name in _pipeline_names(deals, looking.settings)}
    idle_since = subject.last_advance
    if idle_since is None:
        idle_since = min((deal.owned_since for deal in deals), default=None)
    if not deals or idle_since is None:
        idle_since = looking.periods.now
    return Funnel(
        open_deals=len(deals),
        open_amount=worth.money,
        overdue_deals=sum(stage.overdue for pipeline in pipelines.values() for stage in pipeline.stages.values()),
        pipelines=pipelines,
        leads=_leads(subject, left, looking),
        last_advance=None if subject.last_advance is None else looking.calendar.text(subject.last_advance),
        idle_seconds=subject.calendar.working_us(idle_since, looking.periods.now) / SECOND_US,
        idle_wall_seconds=max(0, looking.periods.now - idle_since) / SECOND_US,
        velocity=_velocity(subject, worth, looking),
    )


def _pipeline_names(deals: Sequence[OpenDeal], settings: Settings) -> list[str]:
    configured = [pipeline.name for pipeline in settings.pipelines]
    return [*configured, *sorted({deal.pipeline for deal in deals} - set(configured))]


def _pipeline(name: str, deals: Sequence[OpenDeal], left: Sequence[Left], looking: Looking) -> PipelineNow:
    expected = {
        stage.name: stage.expected_hours
        for pipeline in looking.settings.pipelines
        if pipeline.name == name
        for stage in pipeline.stages
    }
    seated = [Seated(deal.stage, deal.entered_at, deal) for deal in deals if deal.pipeline == name]
    return _now(seated, [fact for fact in left if fact.pipeline == name], expected, looking)


def _leads(subject: Subject, left: Sequence[Left], looking: Looking) -> PipelineNow:
    seated = [Seated(lead.state, lead.entered_at, None) for lead in subject.open_leads]
    ended = [fact for fact in left if fact.pipeline == LEADS]
    return _now(seated, ended, _lead_hours(looking.settings.leads), looking)


def _lead_hours(leads: LeadSettings) -> dict[str, float | None]:
    return dict(zip(STATES, (leads.new_hours, leads.qualified_hours, leads.accepted_hours), strict=True))


def _now(
    seated: Sequence[Seated], left: Sequence[Left], expected_hours: dict[str, float | None], looking: Looking
) -> PipelineNow:
    others = sorted({seat.stage for seat in seated} - set(expected_hours))
    stages: dict[str, StageNow] = {}
    worst: Bottleneck | None = None
    for name in (*expected_hours, *others):
        hours = expected_hours.get(name)
        expected = None if hours is None else hours * 3_600
        here = [seat for seat in seated if seat.stage == name]
        ages_us = [looking.age_us(seat.entered_at) for seat in here]
        stages[name] = StageNow(
            open=len(here),
            amount=looking.worth([seat.deal for seat in here if seat.deal]).money,
            overdue=0 if expected is None else sum(age_us / SECOND_US > expected for age_us in ages_us),
            expected_seconds=expected,
        )
        found = _bottleneck(name, expected, [fact.working_us for fact in left if fact.stage == name], ages_us)
        if found and (worst is None or found.ratio > worst.ratio):
            worst = found
    return PipelineNow(stages=stages, bottleneck=worst)


def _bottleneck(
    stage: str, expected: float | None, ended_us: Sequence[int], ages_us: Sequence[int]
) -> Bottleneck | None:
    """The stage as a candidate, if it has an expected time and enough sojourns."""
    sojourns = len(ended_us) + len(ages_us)
    if not expected or sojourns < SOJOURNS_MIN:
        return None
    median = bin_seconds(_median_bin(list(map(bin_of, ended_us)), list(map(bin_of, ages_us))))
    return Bottleneck(
        stage=stage,
        median_seconds=median,
        expected_seconds=expected,
        ratio=median / expected,
        sojourns=sojourns,
    )


def _median_bin(ended: Sequence[int], censored: Sequence[int]) -> int:
    """Kaplan and Meier's median."""
    survival = Fraction(1)
    everybody = [*ended, *censored]
    for number in sorted(set(ended)):
        survival *= 1 - Fraction(ended.count(number), sum(other >= number for other in everybody))
        if survival <= Fraction(1, 2):
            return number
    return max(everybody)


def _velocity(subject: Subject, open_worth: Worth, looking: Looking) -> dict[str, float]:
    """Amount per working day that flows out of the pipeline as won, by currency."""
    facts = subject.window("90d")
    wins = of(Won, facts)
    won, lost = looking.counting.worth(wins), looking.counting.worth(of(Lost, facts))
    median = quantile_seconds([fact.cycle_us for fact in wins], 0.5)
    day_seconds = longest_day_us(looking.settings.calendar) / SECOND_US
    if not median or not day_seconds:
        return {}
    velocity = {}
    for currency, count in won.counts.items():
        win_rate = count / (count + lost.counts.get(currency, 0))
        average = won.units[currency] / MONEY_UNITS / count
        velocity[currency] = open_worth.counts.get(currency, 0) * win_rate * average / (median / day_seconds)
    return velocity
