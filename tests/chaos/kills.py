"""Row 1: kill -9 at random moments, some disks lost.

Each kill falls into work that is going on, and the next one comes when everything is published again, so that every
standstill is one kill's and its length can be told. What a worker sends to a changelog arrives late, so that most kills
find something folded that no changelog knows. (Kills on top of one another are part of `mixed`.)
"""

from __future__ import annotations

from arena import Arena, Broken
from row import Bench, Row, p95

SESSION_SECONDS = 10.0
COMMIT_SECONDS = 0.5
CHANGELOG_SECONDS = 0.4
RECOVERY_SECONDS_MAX = 30.0
STANDSTILL_SECONDS_MAX = 90.0
WIPED_SHARE = 0.3
WITHIN_SECONDS = (0.5, 4.0)
FEED_SECONDS = 5.0


def run(bench: Bench) -> str:
    kills = bench.pick(10, 100, mutated=3)
    arena = Arena(
        bench.broker,
        bench.folder,
        seed=bench.seed,
        size=bench.pick((12, 30), (42, 60)),
        session_seconds=SESSION_SECONDS,
        commit_seconds=COMMIT_SECONDS,
        changes=bench.changes.with_hooks(changelog_seconds=CHANGELOG_SECONDS),
    )
    with arena:
        arena.ask_oracle()
        arena.start()
        size = -(-len(arena.events) // kills)
        wiped = 0
        for i in range(kills):
            arena.feed(arena.events[i * size : (i + 1) * size], FEED_SECONDS)
            arena.sleep(arena.random.uniform(*WITHIN_SECONDS))
            wipe = arena.random.random() < WIPED_SHARE
            wiped += wipe
            arena.kill(arena.random.choice([worker for worker in arena.workers if worker.is_alive()]), wipe=wipe)
            arena.fed()
            arena.until(lambda: len(arena.recoveries) > i, STANDSTILL_SECONDS_MAX, "published again after a kill")  # noqa: B023  (called at once)
            arena.until(arena.are_ready, STANDSTILL_SECONDS_MAX, "workers ready after a kill")
        equal = arena.verify()
        arena.verify_changelog_alone()
        recovery = p95(arena.recoveries)
        if recovery > RECOVERY_SECONDS_MAX:
            raise Broken(f"recovery took {recovery:.1f} s at p95, at most {RECOVERY_SECONDS_MAX:.0f} are promised")
        return (
            f"{kills} kills, {wiped} disks lost, {len(arena.events):,} events; recovery p50 "
            f"{p50(arena.recoveries):.1f} s, p95 {recovery:.1f} s, longest {max(arena.recoveries):.1f} s "
            f"({len(arena.recoveries)} of them); own exits {len(arena.own_exits)}; {equal}, also from the changelog "
            "alone"
        )


def p50(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


ROW = Row(
    "kills", "1", "kill -9 of workers at random moments, some with their disks lost", run, mutations=("no_barrier",)
)
