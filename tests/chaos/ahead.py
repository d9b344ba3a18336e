"""Row 13: the disk is ahead of the changelog, and what it knows alone is asked for before it is written again.

Each round loses what goes to the changelogs while many chunks are folded, kills the worker, and interrupts the
redelivery several times: by an orderly stop, by another kill, by a second worker that joins and leaves. Chunks are
small and slow, so that the interruptions fall between two of them, and offsets are committed often. At last only the
changelog is left.
"""

from __future__ import annotations

import signal
import time

from arena import Arena
from chaos_worker import ChaosWorker
from row import Bench, Row

CHUNK_RECORDS = 20
FOLD_SECONDS = 0.3
REDELIVERY_SECONDS = 15.0
INTERRUPTIONS = 2
AHEAD_EVENTS_MIN = 200


def run(bench: Bench) -> str:
    rounds = bench.pick(2, 20)
    changes = bench.changes.with_hooks(chunk_records=CHUNK_RECORDS, lose_changelog=True)
    size = (8, 15) if not bench.is_long else (20, 60)
    arena = Arena(
        bench.broker,
        bench.folder,
        seed=bench.seed,
        size=size,
        session_seconds=4.0,
        commit_seconds=0.2,
        changes=changes,
        disorder={"repeat_share": 0.01},
    )
    with arena:
        worker, other, _ = arena.workers
        portions = cut(arena.events, 1 + rounds)
        arena.start(worker)
        arena.publish(portions[0])
        drained(arena, len(portions[0]))
        ahead = cut_short = 0
        for portion in portions[1:]:
            ahead += folded_and_lost(arena, worker, portion)
            for _ in range(INTERRUPTIONS):
                cut_short += interrupted(arena, worker, other)
            arena.sleep(1)
        drained_to_the_end(arena)
        equal = arena.verify()
        arena.verify_changelog_alone()
        return (
            f"{rounds} rounds, {ahead:,} events folded on a disk whose changelog never got them, "
            f"{cut_short} redeliveries interrupted; {equal}, also from the changelog alone"
        )


def folded_and_lost(arena: Arena, worker: ChaosWorker, portion: list) -> int:
    """Fold a portion without the changelog learning of it, and die."""
    if not worker.is_alive():
        worker.changes = arena.changes
        arena.start(worker, board=False)
        arena.sleep(1)
    before = worker.counters()["applied"]
    worker.signal(signal.SIGUSR1)
    arena.publish(portion)
    enough = min(AHEAD_EVENTS_MIN, len(portion) // 2)
    arena.until(lambda: worker.counters()["applied"] - before >= enough, 60, "several chunks folded")
    arena.sleep(1)
    ahead = worker.counters()["applied"] - before
    arena.kill(worker, restart=False)
    return ahead


def interrupted(arena: Arena, worker: ChaosWorker, other: ChaosWorker) -> bool:
    """Let the redelivery begin, and stop it somewhere; whether there was something to deliver again."""
    worker.changes = worker.changes.with_hooks(fold_seconds=FOLD_SECONDS)
    arena.start(worker, board=False)
    end = time.monotonic() + REDELIVERY_SECONDS
    while not arena.read() and time.monotonic() < end:
        arena.sleep(0.1)
    was_delivered = arena.read() > 0
    arena.sleep(arena.random.uniform(0.2, 1.2))
    how = arena.random.choice(["stop", "stop", "kill", "join"])
    arena.say(f"redelivery interrupted: {how}")
    if how == "kill":
        arena.kill(worker, restart=False)
    elif how == "stop":
        arena.leave(worker)
    else:
        arena.start(other, board=False)
        arena.sleep(1)
        arena.leave(other)
        arena.leave(worker)
    return was_delivered


def drained(arena: Arena, events: int) -> None:
    arena.until(lambda: arena.read() >= events, 60, "everything read")
    arena.sleep(1)


def drained_to_the_end(arena: Arena) -> None:
    for worker in arena.workers:
        worker.changes = arena.changes
    arena.start(board=False)


def cut(events: list, parts: int) -> list[list]:
    size = -(-len(events) // parts)
    return [events[i : i + size] for i in range(0, len(events), size)]


ROW = Row(
    "ahead",
    "13",
    "a disk ahead of its changelog, redeliveries interrupted, then the disk lost",
    run,
    mutations=("redelivery_forgotten",),
)
