"""Row 2: a worker stopped for longer than its session, with work at hand, that goes on where it was.

Bursts and small slow chunks see to it that it is stopped in the middle of work, so that on waking up it writes what it
knows: to Redis, where it is fenced, and to the changelog, where its old rows come behind newer ones.
"""

from __future__ import annotations

import signal

from arena import Arena, Broken
from row import Bench, Row

SESSION_SECONDS = 4.0
PAUSE_SECONDS = (SESSION_SECONDS + 2.0, SESSION_SECONDS + 5.0)
CHUNK_RECORDS = 20
FOLD_SECONDS = 0.03


def run(bench: Bench) -> str:
    pauses = bench.pick(3, 20)
    arena = Arena(
        bench.broker,
        bench.folder,
        seed=bench.seed,
        size=(12, 30) if not bench.is_long else (30, 60),
        session_seconds=SESSION_SECONDS,
        changes=bench.changes.with_hooks(chunk_records=CHUNK_RECORDS, fold_seconds=FOLD_SECONDS),
    )
    with arena:
        arena.start()
        size = -(-len(arena.events) // pauses)
        for i in range(pauses):
            arena.feed(arena.events[i * size : (i + 1) * size], sum(PAUSE_SECONDS) / 2)
            arena.sleep(arena.random.uniform(0.5, 2.0))
            paused = arena.random.choice([worker for worker in arena.workers if worker.is_alive()])
            arena.say(f"SIGSTOP of worker {arena.workers.index(paused)}")
            paused.signal(signal.SIGSTOP)
            arena.sleep(arena.random.uniform(*PAUSE_SECONDS))
            paused.signal(signal.SIGCONT)
            arena.fed()
            arena.sleep(3)
        fenced, repaired = (
            sum(worker.metric(name) for worker in arena.workers)
            for name in ("funnelwatch_fenced_total", "funnelwatch_changelog_repaired_records_total")
        )

        equal = arena.verify()
        arena.verify_changelog_alone()
        if not fenced:
            raise Broken("no write was fenced: the pauses hit nothing, or the fence is gone")
        return (
            f"{pauses} pauses, {fenced:.0f} writes fenced, {repaired:.0f} changelog records of a stranger merged and "
            f"written again, {arena.logged('are outdated in the changelog')} times rows found outdated at recovery; "
            f"own exits {len(arena.own_exits)}; {equal}, also from the changelog alone"
        )


ROW = Row("pauses", "2", "workers paused past their session (SIGSTOP) that go on writing", run)
