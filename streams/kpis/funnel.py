"""KPI 2, the state: what is open in which stage, what is overdue, what holds it up, how long nothing has moved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from funnelwatch.schemas.document import PipelineNow, StageNow
from funnelwatch.schemas.settings import MONEY_UNITS, Settings
from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.cells import LEAD_PIPELINE, OpenDeal, OpenLead
from funnelwatch.streams.kpis.bottleneck import StageTimes, bottleneck
from funnelwatch.streams.kpis.parts import SECOND_US, Amount, Bins, amounts_of, money_of, quantiles
from funnelwatch.streams.kpis.sales import NONE, Closed
from funnelwatch.streams.rates import Exchange
from funnelwatch.streams.sketch import bin_of

HOUR_SECONDS = 3_600
LEAD_STATES = ("new", "qualified", "accepted")

StageKey = tuple[str, str]
"""(pipeline, stage)."""

NO_BINS: Bins = {}


class Plan:
    """The configured pipelines: their stages in order, and how long something is expected to stay in each."""

    def __init__(self, settings: Settings) -> None:
        hours = (settings.leads.new_hours, settings.leads.qualified_hours, settings.leads.accepted_hours)
        spent = {(LEAD_PIPELINE, state): expected for state, expected in zip(LEAD_STATES, hours, strict=True)}
        for pipeline in settings.pipelines:
            spent.update({(pipeline.name, stage.name): stage.expected_hours for stage in pipeline.stages})
        self.stages = {pipeline.name: [stage.name for stage in pipeline.stages] for pipeline in settings.pipelines}
        self.expected_seconds = {key: value * HOUR_SECONDS for key, value in spent.items() if value is not None}

    def in_order(self, pipeline: str, present: Iterable[str]) -> list[str]:
        """The configured stages in order, then the present ones that are not configured, by name."""
        configured = self.stages.get(pipeline, [])
        return [*configured, *sorted(set(present).difference(configured))]


class Worth(dict[tuple[str, str], tuple[int, int]]):
    """(deals, money units) of what is open, by (rep, currency)."""

    def add(self, key: tuple[str, str], deals: int, units: int) -> None:
        """One more deal, or several."""
        count, before = self.get(key, (0, 0))
        self[key] = (count + deals, before + units)

    def amounts(self, exchange: Exchange | None, today: int) -> dict[str, Amount]:
        """By currency; with rates, each rep's sum is converted as of today."""
        if exchange is None:
            entries = [(currency, count, units) for (_, currency), (count, units) in self.items()]
        else:
            entries = [
                (*exchange.convert(currency, units, today), count) for (_, currency), (count, units) in self.items()
            ]
            entries = [(currency, count, units) for currency, units, count in entries]
        return amounts_of(
            ((currency, count) for currency, count, _ in entries), ((currency, units) for currency, _, units in entries)
        )


class Standing:
    """What sits in one stage now: how much of it is overdue, and the ages by bin of working time."""

    __slots__ = ("ages", "expected_seconds", "open", "overdue", "worth")

    def __init__(self, expected_seconds: float | None) -> None:
        self.expected_seconds = expected_seconds
        self.open = self.overdue = 0
        self.worth = Worth()
        self.ages: dict[int, int] = {}

    def take(self, entered_at: int, calendar: Calendar, now: int) -> None:
        """One more that is here since ``entered_at``; its age matters where one is expected."""
        self.open += 1
        if self.expected_seconds is None:
            return
        age_us = calendar.working_us(entered_at, now)
        self.overdue += age_us / SECOND_US > self.expected_seconds
        number = bin_of(age_us)
        self.ages[number] = self.ages.get(number, 0) + 1


Standings = Mapping[StageKey, Standing]


class View(NamedTuple):
    """What is common to all documents of one instant: configuration, the organisation's calendar, rates, now."""

    plan: Plan
    calendar: Calendar
    exchange: Exchange | None
    now: int
    today: int


