"""Everything that is a sum over a period, as the document shows it; and again, where only some of the sums changed."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final, NamedTuple

import msgspec

from funnelwatch.schemas.document import Figures, StageFlow
from funnelwatch.streams.cells import LEAD_PIPELINE, Measure
from funnelwatch.streams.kpis.conversion import lead_figures
from funnelwatch.streams.kpis.flow import Flow, flows, split
from funnelwatch.streams.kpis.losses import REASON, STAGE, lost_by
from funnelwatch.streams.kpis.outreach import outreach_figures
from funnelwatch.streams.kpis.parts import FLOW, Index, StageKey, bins_of, durations, money_of, ratio
from funnelwatch.streams.kpis.sales import Closed
from funnelwatch.streams.rates import Exchange

CREATED: Final = frozenset({"created"})
ADVANCES: Final = frozenset({"advance"})
CLOSES: Final = frozenset({"won", "won_amount", "lost", "lost_amount"})
CYCLE: Final = frozenset({"cycle", "cycle_us"})
TOUCH: Final = frozenset({"touch", "touch_us"})
LEADS: Final = frozenset({"lead", "cohort"})
OUTREACH: Final = frozenset({"call", "talk_ms", "email", "reply"})


class Change(NamedTuple):
    """What differs between two states of a period: names of measures, without those of flow; and stages, of flow."""

    names: AbstractSet[str]
    stages: AbstractSet[StageKey]

    @classmethod
    def of(cls, measures: AbstractSet[Measure]) -> Change:
        """What measures that differ make different."""
        names = {str(measure[0]) for measure in measures if measure[0] not in FLOW}
        stages = {(str(measure[1]), str(measure[2])) for measure in measures if measure[0] in FLOW}
        return cls(names, stages)

    @classmethod
    def between(cls, before: Index, after: Index) -> Change:
        """What differs between the sums of two states."""
        measures: set[Measure] = set()
        for name in before.names.keys() | after.names.keys():
            old, new = before.of(name), after.of(name)
            if old != new:
                measures |= {measure for measure, _ in set(old) ^ set(new)}
        keys = {key for key in before.bins.keys() | after.bins.keys() if before.bins.get(key) != after.bins.get(key)}
        return cls.of(measures | keys)

    @property
    def measured(self) -> AbstractSet[str]:
        """The names of all measures that the parts which change are made of."""
        names: set[str] = set()
        for part in (CREATED, ADVANCES, CLOSES, CYCLE, TOUCH, LEADS, OUTREACH):
            if not part.isdisjoint(self.names):
                names |= part
        return names | (FLOW if self.stages else frozenset())


def figures(index: Index, closed: Closed, exchange: Exchange | None) -> Figures:
    """All figures of a period from its merged sums. ``closed``: what they say was closed."""
    flow, lead_flow = split(flows(index))
    created, closes = index.total("created"), _closes(index, closed, exchange)
    return Figures(
        created=created,
        **closes,
        created_per_lost=ratio(created, closes["lost"]),
        advances=index.total("advance"),
        **_cycle(index),
        **_touch(index),
        flow=flow,
        leads=lead_figures(index),
        lead_flow=lead_flow,
        outreach=outreach_figures(index),
    )


def renewed(before: Figures, change: Change, index: Index, closed: Closed, exchange: Exchange | None) -> Figures:
    """The same as `figures`, where what a change says is all that differs from the figures before.

    Args:
        before: The figures of the state before; they stay as they are.
        change: What differs since.
        index: The sums of now, at least those of `Change.measured`.
        closed: What they say was closed.
        exchange: The rates, if there are any.
    """
    fields: dict[str, Any] = {}
    if not CLOSES.isdisjoint(change.names):
        fields |= _closes(index, closed, exchange)
    if not CREATED.isdisjoint(change.names):
        fields["created"] = index.total("created")
    if fields:
        fields["created_per_lost"] = ratio(fields.get("created", before.created), fields.get("lost", before.lost))
    if not ADVANCES.isdisjoint(change.names):
        fields["advances"] = index.total("advance")
    if not CYCLE.isdisjoint(change.names):
        fields |= _cycle(index)
    if not TOUCH.isdisjoint(change.names):
        fields |= _touch(index)
    if not LEADS.isdisjoint(change.names):
        fields["leads"] = lead_figures(index)
    if not OUTREACH.isdisjoint(change.names):
        fields["outreach"] = outreach_figures(index)
    if change.stages:
        fields |= _flow(before, change.stages, flows(index, change.stages))
    return msgspec.structs.replace(before, **fields)


def _closes(index: Index, closed: Closed, exchange: Exchange | None) -> dict[str, Any]:
    won, lost = index.total("won"), index.total("lost")
    return {
        "won": won,
        "lost": lost,
        "won_amount": money_of(closed.won),
        "lost_amount": money_of(closed.lost),
        "win_rate": ratio(won, won + lost),
        "loss_rate": ratio(lost, won + lost),
        "lost_by_reason": lost_by(REASON, index, exchange),
        "lost_by_stage": lost_by(STAGE, index, exchange),
    }


def _cycle(index: Index) -> dict[str, Any]:
    return {"cycle": durations(bins_of(index.of("cycle")), index.total("cycle_us"))}


def _touch(index: Index) -> dict[str, Any]:
    return {"first_touch": durations(bins_of(index.of("touch")), index.total("touch_us"))}


def _flow(before: Figures, stages: AbstractSet[StageKey], found: Flow) -> dict[str, Any]:
    """The flow before with some stages as they are now; in order of names."""
    fields: dict[str, Any] = {}
    pipelines = {pipeline for pipeline, _ in stages}
    if LEAD_PIPELINE in pipelines:
        fields["lead_flow"] = _stages(LEAD_PIPELINE, before.lead_flow, stages, found)
    deals = pipelines - {LEAD_PIPELINE}
    if deals:
        flow = {name: _stages(name, before.flow.get(name, {}), stages, found) for name in before.flow.keys() | deals}
        fields["flow"] = {name: flow[name] for name in sorted(flow) if flow[name]}
    return fields


def _stages(
    pipeline: str, before: Mapping[str, StageFlow], stages: AbstractSet[StageKey], found: Flow
) -> dict[str, StageFlow]:
    kept = {name: stage for name, stage in before.items() if (pipeline, name) not in stages}
    kept |= found.get(pipeline, {})
    return {name: kept[name] for name in sorted(kept)}
