"""A history told at once: how long from ``funnelwatch replay`` of a file until all of it is in the figures.

    uv run --extra embedded python benchmarks/year.py [--events N] [--reps N] [--floors N] [--file FILE]

The newest N events of a simulated floor (all five kinds) are written to a file, or taken from FILE if it is there. A
worker with nothing to do is started on an embedded Kafka and Redis; then the file is replayed, and both go on beside
each other until every event is counted, committed and published in Redis. What a year of 500 reps takes (12,000,000
events) is told by proportion: it was not measured.
"""

from __future__ import annotations

import argparse
import logging
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import msgspec
import redis
from peers.ours import redis_mb
from peers.processes import write_results
from prometheus_client.parser import text_string_to_metric_families
from worker import cpu_seconds, peak_mb

from funnelwatch.agents.clock import now_us
from funnelwatch.agents.demo.written import as_toml
from funnelwatch.agents.embedded import EmbeddedKafka, EmbeddedRedis, free_ports
from funnelwatch.agents.embedded.process import ServerProcess
from funnelwatch.schemas.settings import KafkaSettings, RedisSettings, Settings, WorkerSettings
from funnelwatch.streams.simulator import Floor, demo_settings

YEAR_EVENTS = 12_000_000
EVENTS_PER_REP_AND_DAY = 33
"""Of the simulated floor, with weekends."""
ID = re.compile(rb'"(source|subject|rep_id|lead_id|deal_id)":"')
"""What is another one's on another floor."""
POLL_SECONDS = 0.5
QUIET_SECONDS = 5.0
PATIENCE_SECONDS = 1_800.0
OPENING_SECONDS = 10.0
"""Until a worker without work has opened all partitions."""


class Told(msgspec.Struct, kw_only=True):
    """One run. CPU in seconds per million events; ``rep_days``: how many days of a rep there were events on."""

    events: int
    reps: int
    rep_days: int
    bytes_each: float
    load_before: float
    published_seconds: float
    seconds: float
    cpu: dict[str, float]
    worker_mb: float
    redis_mb: float
    state_mb: float
    kafka_mb: float


class _Event(msgspec.Struct):
    time: str
    data: dict[str, Any] = {}


def rep_days(file: Path) -> tuple[int, int, int]:
    """How many events, reps, and days of a rep (those of UTC)."""
    decode = msgspec.json.Decoder(_Event).decode
    found: set[tuple[str, str]] = set()
    count = 0
    with file.open("rb") as lines:
        for line in lines:
            count += 1
            event = decode(line)
            if rep := event.data.get("rep_id"):
                found.add((rep, event.time[:10]))
    return count, len({rep for rep, _ in found}), len(found)


