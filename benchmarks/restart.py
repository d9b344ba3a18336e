"""How long a worker needs until it folds the first new event, with its disk lost and with its disk; its memory.

    uv run --extra embedded python benchmarks/restart.py [--entities N] [--open N] [--reps N] [--rounds N]

Rows of deals, made by the product's own fold, are written to the changelog (a million events would say the same and
take longer): open deals of the last weeks, and deals that were closed within two years. Then, in each round, with one
new event waiting: a worker starts on an empty disk with an empty Redis, is stopped in order, and starts again on its
disk.

Seconds run from the start of the process until its counter of events shows the new one (*folded*), and until the figure
of its deal is in Redis (*visible*). CPU is the process' own until then. Memory is what the process has resident: the
peak, and once everything is published and it has nothing to do.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random
from statistics import median
from typing import NamedTuple
from urllib.request import urlopen

import redis
from aiokafka import AIOKafkaProducer

from funnelwatch.agents import topics
from funnelwatch.agents.board.shards import shard_key
from funnelwatch.agents.clock import now_us
from funnelwatch.agents.demo.written import as_toml
from funnelwatch.agents.embedded import EmbeddedKafka, EmbeddedRedis, free_ports
from funnelwatch.agents.embedded.process import ServerProcess
from funnelwatch.agents.engine.changelog import batches
from funnelwatch.agents.partitioning import partition_of
from funnelwatch.schemas.encode import encode_event
from funnelwatch.schemas.events import DealData, Event, Kind
from funnelwatch.schemas.settings import (
    KafkaSettings,
    PipelineSettings,
    RedisSettings,
    Secrets,
    Settings,
    StageSettings,
    WorkerSettings,
)
from funnelwatch.streams.calendar import DAY_US
from funnelwatch.streams.cells import ItemCell, encode
from funnelwatch.streams.folds import FOLDS

PARTITIONS = 4
STAGES = ("qualification", "proposal", "negotiation")
OPEN_DAYS, CLOSED_DAYS = 40, 700
HOUR_US = 3_600_000_000
WON_SHARE = 0.4
SAY_ROWS = 100_000
LOOK_SECONDS = 0.02
REST_SECONDS = 3.0
PATIENCE_SECONDS = 600.0
_NOT_PASSED = ("FUNNELWATCH_", "PYTHONDONTWRITEBYTECODE")
_COMPILE = "import funnelwatch.agents.cli, funnelwatch.agents.engine.worker"
TICKS = os.sysconf("SC_CLK_TCK")
FOLDED = re.compile(r"^funnelwatch_events_total\{[^}]*\} ([1-9])", re.MULTILINE)


class Start(NamedTuple):
    """Of one start: seconds since the process began, CPU seconds, MB."""

    folded: float
    visible: float
    cpu: float
    peak_mb: float
    rest_mb: float

    def __str__(self) -> str:
        return f"{self.folded:9.1f}{self.visible:9.1f}{self.cpu:9.1f}{self.peak_mb:9.0f}{self.rest_mb:9.0f}"


HEAD = f"{'folded s':>9}{'visible':>9}{'CPU s':>9}{'peak MB':>9}{'rest MB':>9}"


def deal_events(random: Random, subject: str, rep: str, now: int, *, is_open: bool) -> Iterator[Event]:
    """The life of a deal: created, moved on, and won or lost unless it is open."""
    at = now - random.randrange(2, OPEN_DAYS if is_open else CLOSED_DAYS) * DAY_US - random.randrange(DAY_US)
    amount = random.randrange(2_000_000, 900_000_000)
    first = DealData(
        rep_id=rep, stage=STAGES[0], amount=amount, currency="EUR", customer=f"Customer {random.randrange(5_000)}"
    )
    steps = [("created", first), ("stage_changed", DealData(stage=STAGES[1]))]
    if not is_open:
        is_won = random.random() < WON_SHARE
        lost = DealData(rep_id=rep, lost_reason=random.choice(("price", "timing")))
        steps.append(("won", DealData(rep_id=rep)) if is_won else ("lost", lost))
    for what, data in steps:
        yield Event(Kind.DEAL, f"deal.{what}", f"{subject}/{what}", "//crm.example", subject, at, data)
        at += random.randrange(1, 24) * HOUR_US


def rows(arguments: argparse.Namespace, now: int) -> Iterator[tuple[str, bytes]]:
    """Subject and row of each deal. ``--different`` of them differ; then they repeat, under other subjects."""
    fold, random = FOLDS[Kind.DEAL], Random(1)
    different = min(arguments.different or arguments.entities, arguments.entities)
    made: list[bytes] = []
    for number in range(arguments.entities):
        subject = f"deal-{number:07d}"
        if number < different:
            state = fold.empty()
            is_open = (
                number * arguments.open // arguments.entities != (number + 1) * arguments.open // arguments.entities
            )
            for event in deal_events(random, subject, f"rep-{number % arguments.reps}", now, is_open=is_open):
                fold.add(state, event)
            row = fold.encode(state)
            if different < arguments.entities:
                made.append(row)
        else:
            row = made[number % different]
        yield subject, row


async def write_changelog(settings: Settings, arguments: argparse.Namespace) -> None:
    await topics.ensure(settings, Secrets())
    topic, waiting = topics.changelog_topic(settings, Kind.DEAL), defaultdict(list)
    async with AIOKafkaProducer(
        bootstrap_servers=settings.kafka.bootstrap, acks="all", max_batch_size=900_000
    ) as producer:

        async def send(partition: int) -> None:
            for batch in batches(producer, waiting.pop(partition), []):
                await (await producer.send_batch(batch, topic, partition=partition))

        for number, (subject, row) in enumerate(rows(arguments, now_us()), start=1):
            partition = partition_of(subject, PARTITIONS)
            waiting[partition].append((subject.encode(), row))
            if len(waiting[partition]) == SAY_ROWS // PARTITIONS:
                await send(partition)
            if number % SAY_ROWS == 0:
                print(f"{number:,} rows made", file=sys.stderr, flush=True)
        for partition in list(waiting):
            await send(partition)


async def publish(settings: Settings, event: Event) -> None:
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka.bootstrap) as producer:
        topic = topics.input_topic(settings, event.kind)
        await producer.send_and_wait(topic, value=encode_event(event), key=event.subject.encode())


class Bench:
    """One broker, one Redis, one worker's directory."""

    def __init__(self, root: Path, arguments: argparse.Namespace) -> None:
        self.root = root
        self.kafka = EmbeddedKafka(root / "kafka", *free_ports(2))
        self.redis = EmbeddedRedis(root / "redis", *free_ports(1))
        self.settings = Settings(
            pipelines=(PipelineSettings("default", tuple(StageSettings(name, 24.0) for name in STAGES)),),
            kafka=KafkaSettings(bootstrap=(self.kafka.bootstrap,), group="restart", partitions=PARTITIONS),
            redis=RedisSettings(port=self.redis.port, prefix="restart"),
            worker=WorkerSettings(data_dir=str(root / "worker"), port=free_ports(1)[0], fold=arguments.fold),
        )
        self.configuration = root / "worker.toml"
        self.configuration.write_text(as_toml(self.settings))
        self.starts = 0
        self.environment = {name: text for name, text in os.environ.items() if not name.startswith(_NOT_PASSED)}
        self.environment["PYTHONPYCACHEPREFIX"] = str(root / "bytecode")
        subprocess.run([sys.executable, "-c", _COMPILE], env=self.environment, check=True)  # as where it is installed

    def lose_disk(self) -> None:
        shutil.rmtree(self.settings.worker.data_dir, ignore_errors=True)
        with redis.Redis(port=self.redis.port) as client:
            client.flushdb()

    def start(self) -> Start:
        """Start a worker with a new event waiting, watch it, and stop it in order."""
        self.starts += 1
        data = DealData(rep_id="rep-0", stage=STAGES[0], amount=10_000, currency="EUR")
        subject = f"new-{self.starts}"
        event = Event(Kind.DEAL, "deal.created", f"{subject}/created", "//crm.example", subject, now_us(), data)
        asyncio.run(publish(self.settings, event))
        command = [sys.executable, "-m", "funnelwatch", "worker", "--config", str(self.configuration)]
        worker = ServerProcess("worker", command, self.root / f"worker-{self.starts}.log", self.environment)
        began = time.monotonic()
        worker.start()
        try:
            folded = self._wait(worker, began, self._has_folded)
            visible = self._wait(worker, began, lambda: self._shows(event))
            assert worker.pid is not None
            cpu = cpu_seconds(worker.pid)
            time.sleep(REST_SECONDS)
            return Start(folded, visible, cpu, memory_mb(worker.pid, "VmHWM"), memory_mb(worker.pid, "VmRSS"))
        finally:
            worker.stop(60.0)

    def _wait(self, worker: ServerProcess, began: float, done: Callable[[], bool]) -> float:
        while not done():
            spent = time.monotonic() - began
            if not worker.running or spent > PATIENCE_SECONDS:
                raise SystemExit(f"the new event was not seen in {spent:.0f} s: {worker.last_lines()}")
            time.sleep(LOOK_SECONDS)
        return time.monotonic() - began

    def _has_folded(self) -> bool:
        try:
            with urlopen(f"http://127.0.0.1:{self.settings.worker.port}/metrics", timeout=30) as answer:
                return FOLDED.search(answer.read().decode()) is not None
        except OSError:
            return False

    def _shows(self, event: Event) -> bool:
        key = shard_key("restart", Kind.DEAL, partition_of(event.subject, PARTITIONS), "cells")
        with redis.Redis(port=self.redis.port) as client:
            return bool(client.hexists(key, encode(ItemCell("rep-0", "open_deal", event.subject))))


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_mb(pid: int, name: str) -> float:
    """``VmRSS``: what the process has in memory; ``VmHWM``: the most it ever had."""
    return int(Path(f"/proc/{pid}/status").read_text().partition(f"{name}:")[2].split()[0]) / 1_024


