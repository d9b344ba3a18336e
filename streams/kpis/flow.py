"""KPI 2, the sums: traffic through the stages of pipelines, of deals and of leads."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from funnelwatch.schemas.document import Left, StageFlow
from funnelwatch.streams.cells import LEAD_PIPELINE, Measure
from funnelwatch.streams.kpis.parts import Bins, Index, StageKey, durations

Flow = dict[str, dict[str, StageFlow]]

_NO_BINS: dict[int, int] = {}


class _Stage:
    """What a period's sums say of one stage, besides the bins."""

    __slots__ = ("entered", "left", "wall_us", "work_us")

    def __init__(self) -> None:
        self.entered = self.work_us = self.wall_us = 0
        self.left: dict[str, int] = {}


def flows(index: Index, only: AbstractSet[StageKey] | None = None) -> Flow:
    """Traffic by pipeline and stage, in order of names, or only that through some stages.

    `LEAD_PIPELINE` is the flow of leads.
    """
    stages: dict[StageKey, _Stage] = {}
    for measure, number in index.of("entered"):
        _stage(stages, measure).entered = number
    for measure, number in index.of("left"):
        _stage(stages, measure).left[str(measure[3])] = number
    for measure, us in index.of("work_us"):
        _stage(stages, measure).work_us = us
    for measure, us in index.of("wall_us"):
        _stage(stages, measure).wall_us = us
    result: Flow = {}
    for pipeline, name in sorted(stages if only is None else stages.keys() & only):
        stage, bins = stages[pipeline, name], index.bins
        result.setdefault(pipeline, {})[name] = StageFlow(
            stage.entered,
            Left(**stage.left),
            durations(bins.get(("work", pipeline, name), _NO_BINS), stage.work_us),
            durations(bins.get(("wall", pipeline, name), _NO_BINS), stage.wall_us),
        )
    return result


def split(flow: Flow) -> tuple[Flow, dict[str, StageFlow]]:
    """The flow of deals and that of leads."""
    leads = flow.pop(LEAD_PIPELINE, {})
    return flow, leads


def ended_bins(index: Index) -> dict[tuple[str, str], Bins]:
    """Ended sojourns by bin of working time, by (pipeline, stage)."""
    return {(pipeline, stage): bins for (name, pipeline, stage), bins in index.bins.items() if name == "work"}


def _stage(stages: dict[StageKey, _Stage], measure: Measure) -> _Stage:
    key: StageKey = measure[1:3]  # type: ignore[assignment]  # pipeline and stage are texts
    stage = stages.get(key)
    if stage is None:
        stage = stages[key] = _Stage()
    return stage
