"""KPI 2, the state: what is open in which stage, what is overdue, what holds it up, how long nothing has moved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from funnelwatch.schemas.document import PipelineNow, StageNow
from funnelwatch.schemas.settings import MONEY_UNITS
from funnelwatch.streams.cells import OpenDeal
from funnelwatch.streams.kpis.bottleneck import StageTimes, bottleneck
from funnelwatch.streams.kpis.parts import SECOND_US, Amount, Bins, StageKey, money_of, quantiles
from funnelwatch.streams.kpis.sales import NONE, Closed
from funnelwatch.streams.kpis.standing import Standing, Standings, View, amounts

NO_BINS: Bins = {}


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
        times.append(StageTimes(stage, expected, ended.get(key, NO_BINS), standing.age_bins if standing else NO_BINS))
    return PipelineNow(shown, bottleneck(times))


def _stage_now(standing: Standing | None, expected: float | None, view: View) -> StageNow:
    if standing is None:
        return StageNow(0, {}, 0, expected)
    amount = money_of(amounts(standing.pile.worth, view))
    return StageNow(len(standing.pile), amount, standing.overdue, expected)


def idle_since(last_advance: int | None, open_deals: int, deals: Iterable[OpenDeal]) -> int | None:
    """Since when (µs) nothing has advanced: the last advance, or else the earliest owning of what is open.

    None if nothing is open.
    """
    if not open_deals:
        return None
    return min(deal.owned_since for deal in deals) if last_advance is None else last_advance


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