def arguments_of(line: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entities", type=int, default=1_000_000, help="deals in the changelog")
    parser.add_argument("--open", type=int, default=200_000, help="so many of them are open")
    parser.add_argument("--reps", type=int, default=500, help="who have them")
    parser.add_argument("--different", type=int, default=0, help="rows that differ (0: all); fewer are made faster")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--fold", choices=("compiled", "python"), default="compiled", help="worker.fold")
    return parser.parse_args(line)


def main() -> None:
    arguments = arguments_of()
    logging.disable(logging.ERROR)  # new topics' leaders are not known at once: aiokafka says so and tries again
    found: dict[str, list[Start]] = {"lost disk": [], "same disk": []}
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), arguments)
        with bench.kafka, ExitStack() as stack:
            bench.redis.start()
            stack.callback(bench.redis.stop)
            asyncio.run(write_changelog(bench.settings, arguments))
            print(f"{'':24}{HEAD}", flush=True)
            for number in range(arguments.rounds):
                for name, starts in found.items():
                    load = os.getloadavg()[0]
                    if name == "lost disk":
                        bench.lose_disk()
                    starts.append(bench.start())
                    print(f"{number + 1}: {name:21}{starts[-1]}   load before {load:.1f}", flush=True)
    print(
        f"median of {arguments.rounds}: {arguments.entities:,} deals, {arguments.open:,} open, {arguments.reps} reps, "
        f"{PARTITIONS} partitions, {os.cpu_count()} cores"
    )
    for name, starts in found.items():
        print(f"{name:24}{Start(*map(median, zip(*starts, strict=True)))}")


if __name__ == "__main__":
    main()
