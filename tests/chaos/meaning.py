"""Row 8: the configuration changes what stored state means. Figures of two meanings are never shown together.

Rows are what was observed, whatever the configuration; figures are derived from them. So workers that start with
another calendar or other stages on the same disk derive everything anew, and publish it under another fingerprint. As
long as the board finds two of them, or another one than its own, it answers 503 and says why.
"""

from __future__ import annotations

import time

import msgspec
import reconfigured
from arena import Arena, Broken
from row import Bench, Row
from support.compare import difference

from funnelwatch.schemas.settings import CalendarSettings, PipelineSettings, Settings, StageSettings

WATCHED_SECONDS = 5.0
REFUSED_SECONDS = 30.0
SAID = b"Another configuration published"
NOTICED = "Redis has figures of another configuration"


def run(bench: Bench) -> str:
    arena = Arena(
        bench.broker, bench.folder, seed=bench.seed, size=bench.pick((5, 12), (12, 60)), changes=bench.changes
    )
    with arena:
        whole = list(arena.events)
        arena.events = whole[: len(whole) // 2]
        arena.start()
        arena.publish(arena.events)
        arena.verify()
        figures = []
        for name, settings in (("calendar", other_calendar(arena.settings)), ("stages", other_stages(arena.settings))):
            old = arena.truth()
            refused = half_changed(arena, settings, old)
            arena.publish(whole[len(arena.events) : len(arena.events) + len(whole) // 4])
            arena.events = whole[: len(arena.events) + len(whole) // 4]
            for worker in arena.workers[1:]:
                arena.leave(worker)
                reconfigured.of_worker(worker, settings)
                arena.start(worker, board=False)
            until_refused(arena, "every worker has another configuration than the board")
            arena.board.stop("board")
            reconfigured.of_board(arena, settings)
            arena.board.start("board")
            equal = arena.verify()
            if difference(old["organisation"], arena.truth()["organisation"]) is None:
                raise Broken(f"another {name} changes no figure: this row shows nothing")
            figures.append(f"{name}: {refused} answers of 503 while half of it was changed, then {equal}")
        arena.verify_changelog_alone()
        if arena.own_exits:
            raise Broken(f"workers left with {arena.own_exits}")
        return f"{'; '.join(figures)}, also from the changelog alone"


def half_changed(arena: Arena, settings: Settings, old: dict) -> int:
    """One worker has another configuration: the board shows what was true, or nothing; how often nothing."""
    first = arena.workers[0]
    arena.leave(first)
    reconfigured.of_worker(first, settings)
    arena.start(first, board=False)
    until_refused(arena, "one worker has another configuration")
    if NOTICED not in first.logged():
        raise Broken("the worker does not say that it found figures of another meaning")
    refused, end = 0, time.monotonic() + WATCHED_SECONDS
    while time.monotonic() < end:
        found = arena.board.json("/api/v1/organisation")
        page, _ = arena.board.get("/metrics")
        refused += found is None
        if found is not None or page == 200:
            wrong = "" if found is None else difference(old["organisation"], found)
            raise Broken(f"the board answers though two configurations publish: {wrong}")
        arena.sleep(0.2)
    return refused


def until_refused(arena: Arena, what: str) -> None:
    def is_said() -> bool:
        status, body = arena.board.get("/api/v1/organisation")
        return status == 503 and SAID in body

    arena.until(is_said, REFUSED_SECONDS, f"503 that names the other configuration, while {what}")


def other_calendar(settings: Settings) -> Settings:
    return msgspec.structs.replace(
        settings,
        calendar=CalendarSettings(zone="Pacific/Apia", week_start="sunday", hours=("08:00-12:00", "13:00-16:00")),
    )


def other_stages(settings: Settings) -> Settings:
    """A stage less, another order, other expectations, in the calendar before."""
    first, *others = settings.pipelines
    stages = tuple(StageSettings(stage.name, 3.0) for stage in reversed(first.stages[1:]))
    return msgspec.structs.replace(settings, pipelines=(PipelineSettings(first.name, stages), *others))


ROW = Row(
    "meaning",
    "8",
    "another calendar, other stages: noticed, derived anew, never mixed",
    run,
    mutations=("fingerprint_ignored",),
)
