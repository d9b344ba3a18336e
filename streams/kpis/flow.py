"""KPI 2, the sums: traffic through the stages of pipelines, of deals and of leads."""

from __future__ import annotations

from funnelwatch.schemas.document import Left, StageFlow
from funnelwatch.streams.cells import LEAD_PIPELINE
from funnelwatch.streams.kpis.parts import Entries, Index, durations

STAGE_MEASURES = ("entered", "left", "work_us", "wall_us", "work", "wall")

Flow = dict[str, dict[str, StageFlow]]


class _Stage:
    """What a period's sums say of one stage."""

    __slots__ = ("entered", "left", "wall", "wall_us", "work", "work_us")

    def __init__(self) -> None:
        self.entered = self.work_us = self.wall_us = 0
        self.left: dict[str, int] = {}
        self.work: dict[int, int] = {}
        self.wall: dict[int, int] = {}

    def flow(self) -> StageFlow:
        return StageFlow(
            self.entered, Left(**self.left), durations(self.work, self.work_us), durations(self.wall, self.wall_us)
        )


def flows(index: Index) -> Flow:
    """Traffic by pipeline and stage, in order of names; `LEAD_PIPELINE` is the flow of leads."""
    stages: dict[tuple[str, str], _Stage] = {}
    for name in STAGE_MEASURES:
        if name in index:
            _take(stages, name, index[name])
    result: Flow = {}
    for pipeline, stage in sorted(stages):
        result.setdefault(pipeline, {})[stage] = stages[pipeline, stage].flow()
    return result


def split(flow: Flow) -> tuple[Flow, dict[str, StageFlow]]:
    """The flow of deals and that of leads."""
    return {pipeline: stages for pipeline, stages in flow.items() if pipeline != LEAD_PIPELINE}, flow.get(
        LEAD_PIPELINE, {}
    )


def ended_bins(index: Index) -> dict[tuple[str, str], dict[int, int]]:
    """Ended sojourns by bin of working time, by (pipeline, stage)."""
    stages: dict[tuple[str, str], _Stage] = {}
    _take(stages, "work", index.of("work"))
    return {key: stage.work for key, stage in stages.items()}


def _take(stages: dict[tuple[str, str], _Stage], name: str, entries: Entries) -> None:
    by_bin = name in {"left", "work", "wall"}
    for measure, amount in entries:
        key = (str(measure[1]), str(measure[2]))
        stage = stages.get(key)
        if stage is None:
            stage = stages[key] = _Stage()
        if by_bin:
            getattr(stage, name)[measure[3]] = amount
        else:
            setattr(stage, name, amount)
