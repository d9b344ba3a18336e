"""Funnelwatch beside Kafka Streams, Flink, Quix Streams, Bytewax and Faust: the same work, one machine, one broker.

Every system reads the same events from 4 partitions of one embedded Kafka and keeps, durably, per deal the last stage
and since when, and per rep and day sums; after each run its totals are compared with a batch. One that is wrong is
shown and fails the whole. Systems take turns, so that a busy minute of the machine meets all of them.

It needs Linux, uv, a JDK (17 or newer) with Maven, and Go; what is missing leaves out the systems that need it. All
else is downloaded once, in exact versions, into the cache directory. Measurements are appended to the file of results,
and the tables are made of all that it has: an interrupted comparison can be gone on with.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from funnelwatch.agents.embedded import EmbeddedRedis, free_ports
from funnelwatch.agents.embedded.errors import EmbeddedError
from peers import catch_up, latency
from peers.broker import Broker
from peers.catch_up import Bench, CaughtUp
from peers.installing import CannotInstall, install
from peers.latency import Latency
from peers.processes import write_results
from peers.report import conditions, is_interpreter_fit, read_results, tables
from peers.systems import BY_NAME, CATCH_UP, LATENCY, SYSTEMS, TWO_WORKERS, System
from peers.workload import Workload, as_wire, decode

PARTS = ("catch-up", "two-workers", "latency")
WIRE_PREFIX = "wire."
SMALL_EVENTS = 100_000
FAILED, WRONG_USE, INTERRUPTED = 1, 2, 130
WIDTH = 100
EXAMPLES = """examples:
  uv run --extra embedded benchmarks/run                          everything: one to two hours on two cores
  uv run --extra embedded benchmarks/run --events 100000 --repetitions 1 --parts catch-up       a first look: minutes
  uv run --extra embedded benchmarks/run --only reduced --only kafka-streams                    these two alone
  uv run --extra embedded benchmarks/run --tables                                               what was measured before