def write_floor(file: Path, count: int, reps: int, floors: int) -> None:
    """The newest events of a floor that lives until now, and of as many more that do the same at the same time."""
    days = count // (floors * reps * EVENTS_PER_REP_AND_DAY) + 8
    events = Floor.with_history(1, now_us(), demo_settings(), days=days, reps=reps)[1][-(count // floors) :]
    with file.open("wb") as lines:
        for event in events:
            lines.write(event.value + b"\n")
            for number in range(1, floors):
                lines.write(ID.sub(rb'"\1":"%d-' % number, event.value) + b"\n")


def ask(port: int) -> tuple[dict[str, int], int]:
    """Events by what became of them, and records that are not committed yet."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            page = answer.read().decode()
    except OSError:
        return {}, 0
    outcomes: dict[str, int] = defaultdict(int)
    lag = 0
    for family in text_string_to_metric_families(page):
        for one in family.samples:
            if one.name == "funnelwatch_events_total":
                outcomes[one.labels["result"]] += int(one.value)
            elif one.name == "funnelwatch_consumer_lag_records":
                lag += int(one.value)
    return dict(outcomes), lag


def wait(worker: ServerProcess, port: int, count: int) -> dict[str, int]:
    """Until so many events are counted and nothing is left to commit; what became of them."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if not worker.running:
            raise SystemExit(f"the worker ended: {worker.last_lines()}")
        outcomes, lag = ask(port)
        if sum(outcomes.values()) >= count and not lag:
            return outcomes
        time.sleep(POLL_SECONDS)
    raise SystemExit(f"{outcomes} of {count} events after {PATIENCE_SECONDS:g} s. {worker.last_lines()}")


def written(port: int) -> int:
    """How often anything was published in Redis."""
    with redis.Redis(port=port) as client:
        return sum(int(client.hget(key, "seq") or 0) for key in client.scan_iter(match="*:meta", count=1_000))


def settle(port: int) -> float:
    """When the last figure was published: nothing was for some seconds after it."""
    seen, at = written(port), time.monotonic()
    while time.monotonic() < at + QUIET_SECONDS:
        time.sleep(POLL_SECONDS)
        if (now := written(port)) != seen:
            seen, at = now, time.monotonic()
    return at


def measure(root: Path, file: Path, options: list[str]) -> Told:
    count, reps, days = rep_days(file)
    with EmbeddedKafka(root / "kafka", *free_ports(2)) as kafka, EmbeddedRedis(root / "redis", *free_ports(1)) as store:
        settings: Settings = msgspec.structs.replace(
            demo_settings(),
            kafka=KafkaSettings(bootstrap=(kafka.bootstrap,)),
            redis=RedisSettings(port=store.port),
            worker=WorkerSettings(data_dir=str(root / "state"), port=free_ports(1)[0]),
        )
        configuration = root / "year.toml"
        configuration.write_text(as_toml(settings))
        environment = {name: text for name, text in os.environ.items() if not name.startswith("FUNNELWATCH_")}
        command = [sys.executable, "-m", "funnelwatch"]
        subprocess.run([*command, "topics", "--config", str(configuration)], check=True, capture_output=True)
        worker = ServerProcess(
            "worker", [*command, "worker", "--config", str(configuration)], root / "log", environment
        )
        worker.start()
        try:
            wait(worker, settings.worker.port, 0)
            time.sleep(OPENING_SECONDS)
            assert worker.pid is not None
            assert kafka.pid is not None
            assert store.pid is not None
            pids = {"worker": worker.pid, "broker": kafka.pid, "Redis": store.pid}
            before, began, load = (
                {name: cpu_seconds(pid) for name, pid in pids.items()},
                time.monotonic(),
                os.getloadavg(),
            )
            children = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([*command, "replay", "--config", str(configuration), *options, str(file)], check=True)
            published = time.monotonic() - began
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            outcomes = wait(worker, settings.worker.port, count)
            seconds = settle(store.port) - began
            costs = {name: cpu_seconds(pid) - before[name] for name, pid in pids.items()}
            costs["replay"] = after.ru_utime + after.ru_stime - children.ru_utime - children.ru_stime
            if outcomes["applied"] != count:
                raise SystemExit(f"of {count:,} events: {outcomes}")
            peak, stored = peak_mb(worker.pid), redis_mb(store.port)
        finally:
            worker.stop()
        disk = sum(one.stat().st_size for one in (root / "state").rglob("*") if one.is_file()) / 1e6
        log = sum(one.stat().st_blocks * 512 for one in (root / "kafka").rglob("*.log")) / 1e6
    return Told(
        events=count,
        reps=reps,
        rep_days=days,
        bytes_each=round(file.stat().st_size / count, 1),
        load_before=round(load[0], 1),
        published_seconds=round(published, 1),
        seconds=round(seconds, 1),
        cpu={name: round(cost / count * 1e6, 2) for name, cost in costs.items()},
        worker_mb=round(peak, 1),
        redis_mb=round(stored, 1),
        state_mb=round(disk, 1),
        kafka_mb=round(log, 1),
    )


def text(told: Told) -> str:
    costs = ", ".join(f"{name} {cost:.1f}" for name, cost in told.cpu.items())
    year = told.seconds * YEAR_EVENTS / told.events / 60
    speed = told.events / told.seconds
    lines = [
        f"{told.events:,} events of {told.reps:,} reps, {told.bytes_each:.0f} bytes each, on {told.rep_days:,} days",
        f"{os.cpu_count()} cores, load average before {told.load_before}",
        f"published after {told.published_seconds} s, in the figures after {told.seconds} s: {speed:,.0f} events/s",
        f"CPU s per million: {costs}",
        f"memory, MB: worker {told.worker_mb:.0f} at most, Redis {told.redis_mb:.0f}",
        f"on the disk, MB: worker {told.state_mb:.0f}, Kafka {told.kafka_mb:.0f}",
        f"by proportion, {YEAR_EVENTS:,} events: {year:.1f} minutes (not measured)",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--reps", type=int, default=500, help="of a floor")
    parser.add_argument("--floors", type=int, default=1, help="beside each other")
    parser.add_argument("--file", type=Path, help="kept, and taken if it is there")
    parser.add_argument("--pack", help="of funnelwatch replay")
    parser.add_argument("--results", type=Path, help="JSON lines, appended")
    parser.add_argument("--only-write", action="store_true", help="the file")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that what was started is stopped
    logging.disable(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        file = arguments.file or Path(folder) / "floor.ndjson"
        if not file.exists():
            write_floor(file, arguments.events, arguments.reps, arguments.floors)
        if not arguments.only_write:
            told = measure(Path(folder), file, ["--pack", arguments.pack] if arguments.pack else [])
            print(text(told))
            if arguments.results:
                write_results(arguments.results, told)


if __name__ == "__main__":
    main()
