"""Row 5: Redis down, flushed, restarted empty or from an old snapshot, out of memory, frozen, slow."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Callable

import redis
from arena import POLL_SECONDS, Arena, Broken
from row import Bench, Row

FULL_AGAIN_SECONDS = 60.0
UNAVAILABLE_SECONDS = 15.0
FEED_SECONDS = 6.0
STANDSTILL_SECONDS_MAX = 5.0
"""Ingestion waits for no answer of Redis: what Redis lacks is absolute values, at most one for each cell."""
COMMAND_SECONDS = 0.25
"""How long each command waits for others in a slow Redis."""


class Pulse:
    """How long ingestion stood still while there was something to read."""

    def __init__(self, arena: Arena) -> None:
        self._arena = arena
        self._read, self._at = arena.read(), time.monotonic()
        self.longest_seconds = 0.0

    def feel(self) -> None:
        read, now = self._arena.read(), time.monotonic()
        if self._arena.is_feeding:
            self.longest_seconds = max(self.longest_seconds, now - self._at)
        if read > self._read or not self._arena.is_feeding:
            self._read, self._at = max(read, self._read), now


Fault = Callable[[Arena, float, Pulse], None]


def run(bench: Bench) -> str:
    seconds = bench.pick(8, 60)
    faults: list[tuple[str, Fault]] = [
        ("down", lambda arena, seconds, pulse: away(arena, seconds, pulse, keep=True)),
        ("restarted empty", lambda arena, _, pulse: away(arena, 1, pulse, keep=False)),
        ("flushed", lambda arena, *_: arena.client.flushall()),
        ("old snapshot", old_snapshot),
        ("out of memory", out_of_memory),
        ("frozen", frozen),
        ("slow", slow),
    ]
    with Arena(bench.broker, bench.folder, seed=bench.seed, size=(12, 30), changes=bench.changes) as arena:
        arena.start()
        size = -(-len(arena.events) // len(faults))
        whole, figures, longest = list(arena.events), [], 0.0
        for i, (name, fault) in enumerate(faults):
            arena.events = whole[: (i + 1) * size]
            arena.say(f"Redis {name}")
            arena.feed(whole[i * size : (i + 1) * size], FEED_SECONDS)
            arena.sleep(1)
            pulse = Pulse(arena)
            fault(arena, seconds, pulse)
            longest = max(longest, pulse.longest_seconds)
            arena.fed()
            took = arena.await_cells(arena.cells(), FULL_AGAIN_SECONDS)
            figures.append(f"{name} {took:.1f} s")
        read = arena.read()
        if read != len(whole) or arena.own_exits:
            raise Broken(f"{len(whole)} events published, {read} counted, exits {arena.own_exits}")
        if longest > STANDSTILL_SECONDS_MAX:
            raise Broken(f"ingestion stood still for {longest:.1f} s")
        equal = arena.verify()
        return (
            f"all published again after: {', '.join(figures)}; ingestion never stood still for more than "
            f"{longest:.1f} s; {read:,} events read once each; {equal}"
        )


def watched(arena: Arena, seconds: float, pulse: Pulse, is_said: Callable[[Arena], bool]) -> None:
    """For so long: does the board say it, and does ingestion go on?"""
    before, began = arena.read(), time.monotonic()

    def felt(holds: Callable[[], bool]) -> Callable[[], bool]:
        def asked() -> bool:
            pulse.feel()
            return holds()

        return asked

    arena.until(felt(lambda: is_said(arena)), max(seconds, UNAVAILABLE_SECONDS), "the board says that figures wait")
    arena.until(felt(lambda: arena.read() > before), 15, "events folded without Redis")
    arena.until(felt(lambda: time.monotonic() > began + seconds), seconds + 1, "the end of the fault")


def is_unavailable(arena: Arena) -> bool:
    return arena.board.get("/api/v1/organisation")[0] == 503


def says_refused(arena: Arena) -> bool:
    """Redis reads and does not write: figures could be answered, and would be old."""
    status, body = arena.board.get("/api/v1/organisation")
    return status == 503 and b"takes no writes" in body


def away(arena: Arena, seconds: float, pulse: Pulse, *, keep: bool) -> None:
    """Killed; its last snapshot is lost unless kept."""
    if keep:
        arena.client.save()
    arena.redis.kill()
    if not keep:
        shutil.rmtree(arena.folder / "redis", ignore_errors=True)
    if seconds > 1:
        watched(arena, seconds, pulse, is_unavailable)
    arena.redis.start()


def old_snapshot(arena: Arena, *_: object) -> None:
    """Saved now, killed after more was published, restored."""
    arena.client.save()
    arena.sleep(1.5)
    arena.redis.kill()
    arena.redis.start()


def out_of_memory(arena: Arena, seconds: float, pulse: Pulse) -> None:
    """Every write is refused, every read is answered: the dangerous one."""
    arena.client.config_set("maxmemory", "1mb")
    watched(arena, seconds, pulse, says_refused)
    arena.client.config_set("maxmemory", "0")
    arena.until(lambda: not is_unavailable(arena), UNAVAILABLE_SECONDS, "the board answers again")


def frozen(arena: Arena, seconds: float, pulse: Pulse) -> None:
    """Connections stay open and nothing answers."""
    pid = arena.redis.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        with contextlib.suppress(redis.RedisError):
            watched(arena, seconds, pulse, is_unavailable)
    finally:
        os.kill(pid, signal.SIGCONT)


def slow(arena: Arena, seconds: float, pulse: Pulse) -> None:
    """Each command may wait for another that takes long: nothing fails, and nothing is unavailable."""
    began, before = time.monotonic(), arena.read()
    arena.until(lambda: not is_unavailable(arena), UNAVAILABLE_SECONDS, "the board answers again")
    with redis.Redis(port=arena.settings.redis.port) as client:
        while time.monotonic() < began + seconds:
            client.execute_command("DEBUG", "SLEEP", COMMAND_SECONDS)
            pulse.feel()
            time.sleep(POLL_SECONDS / 10)
            if is_unavailable(arena):
                raise Broken("the board does not answer although Redis is only slow")
    if arena.read() <= before:
        raise Broken(f"nothing was folded in {seconds:.0f} s of a slow Redis")


ROW = Row(
    "redis",
    "5",
    "Redis down, emptied, restored old, out of memory, frozen, slow; the board says so",
    run,
    mutations=("redis_not_watched", "refusals_unsaid", "ingestion_waits"),
)
