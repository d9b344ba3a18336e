"""Row 5: Redis down, flushed, restarted empty or from an old snapshot, out of memory, slow."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Callable

import redis
from arena import Arena, Broken
from prometheus_client.parser import text_string_to_metric_families
from row import Bench, Row

FULL_AGAIN_SECONDS = 60.0
UNAVAILABLE_SECONDS = 15.0
OLD_SECONDS = 5.0


def run(bench: Bench) -> str:
    down = bench.pick(8, 60)
    faults: list[tuple[str, Callable[[Arena, float], None]]] = [
        ("down", lambda arena, seconds: away(arena, seconds, keep=True)),
        ("restarted empty", lambda arena, seconds: away(arena, 1, keep=False)),
        ("flushed", lambda arena, seconds: arena.client.flushall()),
        ("old snapshot", old_snapshot),
        ("out of memory", out_of_memory),
        ("frozen", frozen),
    ]
    with Arena(bench.broker, bench.folder, seed=bench.seed, size=(12, 30), changes=bench.changes) as arena:
        arena.start()
        size = -(-len(arena.events) // len(faults))
        whole, figures = list(arena.events), []
        for i, (name, fault) in enumerate(faults):
            arena.events = whole[: (i + 1) * size]
            arena.say(f"Redis {name}")
            arena.feed(whole[i * size : (i + 1) * size], 3)
            arena.sleep(1)
            fault(arena, down)
            arena.fed()
            took = arena.await_cells(arena.cells(), FULL_AGAIN_SECONDS)
            figures.append(f"{name} {took:.1f} s")
        read = arena.read()
        if read != len(whole) or arena.own_exits:
            raise Broken(f"{len(whole)} events published, {read} counted, exits {arena.own_exits}")
        equal = arena.verify()
        return f"all published again after: {', '.join(figures)}; {read:,} events read once each; {equal}"


def watched(arena: Arena, seconds: float, is_said: Callable[[Arena], bool]) -> None:
    """For so long: does the board say it, and does ingestion go on?"""
    before, began = arena.read(), time.monotonic()
    arena.until(lambda: is_said(arena), max(seconds, UNAVAILABLE_SECONDS), "the board says that figures wait")
    arena.until(lambda: arena.read() > before, 15, "events folded without Redis")
    arena.sleep(max(0, began + seconds - time.monotonic()))


def is_unavailable(arena: Arena) -> bool:
    return arena.board.get("/api/v1/organisation")[0] == 503


def is_old(arena: Arena) -> bool:
    """Redis reads and does not write: the board has whole figures, and says of what age."""
    status, page = arena.board.get("/metrics")
    families = text_string_to_metric_families(page.decode()) if status == 200 else ()
    ages = [sample.value for family in families for sample in family.samples if sample.name == "sales_kpi_age_seconds"]
    return bool(ages) and max(ages) >= OLD_SECONDS


def away(arena: Arena, seconds: float, *, keep: bool) -> None:
    """Killed; its last snapshot is lost unless kept."""
    if keep:
        arena.client.save()
    arena.redis.kill()
    if not keep:
        shutil.rmtree(arena.folder / "redis", ignore_errors=True)
    if seconds > 1:
        watched(arena, seconds, is_unavailable)
    arena.redis.start()


def old_snapshot(arena: Arena, _: float) -> None:
    """Saved now, killed after more was published, restored."""
    arena.client.save()
    arena.sleep(1.5)
    arena.redis.kill()
    arena.redis.start()


def out_of_memory(arena: Arena, seconds: float) -> None:
    """Every write is refused, every read is answered: the dangerous one."""
    arena.client.config_set("maxmemory", "1mb")
    watched(arena, seconds, is_old)
    arena.client.config_set("maxmemory", "0")


def frozen(arena: Arena, seconds: float) -> None:
    """Connections stay open and nothing answers."""
    pid = arena.redis.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        with contextlib.suppress(redis.RedisError):
            watched(arena, seconds, is_unavailable)
    finally:
        os.kill(pid, signal.SIGCONT)


ROW = Row(
    "redis",
    "5",
    "Redis down, emptied, restored old, out of memory, frozen; the board says so",
    run,
    mutations=("redis_not_watched",),
)
