"""How the cost of the shipped worker grows with events, reps, open deals and partitions: one of them at a time.

Each run starts a Kafka and a Redis of its own; one worker catches up with deal events, and its totals are compared with
a batch. Cost is per event, so that what grows linearly stays the same.

    uv run --extra embedded benchmarks/growth --results benchmarks/growth.jsonl --plot docs/images/growth.svg

measures what is not among the results yet, keeps it there, and makes tables and plot of all of them. What a run needs
grows with its size: 3,000,000 events take 4 minutes and 2 GB; `--up-to` leaves out what is larger.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import random
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from funnelwatch.agents.embedded import EmbeddedRedis, free_ports
from peers import catch_up
from peers.broker import Broker
from peers.catch_up import Bench, CaughtUp
from peers.plot import Panel, as_svg
from peers.processes import write_results
from peers.systems import BY_NAME
from peers.workload import BEGIN_MS, SPAN_MS, STAGES, as_wire, batch, decode, iso

STEPS = {
    "events": (100_000, 300_000, 1_000_000, 3_000_000, 10_000_000),
    "reps": (100, 1_000, 10_000, 100_000),
    "deals": (1_000, 10_000, 100_000, 300_000, 1_000_000),
    "partitions": (4, 16, 64),
}
EVENTS_PER_DEAL = 10
EVENTS_PER_OPEN_DEAL = 3
"""So many at least, so that not all of them are new."""
PREFIX = "wire."
SEED = 1


class Size(msgspec.Struct, frozen=True):
    """What a run has to do with."""

    events: int = 300_000
    reps: int = 500
    deals: int = 30_000
    partitions: int = 4


class Grown(msgspec.Struct, frozen=True):
    """A run, and which dimension was varied."""

    by: str
    size: Size
    run: CaughtUp


def events(size: Size) -> Iterator[bytes]:
    """Events in the order of time of so many open deals: each is created, moves on, is won, and another one begins.

    From when so many were created on, about nine tenths of them are open at any time, and no deal has more than
    `EVENTS_PER_DEAL`.
    """
    chance = random.Random(SEED)
    told: dict[int, int] = {}
    for number in range(size.events):
        place = number if number < size.deals else chance.randrange(size.deals)
        so_far = told.get(place, 0)
        told[place] = so_far + 1
        deal, step = place + size.deals * (so_far // EVENTS_PER_DEAL), so_far % EVENTS_PER_DEAL
        kind = "deal.created" if step == 0 else "deal.won" if step == EVENTS_PER_DEAL - 1 else "deal.stage_changed"
        stage = "won" if kind == "deal.won" else STAGES[step % len(STAGES)]
        at = iso(BEGIN_MS + SPAN_MS * number // size.events)
        yield (
            f'{{"event_id":"e-{number}","type":"{kind}","deal_id":"deal_{deal:08d}",'
            f'"rep_id":"rep_{place % size.reps:06d}","account_id":"acc_{deal:08d}",'
            f'"stage":"{stage}","amount":{1 + deal % 9_000}.00,'
            f'"currency":"EUR","occurred_at":"{at}","source":"crm-web"}}'
        ).encode()


def measure(size: Size, patience_seconds: float) -> CaughtUp:
    """One catch-up."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="funnelwatch-growth-")))
        broker = stack.enter_context(Broker(folder / "kafka", size.partitions))
        redis = stack.enter_context(EmbeddedRedis(folder / "redis", *free_ports(1)))
        assert redis.pid is not None
        topic = f"{PREFIX}crm.deals"
        broker.create([topic])
        broker.publish(topic, ((decode(event).deal_id, as_wire(event)) for event in events(size)))
        bench = Bench(
            broker=broker,
            redis_port=redis.port,
            redis_pid=redis.pid,
            folder=folder,
            topics={size.events: topic},
            truths={size.events: batch(events(size))},
            wire_prefix=PREFIX,
            patience_seconds=patience_seconds,
            warm_values=lambda _: (),
        )
        return catch_up.run(BY_NAME["shipped"], bench, folder, 1, lambda _: None)


