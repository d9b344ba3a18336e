"""Row 1: kill -9 at random moments, some disks lost."""

from __future__ import annotations

from arena import Arena, Broken
from row import Bench, Row, p95

SESSION_SECONDS = 10.0
RECOVERY_SECONDS_MAX = 30.0
WIPED_SHARE = 0.3
BETWEEN_SECONDS = (1.0, 10.0)


def run(bench: Bench) -> str:
    kills = bench.pick(10, 100)
    size = (12, 30) if not bench.is_long else (42, 60)
    with Arena(
        bench.broker, bench.folder, seed=bench.seed, size=size, session_seconds=SESSION_SECONDS, changes=bench.changes
    ) as arena:
        arena.ask_oracle()
        arena.start()
        arena.feed(arena.events, kills * sum(BETWEEN_SECONDS) / 2)
        wiped = 0
        for _ in range(kills):
            arena.sleep(arena.random.uniform(*BETWEEN_SECONDS))
            alive = [worker for worker in arena.workers if worker.is_alive()]
            if not alive:
                arena.until(lambda: any(worker.is_alive() for worker in arena.workers), 30, "somebody alive")
                alive = [worker for worker in arena.workers if worker.is_alive()]
            wipe = arena.random.random() < WIPED_SHARE
            wiped += wipe
            arena.kill(arena.random.choice(alive), wipe=wipe)
        equal = arena.verify()
        arena.verify_changelog_alone()
        recovery = p95(arena.recoveries)
        if recovery > RECOVERY_SECONDS_MAX:
            raise Broken(f"recovery took {recovery:.1f} s at p95, at most {RECOVERY_SECONDS_MAX:.0f} are promised")
        return (
            f"{kills} kills, {wiped} disks lost, {len(arena.events):,} events; recovery p95 {recovery:.1f} s "
            f"({len(arena.recoveries)} of them; the longest standstill under several kills "
            f"{max(arena.standstills):.1f} s); own exits {len(arena.own_exits)}; {equal}, also from the changelog alone"
        )


ROW = Row("kills", "1", "kill -9 of workers at random moments, some with their disks lost", run)
