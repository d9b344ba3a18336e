"""Rows 4 and 8: workers come and go all the time; then two, three and one of them, and an empty disk.

Everything is published first and then again and again, so that what the board must show stands still while workers
move.
"""

from __future__ import annotations

import time

from arena import Arena, Broken
from prometheus_client.parser import text_string_to_metric_families
from row import Bench, Row

EVERY_SECONDS = 5.0
PROGRESS_SECONDS = 60.0
TOTAL_LOW, TOTAL_HIGH = 0.9, 1.05
SEEN_SHARE_MIN = 0.8
METRIC = "sales_team_won_amount"
WINDOW = "30d"


def run(bench: Bench) -> str:
    lasts = bench.pick(20, 300, mutated=30)
    with Arena(bench.broker, bench.folder, seed=bench.seed, size=(8, 30), changes=bench.changes) as arena:
        arena.ask_oracle()
        first, second, third = arena.workers
        arena.start(first, second)
        arena.publish(arena.events)
        arena.verify()
        truth = won(arena)
        if not truth:
            raise Broken(f"the board shows no {METRIC}")
        watch = Watch(arena, truth)
        repeats = arena.random.choices(arena.events, k=20 * lasts)
        arena.feed(repeats, lasts)
        began, moves = time.monotonic(), 0
        while time.monotonic() - began < lasts:
            moves += 1
            if third.is_alive():
                arena.leave(third)
            else:
                arena.start(third, board=False, ready=False)
            watch.look(EVERY_SECONDS)
        arena.fed()
        equal = arena.verify()
        watch.check()
        arena.start(*[worker for worker in arena.workers if not worker.is_alive()], board=False)
        for worker in (second, third):
            arena.leave(worker)
        first.counters()
        arena.leave(first)
        first.wipe()
        arena.client.flushall()
        arena.start(first, board=False)
        arena.verify()
        return (
            f"{moves} joins and leaves in {lasts} s, the teams' won amount between {watch.low:.3f} and "
            f"{watch.high:.3f} of the truth ({watch.seen} scrapes, {watch.missing} answered 503 or nothing), longest "
            f"stand of the counters {watch.stand:.1f} s; then 2, 3, 1 workers and an empty disk; own exits "
            f"{len(arena.own_exits)}; {equal}"
        )


def won(arena: Arena) -> float | None:
    """The sum over teams on the board's page; None while it has none."""
    status, page = arena.board.get("/metrics")
    if status != 200:
        return None
    values = [
        sample.value
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
        if sample.name == METRIC and sample.labels["window"] == WINDOW
    ]
    return sum(values) if values else None


class Watch:
    """What the board said while workers came and went."""

    def __init__(self, arena: Arena, truth: float) -> None:
        self.arena, self.truth = arena, truth
        self.low = self.high = 1.0
        self.seen = self.missing = 0
        self.stand = 0.0
        self._read: dict[int, int] = {}
        self._read_at = time.monotonic()

    def look(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            total = won(self.arena)
            if total is None:
                self.missing += 1
            else:
                self.seen += 1
                self.low, self.high = min(self.low, total / self.truth), max(self.high, total / self.truth)
            if self._progress():
                self._read_at = time.monotonic()
            self.stand = max(self.stand, time.monotonic() - self._read_at)
            self.arena.sleep(0.3)

    def _progress(self) -> bool:
        """Whether some process has read more than when it was asked last."""
        read = {worker.pid: sum(worker.counters().values()) for worker in self.arena.workers if worker.is_alive()}
        more = any(count > self._read.get(pid, 0) for pid, count in read.items())
        self._read |= read
        return more

    def check(self) -> None:
        if self.low < TOTAL_LOW or self.high > TOTAL_HIGH:
            raise Broken(f"the teams' total went from {self.low:.3f} to {self.high:.3f} of the truth")
        if self.seen < SEEN_SHARE_MIN * (self.seen + self.missing):
            raise Broken(f"the board had no total in {self.missing} of {self.seen + self.missing} scrapes")
        if self.stand > PROGRESS_SECONDS:
            raise Broken(f"no event was read for {self.stand:.0f} s")


ROW = Row(
    "membership",
    "4, 8",
    "workers joining and leaving all the time; other numbers of them; an empty disk",
    run,
    mutations=("emptied_at_claim",),
)
