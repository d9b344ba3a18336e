"""How often the detectors page for nothing, and how soon they find planted trouble.

    uv run python benchmarks/detectors.py [--reps 40] [--weeks 4] [--seeds 3]

A simulated floor lives for 90 days; then every working hour of some weeks is judged, first without trouble (each
alert is a false one), then with one rep's funnel stalled and another's losses spiking. In memory, through the same
folds, cells and table as the product. The budget is 2 false critical pages a week for 500 reps.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable
from functools import partial

from funnelwatch.schemas.codec import Limits, decode
from funnelwatch.schemas.events import Event, Kind
from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.cells import Contribution
from funnelwatch.streams.context import Context
from funnelwatch.streams.detectors import Alerts, Detectors
from funnelwatch.streams.detectors.alerts import Subject
from funnelwatch.streams.documents import Documents
from funnelwatch.streams.fold import Fold, State
from funnelwatch.streams.folds import FOLDS
from funnelwatch.streams.links import Link
from funnelwatch.streams.shard import ShardCells
from funnelwatch.streams.simulator import Floor
from funnelwatch.streams.table import Table

BEGIN = 1_767_571_200_000_000  # 2026-01-05, a Monday
HOUR = 3_600_000_000
DAY = 24 * HOUR
HISTORY_DAYS = 90


class Memory:
    """The incremental path without Kafka: one shard a kind."""

    def __init__(self, settings) -> None:
        self.calendar = Calendar(settings.calendar)
        self.table = Table(settings, self.calendar)
        self.documents = Documents(settings, self.table)
        self.context = Context(settings, self.calendar)
        self.shards = {kind: ShardCells(self.calendar, settings.recordings_days) for kind in Kind}
        self.states: dict[tuple[Kind, str], object] = {}

    def take(self, published) -> set[str]:
        for kind, _, value, _ in published:
            for event in decode(kind, value, (), Limits()):
                assert isinstance(event, Event), event
                self._fold(event)
        for kind, shard in self.shards.items():
            self.table.apply((kind, 0), shard.take_changed())
        return self.table.take_changed()

    def _fold(self, event: Event) -> None:
        state = self._change(event.kind, event.subject, lambda fold, state: fold.add(state, event))
        self.shards[event.kind].see(event.at)
        for link in FOLDS[event.kind].links(event.subject, state):
            self._change(link.target, link.target_id, partial(_take_link, link))

    def _change(self, kind: Kind, subject: str, change: Callable[[Fold, State], bool]) -> State:
        fold = FOLDS[kind]
        state = self.states.setdefault((kind, subject), fold.empty())
        before = fold.contribution(subject, state, self.context) if state.history else Contribution()
        if change(fold, state):
            self.shards[kind].add(before, fold.contribution(subject, state, self.context))
        return state


def _take_link(link: Link, fold: Fold, state: State) -> bool:
    return fold.add_link(state, link)


def judged(memory: Memory, floor: Floor, hours: int):
    """Judge each working hour; yields (hours of work so far, changes of alerts)."""
    detectors = Detectors(floor.settings, memory.table, memory.documents.rep)
    alerts = Alerts(memory.calendar, lambda _, subject: Subject(subject, None, ""))
    changed: set[str] | None = None
    for hour in range(hours):
        until = floor.after_working(HOUR)
        new = memory.take(floor.advance(until))
        changed = new if changed is not None else None
        yield hour + 1, alerts.step(detectors.evidence(floor.now, changed), floor.now)
        changed = set()


def run(seed: int, reps: int, weeks: int) -> tuple[Counter, dict[str, float], float]:
    floor = Floor(seed, BEGIN, reps=reps)
    memory = Memory(floor.settings)
    memory.take(floor.advance(BEGIN + HISTORY_DAYS * DAY))
    false: Counter = Counter()
    hours_a_week = 38
    started = time.perf_counter()
    for _, changes in judged(memory, floor, weeks * hours_a_week):
        for alert in changes:
            if alert.state == "firing":
                false[alert.detector, alert.severity] += 1
    spent = (time.perf_counter() - started) / (weeks * hours_a_week)
    stalled, losing = floor.reps[3].id, floor.reps[11].id
    floor.plant_stall(stalled, floor.now)
    floor.plant_loss_spike(losing, floor.now)
    found: dict[str, float] = {}
    for hour, changes in judged(memory, floor, 2 * hours_a_week):
        for alert in changes:
            if (alert.detector, alert.subject) in {("funnel_stalled", stalled), ("loss_spike", losing)}:
                found.setdefault(f"{alert.detector} {alert.severity}", hour)
    return false, found, spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reps", type=int, default=40)
    parser.add_argument("--weeks", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    total: Counter = Counter()
    for seed in range(1, arguments.seeds + 1):
        false, found, spent = run(seed, arguments.reps, arguments.weeks)
        total += false
        print(f"seed {seed}: false {dict(false)}; found after working hours {found}; {spent * 1e3:.0f} ms an hour")
    scale = 500 / (arguments.reps * arguments.weeks * arguments.seeds)
    for (detector, severity), count in sorted(total.items()):
        print(f"{detector} {severity}: {count * scale:.2f} false alerts a week for 500 reps")


if __name__ == "__main__":
    main()
