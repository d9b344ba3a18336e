"""A worker as a process of its own, what it must have published, and what it has."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import msgspec
import redis
from prometheus_client.parser import text_string_to_metric_families

from funnelwatch.agents import topics
from funnelwatch.agents.board.shards import shard_key
from funnelwatch.agents.engine.judging import Judge
from funnelwatch.agents.packing import Packer
from funnelwatch.agents.partitioning import partition_of
from funnelwatch.agents.publisher import Publisher
from funnelwatch.schemas.codec import UNLIMITED, decode
from funnelwatch.schemas.events import Event, Kind
from funnelwatch.schemas.settings import Secrets, Settings
from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.cells import Cell, CellValue, decode_cell, decode_value
from funnelwatch.streams.context import Context
from funnelwatch.streams.folds import FOLDS
from funnelwatch.streams.shard import ShardCells
from funnelwatch.streams.simulator import Floor, Published

Shards = dict[tuple[Kind, int], dict[Cell, CellValue]]

_RUN = """
import sys, base64, msgspec
from funnelwatch.agents.engine.worker import run
from funnelwatch.schemas.settings import Secrets, Settings
sys.exit(run(msgspec.msgpack.decode(base64.b64decode(sys.argv[1]), type=Settings), Secrets()))
"""


class WorkerProcess:
    """Starts, kills and stops one worker; its log is a file beside its data directory."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.log = Path(settings.worker.data_dir + ".log")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> WorkerProcess:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        packed = base64.b64encode(msgspec.msgpack.encode(self.settings)).decode()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen([sys.executable, "-c", _RUN, packed], stdout=log, stderr=log)
        return self

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return None if self._process is None else self._process.poll()

    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """As a power cut would: nothing is committed, nothing is said."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def stop(self) -> int:
        """In order, by SIGTERM; the exit code."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()
        return self._process.returncode

    def page(self) -> str:
        with urlopen(f"http://127.0.0.1:{self.settings.worker.port}/metrics", timeout=5) as answer:
            return answer.read().decode()

    def is_ready(self) -> bool:
        """Whether it has its partitions and publishes."""
        try:
            with urlopen(f"http://127.0.0.1:{self.settings.worker.port}/readyz", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def counters(self) -> dict[str, int]:
        """applied, unchanged and refused, over all input topics; 0 as long as the worker does not answer."""
        totals = dict.fromkeys(("applied", "unchanged", "refused"), 0)
        try:
            page = self.page()
        except OSError:
            return totals
        for family in text_string_to_metric_families(page):
            if family.name == "funnelwatch_events":
                for sample in family.samples:
                    if sample.name.endswith("_total"):
                        totals[sample.labels["result"]] += int(sample.value)
        return totals


def floor_events(seed: int, settings: Settings, *, days: int, reps: int) -> list[Published]:
    """A simulated floor's events of all kinds, up to a fixed instant."""
    until = 1_760_000_000_000_000
    return Floor.with_history(seed, until, settings, days=days, reps=reps)[1]


async def publish(settings: Settings, events: Iterable[Published], pack: int = 1) -> None:
    topic_of = {kind: topics.input_topic(settings, kind) for kind in Kind}
    packer = Packer(topic_of, settings.kafka.partitions, pack)
    async with Publisher(settings, Secrets()) as publisher:
        for event in events:
            packer.add(topic_of[event.kind], event.subject.encode(), event.value)
            for message in packer.take():
                await publisher.send(*message)
        packer.close()
        for message in packer.take():
            await publisher.send(*message)


def expected(settings: Settings, values: Iterable[tuple[Kind, bytes]]) -> Shards:
    """The pure path: every event folded into its entity, links told, contributions summed by partition."""
    calendar = Calendar(settings.calendar)
    context = Context(settings, calendar)
    judge = Judge(settings)
    states: dict[tuple[Kind, str], Any] = {}
    for kind, value in values:
        for event in decode(kind, value, (), UNLIMITED):
            if isinstance(event, Event):
                FOLDS[kind].add(states.setdefault((kind, event.subject), FOLDS[kind].empty()), event)
    links = [link for (kind, subject), state in states.items() for link in FOLDS[kind].links(subject, state)]
    for link in links:
        fold = FOLDS[link.target]
        fold.add_link(states.setdefault((link.target, link.target_id), fold.empty()), link)
    shards: dict[tuple[Kind, int], ShardCells] = {}
    homes = defaultdict(list)
    for kind, subject in states:
        homes[kind, partition_of(subject, settings.kafka.partitions)].append(subject)
    for (kind, partition), subjects in homes.items():
        fold, cells = FOLDS[kind], ShardCells(calendar, settings.recordings_days)
        for subject in subjects:
            cells.see(fold.newest(states[kind, subject]))
        now = judge.shard_now(0, cells.newest)
        if now is not None:
            cells.advance_to(now)
        for subject in subjects:
            cells.add(None, fold.contribution(subject, states[kind, subject], context))
        shards[kind, partition] = cells
    return {shard: cells.all_cells() for shard, cells in shards.items() if cells.all_cells()}


def published(settings: Settings, client: redis.Redis) -> Shards:
    """What Redis holds."""
    found: Shards = {}
    for kind in Kind:
        for partition in range(settings.kafka.partitions):
            fields = client.hgetall(shard_key(settings.redis.prefix, kind, partition, "cells"))
            if fields:
                cells = {decode_cell(field): value for field, value in fields.items()}
                found[kind, partition] = {cell: decode_value(cell, value) for cell, value in cells.items()}
    return found


def differences(wanted: Shards, found: Shards) -> list[str]:
    """One line for each cell that differs."""
    lines = []
    for shard in sorted(wanted.keys() | found.keys(), key=str):
        mine, theirs = wanted.get(shard, {}), found.get(shard, {})
        lines += [
            f"{shard} {cell}: wanted {mine.get(cell)}, found {theirs.get(cell)}"
            for cell in mine.keys() | theirs.keys()
            if mine.get(cell) != theirs.get(cell)
        ]
    return lines


def wait_until(true: Callable[[], bool], seconds: float, what: str) -> None:
    """Ask until it is so.

    Raises:
        AssertionError: It was not so in time.
    """
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.1)
