"""Row 3: the broker stopped in order, killed, frozen, and back each time."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from arena import Arena, Broken
from row import Bench, Row

from funnelwatch.agents.embedded import EmbeddedKafka, free_ports

EXITS_PER_FAULT_MAX = 1
"""A worker that lost its broker may leave, uncertain of what arrived; it must not crash again and again."""


def run(bench: Bench) -> str:
    away = bench.pick(5, 60, mutated=15)
    own = EmbeddedKafka(bench.folder / "kafka", *free_ports(2))
    own.start()
    try:
        with Arena(own, bench.folder, seed=bench.seed, size=(8, 30), changes=bench.changes) as arena:
            return _run(arena, own, away)
    finally:
        own.kill()


def _run(arena: Arena, own: EmbeddedKafka, away: int) -> str:
    faults: list[tuple[str, Callable[[], None], Callable[[], None]]] = [
        ("stopped", own.stop, own.start),
        ("killed", own.kill, own.start),
        ("frozen", lambda: frozen(own, signal.SIGSTOP), lambda: frozen(own, signal.SIGCONT)),
    ]
    arena.start()
    size = -(-len(arena.events) // len(faults))
    whole, figures = list(arena.events), []
    for i, (name, begin, end) in enumerate(faults):
        arena.events = whole[: (i + 1) * size]
        half = i * size + size // 2
        arena.publish(whole[i * size : half])
        exits = len(arena.own_exits)
        arena.say(f"broker {name}")
        begin()
        arena.sleep(away)
        end()
        arena.publish(whole[half : (i + 1) * size])
        took = arena.await_cells(arena.cells())
        left = len(arena.own_exits) - exits
        if left > EXITS_PER_FAULT_MAX * len(arena.workers):
            raise Broken(f"workers left {left} times while the broker was {name}")
        figures.append(f"{name} {away} s: equal {took:.1f} s after the last event, {left} exits")
    equal = arena.verify()
    arena.verify_changelog_alone()
    return f"{'; '.join(figures)}; {equal}, also from the changelog alone"


def frozen(own: EmbeddedKafka, number: signal.Signals) -> None:
    if own.pid is None:
        raise Broken("the broker ended by itself")
    os.kill(own.pid, number)


ROW = Row("broker", "3", "the broker stopped, killed or frozen, and back", run, mutations=("gives_up",))
