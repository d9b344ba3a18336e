"""What is open, by pipeline and stage: how much of it, what it is worth, and how old it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import NamedTuple

from funnelwatch.schemas.settings import Settings
from funnelwatch.streams.ages import Ages
from funnelwatch.streams.cells import LEAD_PIPELINE
from funnelwatch.streams.kpis.parts import Amount, Bins, StageKey, amounts_of
from funnelwatch.streams.piles import Pile, Stages, Worth
from funnelwatch.streams.rates import Exchange

HOUR_SECONDS = 3_600
LEAD_STATES = ("new", "qualified", "accepted")


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


def amounts(worth: Worth, view: View) -> dict[str, Amount]:
    """By currency; with rates, each rep's sum is converted as of today."""
    counts: list[tuple[str, int]] = []
    units_of: list[tuple[str, int]] = []
    for (_, currency), (count, units) in worth.items():
        into = (currency, units) if view.exchange is None else view.exchange.convert(currency, units, view.today)
        counts.append((into[0], count))
        units_of.append(into)
    return amounts_of(counts, units_of)


class Standing:
    """What sits in one stage at the view's now. Ages matter only where one is expected."""

    def __init__(self, pile: Pile, expected_seconds: float | None, view: View) -> None:
        self.pile = pile
        self._expected_seconds = expected_seconds
        self._view = view

    @cached_property
    def overdue(self) -> int:
        """How much has been here for longer than expected."""
        expected, view = self._expected_seconds, self._view
        return 0 if expected is None else view.ages.longer(self.pile.entered, view.now, expected)

    @cached_property
    def age_bins(self) -> Bins:
        """The ages by bin of working time."""
        return self._view.ages.bins(self.pile.entered, self._view.now) if self._expected_seconds is not None else {}


Standings = Mapping[StageKey, Standing]


def standings(stages: Stages, view: View) -> Standings:
    """What sits in each stage; leads are in the pipeline `LEAD_PIPELINE`, by state."""
    return {key: Standing(pile, view.plan.expected_seconds.get(key), view) for key, pile in stages.items()}