def standing_deals(deals: Iterable[tuple[str, OpenDeal]], view: View) -> dict[StageKey, Standing]:
    """Open deals, given with their reps, by pipeline and stage."""
    standings: dict[StageKey, Standing] = {}
    for rep, deal in deals:
        standing = _standing(standings, (deal.pipeline, deal.stage), view)
        standing.take(deal.entered_at, view.calendar, view.now)
        standing.worth.add((rep, deal.currency), 1, deal.amount or 0)
    return standings


def standing_leads(leads: Iterable[OpenLead], view: View) -> dict[StageKey, Standing]:
    """Open leads by state, in the pipeline `LEAD_PIPELINE`."""
    standings: dict[StageKey, Standing] = {}
    for lead in leads:
        _standing(standings, (LEAD_PIPELINE, lead.state), view).take(lead.entered_at, view.calendar, view.now)
    return standings


def _standing(standings: dict[StageKey, Standing], key: StageKey, view: View) -> Standing:
    standing = standings.get(key)
    if standing is None:
        standing = standings[key] = Standing(view.plan.expected_seconds.get(key))
    return standing


def open_worth(standings: Standings) -> Worth:
    """Deals and money units over all stages."""
    worth = Worth()
    for standing in standings.values():
        for key, (count, units) in standing.worth.items():
            worth.add(key, count, units)
    return worth


def pipelines(standings: Standings, ended: Mapping[StageKey, Bins], view: View) -> dict[str, PipelineNow]:
    """Every configured pipeline in order, then those with an open deal. ``ended``: sojourns of 30 days by bin."""
    present: dict[str, list[str]] = {name: [] for name in view.plan.stages}
    for name, stage in sorted(standings):
        present.setdefault(name, []).append(stage)
    return {
        name: pipeline(name, view.plan.in_order(name, stages), standings, ended, view)
        for name, stages in present.items()
    }


def pipeline(
    name: str, stages: Iterable[str], standings: Standings, ended: Mapping[StageKey, Bins], view: View
) -> PipelineNow:
    """One pipeline as it stands, and its bottleneck among the stages with an expected time."""
    shown: dict[str, StageNow] = {}
    times: list[StageTimes] = []
    for stage in stages:
        key = (name, stage)
        expected = view.plan.expected_seconds.get(key)
        standing = standings.get(key)
        shown[stage] = _stage_now(standing, expected, view)
        times.append(StageTimes(stage, expected, ended.get(key, NO_BINS), standing.ages if standing else NO_BINS))
    return PipelineNow(shown, bottleneck(times))


def _stage_now(standing: Standing | None, expected: float | None, view: View) -> StageNow:
    if standing is None:
        return StageNow(0, {}, 0, expected)
    amount = money_of(standing.worth.amounts(view.exchange, view.today))
    return StageNow(standing.open, amount, standing.overdue, expected)


def idle_since(last_advance: int | None, deals: Iterable[tuple[str, OpenDeal]]) -> int | None:
    """Since when (µs) nothing has advanced: the last advance, or else the earliest owning of what is open.

    None if nothing is open.
    """
    owned = min((deal.owned_since for _, deal in deals), default=None)
    return owned if owned is None or last_advance is None else last_advance


def velocity(open_deals: Mapping[str, Amount], closed: Closed, cycle: Bins, working_day_us: int) -> dict[str, float]:
    """Whole money per working day by currency: open deals × win rate × average won amount ÷ median cycle, over 90d.

    A currency of which nothing was won has none; nor has any if the median cycle or the working day is 0.
    """
    if not cycle or not working_day_us:
        return {}
    median_days = quantiles(cycle, (0.5,))[1][0] * SECOND_US / working_day_us
    if not median_days:
        return {}
    return {
        currency: open_deals.get(currency, NONE).deals
        * (won.deals / (won.deals + closed.lost.get(currency, NONE).deals))
        * (won.units / (won.deals * MONEY_UNITS))
        / median_days
        for currency, won in closed.won.items()
    }