def table(found: Sequence[Grown]) -> str:
    """Markdown, one table a dimension."""
    parts = []
    for by, runs in _by_dimension(found).items():
        lines = [
            f"| {by} | in events | CPU s per million | Redis' | broker's | events/s | worker, peak MB | Redis, MB |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for one in runs:
            run = one.run
            costs = (
                f"{run.events:,} | {run.cpu:.1f} | {run.redis_cpu:.1f} | {run.broker_cpu:.1f} | {run.rate:,.0f} | "
                f"{run.peak_mb:,.0f} | {run.redis_mb:,.0f}"
            )
            lines.append(f"| {getattr(one.size, by):,} | {costs if run.is_right else run.trouble} |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def plot(found: Sequence[Grown]) -> str:
    """An SVG of what each dimension does to the cost of an event."""
    panels = []
    for by, runs in _by_dimension(found).items():
        right = [one for one in runs if one.run.is_right]
        costs = {
            "worker": tuple(one.run.cpu for one in right),
            "Redis": tuple(one.run.redis_cpu for one in right),
            "broker": tuple(one.run.broker_cpu for one in right),
        }
        panels.append(Panel(by, tuple(getattr(one.size, by) for one in right), costs))
    return as_svg("CPU seconds per million events", panels)


def read(results: Path) -> list[Grown]:
    """What was measured before."""
    if not results.exists():
        return []
    return [msgspec.json.decode(line, type=Grown) for line in results.read_bytes().splitlines()]


def latest(found: Sequence[Grown]) -> list[Grown]:
    """The last run of each size."""
    return [one for runs in _by_dimension(found).values() for one in runs]


def _by_dimension(found: Sequence[Grown]) -> dict[str, list[Grown]]:
    """By size; of runs of the same the last one."""
    every = {by: {getattr(one.size, by): one for one in found if one.by == by} for by in STEPS}
    return {by: [runs[value] for value in sorted(runs)] for by, runs in every.items() if runs}


def _size(by: str, value: int) -> Size:
    size = msgspec.structs.replace(Size(), **{by: value})
    least = {"deals": EVENTS_PER_OPEN_DEAL * value, "reps": value}.get(by, 0)
    return msgspec.structs.replace(size, events=max(size.events, least))


def main() -> int:
    """Run; the exit code."""
    parser = argparse.ArgumentParser(
        prog="benchmarks/growth", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--by", nargs="+", choices=STEPS, default=tuple(STEPS), metavar="WHAT", help="what grows")
    parser.add_argument("--up-to", type=int, default=max(map(max, STEPS.values())), metavar="N", help="leave out more")
    parser.add_argument("--patience", type=float, default=1_800.0, metavar="S", help="for one run")
    parser.add_argument("--results", type=Path, help="JSON lines: what is there is not measured again, the rest added")
    parser.add_argument("--plot", type=Path, help="where an SVG goes")
    parser.add_argument("--again", action="store_true", help="measure what is among the results as well")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    logging.disable(logging.CRITICAL)
    found = read(options.results) if options.results else []
    known = set() if options.again else {(one.by, one.size) for one in found if one.run.is_right}
    wanted = [(by, _size(by, value)) for by in options.by for value in STEPS[by]]
    try:
        for by, size in wanted:
            if (by, size) in known or max(msgspec.structs.astuple(size)) > options.up_to:
                continue
            one = Grown(by, size, measure(size, options.patience))
            found.append(one)
            if options.results:
                write_results(options.results, one)
            said = one.run.trouble or "totals right"
            print(f"{by} {getattr(size, by):,}: {one.run.rate:,.0f}/s, {one.run.cpu:.1f} CPU s/M: {said}", flush=True)
    except KeyboardInterrupt:
        print("Stopped; what was measured is kept.", file=sys.stderr)
        return 130
    print(f"\n{os.cpu_count()} cores; all else at {Size()}\n\n{table(found)}")
    if options.plot:
        options.plot.write_text(plot(found), "utf-8")
    return 1 if any(not one.run.is_right for one in latest(found)) else 0
