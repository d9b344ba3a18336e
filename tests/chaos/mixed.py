"""Faults of all kinds at random instants, on top of each other: luck's part of the proof, seed after seed.

Short commit and session times and small chunks widen the windows between two steps. Half of the seeds publish evenly
while things break, the others in bursts; in a third of them events come in no order at all, and in a third what goes to
the changelogs is slow.
"""

from __future__ import annotations

import random
import signal
import time
from collections import Counter

from arena import Arena
from chaos_worker import ChaosWorker
from row import Bench, Row
from support.disorder import shuffled

SESSION_SECONDS = 1.5
COMMIT_SECONDS = 0.2
CHUNK_RECORDS = 20
FOLD_SECONDS = 0.01
FAULTS = (
    *("kill",) * 3,
    *("kill and wipe",) * 2,
    *("pause",) * 3,
    *("lose changelog",) * 2,
    *("leave",) * 2,
    "flush",
    "freeze redis",
)
BETWEEN_SECONDS = (0.05, 1.5)
RESTART_SECONDS = (0.05, 1.0)
PAUSE_SECONDS = (0.5, SESSION_SECONDS * 2.5)
FREEZE_SECONDS = (0.3, 1.5)
LOST_SECONDS = (0.1, 0.8)
BURSTS = 4
CHANGELOG_SECONDS = 0.15
LATE_SHARE = 1 / 3
SHUFFLED_SHARE = 1 / 3


def run(bench: Bench) -> str:
    faults = bench.pick(10, 12)
    choices = random.Random(f"{bench.seed}/mixed")
    hooks = {"chunk_records": CHUNK_RECORDS, "fold_seconds": FOLD_SECONDS, "lose_changelog": True}
    if choices.random() < LATE_SHARE:
        hooks["changelog_seconds"] = CHANGELOG_SECONDS
    arena = Arena(
        bench.broker,
        bench.folder,
        seed=bench.seed,
        size=(4, 12),
        session_seconds=SESSION_SECONDS,
        commit_seconds=COMMIT_SECONDS,
        changes=bench.changes.with_hooks(**hooks),
        disorder={"repeat_share": 0.3, "late_places": 500},
    )
    if choices.random() < SHUFFLED_SHARE:
        arena.events = shuffled(arena.events, bench.seed)
    arena.restart_seconds = RESTART_SECONDS
    with arena:
        arena.ask_oracle()
        arena.start()
        lasts = faults * sum(BETWEEN_SECONDS) / 2
        arena.feed(arena.events, lasts, pieces=choices.choice([None, BURSTS]))
        done: Counter[str] = Counter()
        waking: dict[ChaosWorker, float] = {}
        for _ in range(faults):
            rest(arena, waking, arena.random.uniform(*BETWEEN_SECONDS))
            fault = arena.random.choice(FAULTS)
            done[fault] += strike(arena, fault, waking)
        while waking:
            rest(arena, waking, 0.1)
        equal = arena.verify()
        arena.verify_changelog_alone()
        faults_done = ", ".join(f"{count} {name}" for name, count in sorted(done.items()))
        return (
            f"{faults_done}; {len(arena.events):,} events; own exits {len(arena.own_exits)}, slow to leave "
            f"{sum(worker.slow_leaves for worker in arena.workers)}; {equal}, also from the "
            "changelog alone"
        )


def strike(arena: Arena, fault: str, waking: dict[ChaosWorker, float]) -> bool:
    """Do it to somebody; False if there is nobody to do it to."""
    victims = [worker for worker in arena.workers if worker.is_alive() and worker not in waking]
    if fault == "flush":
        arena.say("Redis flushed")
        arena.client.flushall()
    elif fault == "freeze redis":
        arena.freeze_redis(arena.random.uniform(*FREEZE_SECONDS))
    elif not victims:
        return False
    else:
        victim = arena.random.choice(victims)
        arena.say(f"{fault} of worker {arena.workers.index(victim)}")
        if fault == "pause":
            victim.signal(signal.SIGSTOP)
            waking[victim] = time.monotonic() + arena.random.uniform(*PAUSE_SECONDS)
        elif fault == "lose changelog":
            victim.signal(signal.SIGUSR1)
            arena.sleep(arena.random.uniform(*LOST_SECONDS))
            if victim.is_alive():
                arena.kill(victim)
        elif fault == "leave":
            arena.leave_for(victim, arena.random.uniform(0, 2))
        else:
            arena.kill(victim, wipe=fault == "kill and wipe")
    return True


def rest(arena: Arena, waking: dict[ChaosWorker, float], seconds: float) -> None:
    """Let things go on; who was paused long enough wakes up."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        arena.sleep(min(0.1, max(0.0, end - time.monotonic())))
        for worker in [worker for worker, due in waking.items() if due <= time.monotonic()]:
            del waking[worker]
            if worker.is_alive():
                worker.signal(signal.SIGCONT)


ROW = Row(
    "mixed",
    "",
    "faults of all kinds at random instants, one on top of another",
    run,
    mutations=("no_barrier", "redelivery_forgotten"),
    seeds=6,
)