exit codes: 0 done, 1 a total was wrong or a system failed, 2 wrong usage, 130 Ctrl-C"""


def main(arguments: list[str] | None = None) -> int:
    """Run; the exit code."""
    options = _parser().parse_args(arguments)
    results = options.results or options.cache / "results.jsonl"
    if options.list or options.tables:
        print(_listing() if options.list else tables(read_results(results)))
        return 0
    if not is_interpreter_fit():
        print("This needs Linux: CPU and memory are read from /proc.", file=sys.stderr)
        return WRONG_USE
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # everything is stopped and removed, as at Ctrl-C
    logging.disable(logging.CRITICAL)  # new topics' leaders are not known at once: aiokafka says so and tries again
    print(conditions(), flush=True)
    before = len(read_results(results))
    code = 0
    try:
        _compare(options, results)
    except KeyboardInterrupt:
        _status("")
        print("Stopped; what was measured is kept.", file=sys.stderr)
        code = INTERRUPTED
    except EmbeddedError as error:
        print(error, file=sys.stderr)
        return FAILED
    measured = read_results(results)
    print(f"\nAll in {results}:\n\n{tables(measured)}")
    failed = [one for one in measured[before:] if one.trouble]
    return code or (FAILED if failed else 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="benchmarks/run",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "funnelwatch-benchmarks"
    add = parser.add_argument
    add("--only", action="append", choices=BY_NAME, metavar="SYSTEM", help="this system; may be repeated (see --list)")
    add("--repetitions", type=_positive, default=5, metavar="N", help="of each (default: %(default)s)")
    add("--events", type=_positive, default=1_000_000, metavar="N", help="to catch up with (default: 1,000,000)")
    add("--parts", nargs="+", choices=PARTS, default=PARTS, metavar="PART", help=f"of {', '.join(PARTS)}")
    add("--latency-seconds", type=float, default=40.0, metavar="S", help="at 2,000 events a second (default: 40)")
    add("--patience", type=float, default=600.0, metavar="S", help="for one catch-up (default: 600)")
    add("--results", type=Path, metavar="FILE", help="JSON lines, appended (default: results.jsonl in the cache)")
    add("--cache", type=Path, default=cache, metavar="DIR", help="downloads, builds, events (default: %(default)s)")
    add("--list", action="store_true", help="list the systems and end")
    add("--tables", action="store_true", help="show what the file of results has and end")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("it must be 1 or more")
    return number


def _listing() -> str:
    return "\n".join(f"{system.name:22}{system.title}" for system in SYSTEMS)


def _compare(options: argparse.Namespace, results: Path) -> None:
    chosen = [system for system in SYSTEMS if not options.only or system.name in options.only]
    installed = _install(chosen, options.cache)
    systems = [system for system in chosen if system.name in installed]
    workload = Workload(options.cache / "events", options.events)
    _status("making the events")
    workload.make()
    with _bench(options, workload) as bench:
        for number in range(options.repetitions):
            for what, system in _turns(systems, options.parts):
                place = f"{number + 1}/{options.repetitions}"
                one = _measure(what, system, bench, installed[system.name], options)
                write_results(results, one)
                _status("")
                print(f"{place} {_line(one)}", flush=True)


def _install(systems: list[System], cache: Path) -> dict[str, Path]:
    installed: dict[str, Path] = {}
    for system in systems:
        _status(f"installing {system.name}")
        try:
            installed[system.name] = install(system.install, cache) if system.install else cache
        except CannotInstall as trouble:
            _status("")
            print(f"{system.title} is left out: {trouble}", flush=True)
    return installed


def _turns(systems: list[System], parts: list[str]) -> Iterator[tuple[str, System]]:
    for part, names in zip(PARTS, (CATCH_UP, TWO_WORKERS, LATENCY), strict=True):
        if part in parts:
            yield from ((part, system) for system in systems if system.name in names)


def _measure(
    what: str, system: System, bench: Bench, installed: Path, options: argparse.Namespace
) -> CaughtUp | Latency:
    if what == "latency":
        return latency.run(system, bench, installed, options.latency_seconds, _status)
    return catch_up.run(system, bench, installed, 2 if what == "two-workers" else 1, _status)


def _line(one: CaughtUp | Latency) -> str:
    if isinstance(one, Latency):
        figures = f"p50 {one.p50:,.0f} ms, p99 {one.p99:,.0f} ms, {one.cores:.2f} cores, load {one.load_before}"
        return f"{one.system:20} latency   {figures} {one.trouble}"
    said = "totals right" if one.is_right else f"WRONG: {one.problems} rows. {one.trouble}"
    figures = f"{one.rate:10,.0f}/s {one.cpu:6.1f} CPU s/M, broker {one.broker_cpu:.1f}, {one.peak_mb:,.0f} MB"
    return f"{one.system:20} {one.workers} worker(s) {figures}, load {one.load_before}: {said}"


@contextlib.contextmanager
def _bench(options: argparse.Namespace, workload: Workload) -> Iterator[Bench]:
    small = min(SMALL_EVENTS, options.events)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="funnelwatch-bench-")))
        broker = stack.enter_context(Broker(folder / "kafka"))
        redis = stack.enter_context(EmbeddedRedis(folder / "redis", *free_ports(1)))
        assert redis.pid is not None
        topics = {count: f"deals-{count}" for count in {small, options.events}}
        bench = Bench(
            broker=broker,
            redis_port=redis.port,
            redis_pid=redis.pid,
            folder=folder,
            topics=topics,
            truths={count: workload.truth(count) for count in topics},
            wire_prefix=WIRE_PREFIX,
            patience_seconds=options.patience,
            warm_values=workload.values,
        )
        _publish(bench, workload, f"{WIRE_PREFIX}crm.deals", as_wire, options.events)
        for count, topic in topics.items():
            _publish(bench, workload, topic, bytes, count)
        yield bench


def _publish(bench: Bench, workload: Workload, topic: str, change: Callable[[bytes], bytes], count: int) -> None:
    _status(f"publishing {count:,} events to {topic}")
    bench.broker.create([topic])
    bench.broker.publish(topic, ((decode(value).deal_id, change(value)) for value in workload.values(count)))


def _status(text: str) -> None:
    """The line that says what goes on, on a terminal only."""
    if sys.stderr.isatty():
        width = min(WIDTH, shutil.get_terminal_size().columns - 1)
        sys.stderr.write("\r" + text[:width].ljust(width) + ("\r" if not text else ""))
        sys.stderr.flush()
