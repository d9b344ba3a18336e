"""What is open, by pipeline and stage: how much of it, what it is worth, and how old it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import NamedTuple

from funnelwatch.schemas.settings import Settings
from funnelwatch.streams.ages import Ages
from funnelwatch.streams.cells import LEAD_PIPELINE, OpenDeal, OpenLead
from funnelwatch.streams.kpis.parts import SECOND_US, Amount, Bins, amounts_of
from funnelwatch.streams.rates import Exchange
from funnelwatch.streams.sketch import bin_of

HOUR_SECONDS = 3_600
LEAD_STATES = ("new", "qualified", "accepted")

StageKey = tuple[str, str]
"""(pipeline, stage)."""


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


class View(NamedTuple):
    """What is common to all documents of one instant: configuration, working time, rates, now (µs and its day)."""

    plan: Plan
    ages: Ages
    exchange: Exchange | None
    now: int
    today: int


class Worth(dict[tuple[str, str], tuple[int, int]]):
    """(deals, money units) of what is open, by (rep, currency); without rates the rep does not matter."""

    def add(self, key: tuple[str, str], deals: int, units: int) -> None:
        """One more deal, or several."""
        count, before = self.get(key, (0, 0))
        self[key] = (count + deals, before + units)

    def amounts(self, view: View) -> dict[str, Amount]:
        """By currency; with rates, each rep's sum is converted as of today."""
        counts: list[tuple[str, int]] = []
        amounts: list[tuple[str, int]] = []
        for (_, currency), (count, units) in self.items():
            into = (currency, units) if view.exchange is None else view.exchange.convert(currency, units, view.today)
            counts.append((into[0], count))
            amounts.append(into)
        return amounts_of(counts, amounts)


class Standing:
    """What sits in one stage at the view's now. Ages matter only where one is expected."""

    def __init__(self, expected_seconds: float | None, view: View) -> None:
        self.entered: list[int] = []
        self.worth = Worth()
        self._expected_seconds = expected_seconds
        self._view = view

    @property
    def open(self) -> int:
        """How much of it there is."""
        return len(self.entered)

    @cached_property
    def overdue(self) -> int:
        """How much has been here for longer than expected."""
        expected = self._expected_seconds
        return 0 if expected is None else sum(age_us / SECOND_US > expected for age_us in self._ages)

    @cached_property
    def age_bins(self) -> Bins:
        """The ages by bin of working time."""
        return Counter(map(bin_of, self._ages)) if self._expected_seconds is not None else {}

    @cached_property
    def _ages(self) -> list[int]:
        return self._view.ages.working_us(self.entered, self._view.now)


Standings = Mapping[StageKey, Standing]


def standing_deals(deals: Iterable[tuple[str, OpenDeal]], view: View) -> dict[StageKey, Standing]:
    """Open deals, given with their reps, by pipeline and stage."""
    standings: dict[StageKey, Standing] = {}
    by_rep = view.exchange is not None
    for rep, deal in deals:
        standing = _standing(standings, (deal.pipeline, deal.stage), view)
        standing.entered.append(deal.entered_at)
        standing.worth.add((rep if by_rep else "", deal.currency), 1, deal.amount or 0)
    return standings


def standing_leads(leads: Iterable[OpenLead], view: View) -> dict[StageKey, Standing]:
    """Open leads by state, in the pipeline `LEAD_PIPELINE`."""
    standings: dict[StageKey, Standing] = {}
    for lead in leads:
        _standing(standings, (LEAD_PIPELINE, lead.state), view).entered.append(lead.entered_at)
    return standings


def open_worth(standings: Standings) -> Worth:
    """Deals and money units over all stages."""
    worth = Worth()
    for standing in standings.values():
        for key, (count, units) in standing.worth.items():
            worth.add(key, count, units)
    return worth


def _standing(standings: dict[StageKey, Standing], key: StageKey, view: View) -> Standing:
    standing = standings.get(key)
    if standing is None:
        standing = standings[key] = Standing(view.plan.expected_seconds.get(key), view)
    return standing
