"""How the cost of the shipped worker grows with events, reps, open deals and partitions: one of them at a time.

Each run starts a Kafka and a Redis of its own; one worker catches up with deal events, and its totals are compared with
a batch. Cost is per event, so that what grows linearly stays the same.
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
from collections.abc import Iterator
from pathlib import Path

import msgspec

from funnelwatch.agents.embedded import EmbeddedRedis, free_ports
from peers import catch_up
from peers.broker import Broker
from peers.catch_up import Bench, CaughtUp
from peers.processes import write_results
from peers.systems import BY_NAME
from peers.workload import BEGIN_MS, SPAN_MS, STAGES, as_wire, batch, decode, iso

STEPS = {
    "events": (100_000, 300_000, 1_000_000, 3_000_000, 10_000_000),
    "reps": (100, 1_000, 10_000, 100_000),
    "deals": (1_000, 10_000, 100_000, 1_000_000),
    "partitions": (4, 16, 64),
}
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
    """Events in the order of time of deals that all stay open: each is created, then moves on, round and round."""
    chance = random.Random(SEED)
    stage_of: dict[int, int] = {}
    for number in range(size.events):
        deal = number if number < size.deals else chance.randrange(size.deals)
        stage = stage_of[deal] = (stage_of.get(deal, -1) + 1) % len(STAGES)
        kind = "deal.created" if number < size.deals else "deal.stage_changed"
        at = iso(BEGIN_MS + SPAN_MS * number // size.events)
        yield (
            f'{{"event_id":"e-{number}","type":"{kind}","deal_id":"deal_{deal:08d}",'
            f'"rep_id":"rep_{deal % size.reps:06d}","account_id":"acc_{deal:08d}",'
            f'"stage":"{STAGES[stage]}","amount":{1 + deal % 9_000}.00,'
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


def table(found: list[Grown]) -> str:
    """Markdown, one table a dimension."""
    parts = []
    for by in STEPS:
        lines = [
            f"| {by} | events/s | CPU s per million | Redis CPU | worker, peak MB | Redis, MB |",
            "|---|---|---|---|---|---|",
        ]
        for one in sorted((one for one in found if one.by == by), key=lambda one: getattr(one.size, by)):
            run = one.run
            costs = f"{run.rate:,.0f} | {run.cpu:.1f} | {run.redis_cpu:.1f} | {run.peak_mb:,.0f} | {run.redis_mb:,.0f}"
            lines.append(f"| {getattr(one.size, by):,} | {costs if run.is_right else run.trouble} |")
        parts += ["\n".join(lines)] if len(lines) > 2 else []
    return "\n\n".join(parts)


def _size(by: str, value: int) -> Size:
    size = msgspec.structs.replace(Size(), **{by: value})
    return msgspec.structs.replace(size, events=max(size.events, value)) if by in {"deals", "reps"} else size


def main() -> int:
    """Run; the exit code."""
    parser = argparse.ArgumentParser(
        prog="benchmarks/growth", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--by", nargs="+", choices=STEPS, default=tuple(STEPS), metavar="WHAT", help="what grows")
    parser.add_argument("--up-to", type=int, default=max(map(max, STEPS.values())), metavar="N", help="leave out more")
    parser.add_argument("--patience", type=float, default=1_800.0, metavar="S", help="for one run")
    parser.add_argument("--results", type=Path, help="JSON lines, appended; the tables are made of all of them")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    logging.disable(logging.CRITICAL)
    found: list[Grown] = []
    if options.results and options.results.exists():
        found = [msgspec.json.decode(line, type=Grown) for line in options.results.read_bytes().splitlines()]
    try:
        for by in options.by:
            for value in STEPS[by]:
                if value > options.up_to:
                    continue
                one = Grown(by, _size(by, value), measure(_size(by, value), options.patience))
                found.append(one)
                if options.results:
                    write_results(options.results, one)
                said = one.run.trouble or "totals right"
                print(f"{by} {value:,}: {one.run.rate:,.0f}/s, {one.run.cpu:.1f} CPU s/M: {said}", flush=True)
    except KeyboardInterrupt:
        print("Stopped; what was measured is kept.", file=sys.stderr)
        return 130
    print(f"\n{os.cpu_count()} cores; all else at {Size()}\n\n{table(found)}")
    return 1 if any(not one.run.is_right for one in found) else 0
