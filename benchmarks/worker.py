"""The shipped worker on an embedded Kafka and Redis: catching up, what it costs, and how soon a figure is visible.

    uv run --extra embedded python benchmarks/worker.py [--events N] [--reps N] [--seconds S] [--fold compiled|python]

A repetition: a simulated floor (all five kinds) is published, a new worker catches up with it, then the limit reads
the same topics: aiokafka and our codec, sums in a dict, nothing kept. Then the floor goes on at a light load, and each
deal and lead that is created is timed from its sending until the note about its item arrives on Redis' channel.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import multiprocessing
import os
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple
from urllib.request import urlopen

import msgspec
import redis.asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from prometheus_client.parser import text_string_to_metric_families

from funnelwatch.agents import topics
from funnelwatch.agents.board.shards import changes_channel, decode_changes, decode_note
from funnelwatch.agents.clock import now_us
from funnelwatch.agents.demo.written import as_toml
from funnelwatch.agents.embedded import EmbeddedKafka, EmbeddedRedis, free_ports
from funnelwatch.agents.embedded.process import ServerProcess
from funnelwatch.agents.publisher import Publisher
from funnelwatch.schemas.codec import UNLIMITED, decode
from funnelwatch.schemas.events import Event, Kind
from funnelwatch.schemas.settings import KafkaSettings, RedisSettings, Secrets, Settings, WorkerSettings
from funnelwatch.streams.cells import ItemCell
from funnelwatch.streams.simulator import Floor, Published, demo_settings

PEOPLE = 100
EVENTS_PER_PERSON_AND_DAY = 33
"""With weekends."""
RATES = (500, 2_000)
POLL_SECONDS = 0.2
PATIENCE_SECONDS = 180.0
TICK_SECONDS = 0.005
SETTLE_SECONDS = 2.0
TICKS = os.sysconf("SC_CLK_TCK")


class CaughtUp(NamedTuple):
    """What catching up took; CPU in seconds per million events."""

    rate: float
    worker_cpu: float
    broker_cpu: float
    redis_cpu: float
    peak_mb: float


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def peak_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1_024


def floor_events(count: int, settings: Settings) -> list[Published]:
    """The newest ``count`` events of a floor that lives until now."""
    days = count // (PEOPLE * EVENTS_PER_PERSON_AND_DAY) + 8
    events = Floor.with_history(1, now_us(), settings, days=days, reps=PEOPLE)[1]
    if len(events) < count:
        raise SystemExit(f"the floor has only {len(events)} events in {days} days")
    return events[-count:]


async def publish(settings: Settings, events: list[Published]) -> None:
    await topics.ensure(settings, Secrets())
    async with Publisher(settings, Secrets()) as publisher:
        for event in events:
            await publisher.add(topics.input_topic(settings, event.kind), event.subject, event.value)


class Counts(NamedTuple):
    """What the worker says: events and links read, records not committed yet."""

    events: int
    links: int
    lag: int


def ask(port: int) -> Counts:
    try:
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            page = answer.read().decode()
    except OSError:
        return Counts(0, 0, 0)
    sums: dict[str, float] = defaultdict(float)
    for family in text_string_to_metric_families(page):
        sums[family.name] = sum(one.value for one in family.samples if not one.name.endswith("_created"))
    return Counts(*(int(sums[f"funnelwatch_{name}"]) for name in ("events", "links", "consumer_lag_records")))


def catch_up(worker: ServerProcess, port: int, count: int, servers: tuple[int, int]) -> CaughtUp:
    """From the last moment nothing was counted to the last one something was; CPU until everything is committed."""
    assert worker.pid is not None
    pids = (worker.pid, *servers)
    began, ended, seen, spent = 0.0, 0.0, Counts(0, 0, 0), (0.0, 0.0, 0.0)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if not worker.running:
            raise SystemExit(f"the worker ended: {worker.last_lines()}")
        now, cpu = time.monotonic(), tuple(map(cpu_seconds, pids))
        counts = ask(port)
        if not counts.events:
            began, spent = now, cpu
        elif (counts.events, counts.links) != (seen.events, seen.links):
            ended, seen = time.monotonic(), counts
        elif counts.events == count and not counts.lag:
            costs = [(cpu_seconds(pid) - before) / count * 1e6 for pid, before in zip(pids, spent, strict=True)]
            return CaughtUp(count / (ended - began), *costs, peak_mb(worker.pid))
        time.sleep(POLL_SECONDS)
    raise SystemExit(f"{seen.events} of {count} events after {PATIENCE_SECONDS:g} s. {worker.last_lines()}")


async def read_all(settings: Settings, count: int) -> tuple[float, float]:
    kinds = {topics.input_topic(settings, kind): kind for kind in Kind}
    sums: dict[tuple[str, int], int] = defaultdict(int)
    read = 0
    async with AIOKafkaConsumer(
        *kinds, bootstrap_servers=settings.kafka.bootstrap, auto_offset_reset="earliest", group_id=None
    ) as consumer:
        began, cpu = time.monotonic(), time.process_time()
        while read < count:
            for partition, records in (await consumer.getmany(timeout_ms=500)).items():
                kind = kinds[partition.topic]
                for record in records:
                    for event in decode(kind, record.value, record.headers, UNLIMITED):
                        assert isinstance(event, Event)
                        sums[event.type, event.at // 86_400_000_000] += 1
                        read += 1
        return count / (time.monotonic() - began), (time.process_time() - cpu) / count * 1e6


def read_limit(packed: bytes, count: int) -> tuple[float, float]:
    """Events per second, CPU seconds per million: in a process of its own."""
    return asyncio.run(read_all(msgspec.msgpack.decode(packed, type=Settings), count))


async def watch(
    settings: Settings, created: dict[str, float], delays: dict[str, float], listens: asyncio.Event
) -> None:
    """Note when each of the entities in ``created`` is first spoken of."""
    client = redis.asyncio.Redis(port=settings.redis.port)
    async with client, client.pubsub() as channel:
        await channel.subscribe(changes_channel(settings.redis.prefix))
        listens.set()
        async for message in channel.listen():
            if message["type"] != "message":
                continue
            arrived = time.monotonic()
            note = decode_note(message["data"])
            for cell in decode_changes(note.payload) if note.op == "set" else ():
                if isinstance(cell, ItemCell) and cell.id in created:
                    delays.setdefault(cell.id, arrived - created[cell.id])


async def measure_delays(settings: Settings, events: list[Published], rate: int) -> list[float]:
    """Seconds from the sending of what is created until it is announced, at ``rate`` events a second."""
    created: dict[str, float] = {}
    delays: dict[str, float] = {}
    listens = asyncio.Event()
    watching = asyncio.create_task(watch(settings, created, delays, listens))
    await listens.wait()
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka.bootstrap) as producer:
        for kind in Kind:
            await producer.partitions_for(topics.input_topic(settings, kind))  # or the first events would wait for it
        began, sent = time.monotonic(), 0
        while sent < len(events):
            due = min(len(events), int((time.monotonic() - began) * rate) + 1)
            for event in events[sent:due]:
                if event.kind in {Kind.DEAL, Kind.LEAD} and b'.created"' in event.value:
                    created[event.subject] = time.monotonic()
                topic = topics.input_topic(settings, event.kind)
                await producer.send(topic, value=event.value, key=event.subject.encode())
            sent = due
            await asyncio.sleep(TICK_SECONDS)
    await asyncio.sleep(SETTLE_SECONDS)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    if len(delays) < 0.95 * len(created) or len(delays) < 2:
        raise SystemExit(f"only {len(delays)} of {len(created)} created entities were announced")
    return list(delays.values())


class Bench:
    """One broker and one Redis; names and a directory of its own for each repetition."""

    def __init__(self, root: Path, arguments: argparse.Namespace) -> None:
        self.root = root
        self.arguments = arguments
        self.kafka = EmbeddedKafka(root / "kafka", *free_ports(2))
        self.redis = EmbeddedRedis(root / "redis", *free_ports(1))
        light = sum(int(rate * arguments.seconds) for rate in RATES)
        every = floor_events(arguments.events + light, demo_settings())
        self.events, self.later = every[: arguments.events], every[arguments.events :]
        self.caught_up: list[CaughtUp] = []
        self.limits: list[tuple[float, float]] = []
        self.delays: dict[int, list[list[float]]] = {rate: [] for rate in RATES}
        self.cores: dict[int, list[float]] = {rate: [] for rate in RATES}

    def settings(self, number: int) -> Settings:
        name = f"r{number}"
        return msgspec.structs.replace(
            demo_settings(),
            kafka=KafkaSettings(bootstrap=(self.kafka.bootstrap,), prefix=f"{name}.", group=name, partitions=4),
            redis=RedisSettings(port=self.redis.port, prefix=name),
            worker=WorkerSettings(data_dir=str(self.root / name), port=free_ports(1)[0], fold=self.arguments.fold),
        )

    def repeat(self, number: int) -> None:
        settings = self.settings(number)
        asyncio.run(publish(settings, self.events))
        configuration = self.root / f"{number}.toml"
        configuration.write_text(as_toml(settings))
        environment = {name: text for name, text in os.environ.items() if not name.startswith("FUNNELWATCH_")}
        command = [sys.executable, "-m", "funnelwatch", "worker", "--config", str(configuration)]
        worker = ServerProcess("worker", command, self.root / f"{number}.log", environment)
        worker.start()
        try:
            assert worker.pid is not None
            assert self.kafka.pid is not None
            assert self.redis.pid is not None
            servers = (self.kafka.pid, self.redis.pid)
            self.caught_up.append(catch_up(worker, settings.worker.port, len(self.events), servers))
            begin = 0
            for rate in RATES if self.arguments.seconds else ():
                end = begin + int(rate * self.arguments.seconds)
                spent = cpu_seconds(worker.pid)
                self.delays[rate].append(asyncio.run(measure_delays(settings, self.later[begin:end], rate)))
                self.cores[rate].append((cpu_seconds(worker.pid) - spent) / self.arguments.seconds)
                begin = end
        finally:
            worker.stop()
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            self.limits.append(pool.apply(read_limit, (msgspec.msgpack.encode(settings), len(self.events))))

    def table(self) -> str:
        rate, worker, broker, store, peak = map(median, zip(*self.caught_up, strict=True))
        limit_rate, limit_cpu = map(median, zip(*self.limits, strict=True))
        share = median(one.rate / limit[0] for one, limit in zip(self.caught_up, self.limits, strict=True))
        lines = [
            f"median of {len(self.caught_up)}, {len(self.events):,} events of all five kinds, {os.cpu_count()} cores",
            f"{'':24}{'events/s':>10}{'CPU s/M':>9}{'broker':>8}{'Redis':>7}{'peak MB':>9}",
            f"{'worker':24}{rate:10,.0f}{worker:9.1f}{broker:8.1f}{store:7.1f}{peak:9.0f}",
            f"{'limit, nothing durable':24}{limit_rate:10,.0f}{limit_cpu:9.1f}",
            f"{'share of the limit':24}{share:10.2f}{limit_cpu / worker:9.2f}",
        ]
        for at, runs in self.delays.items():
            if runs:
                cuts = [quantiles(run, n=100) for run in runs]
                p50, p99 = (median(cut[place] for cut in cuts) * 1e3 for place in (49, 98))
                cores, size = median(self.cores[at]), len(runs[0])
                lines.append(
                    f"visible at {at:,}/s: p50 {p50:.0f} ms, p99 {p99:.0f} ms ({size} timed), {cores:.2f} cores"
                )
        return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=200_000, help="to catch up with")
    parser.add_argument("--reps", type=int, default=3, help="repetitions")
    parser.add_argument("--seconds", type=float, default=6.0, help="of each light load; 0: none")
    parser.add_argument("--fold", choices=("compiled", "python"), default="compiled", help="worker.fold")
    arguments = parser.parse_args()
    logging.disable(logging.ERROR)  # new topics' leaders are not known at once: aiokafka says so and tries again
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), arguments)
        with bench.kafka, ExitStack() as stack:
            bench.redis.start()
            stack.callback(bench.redis.stop)
            for number in range(arguments.reps):
                load = os.getloadavg()[0]
                bench.repeat(number)
                one, limit = bench.caught_up[-1], bench.limits[-1]
                print(f"{number + 1}: {one.rate:,.0f}/s, {one.worker_cpu:.1f} CPU s/M; ", end="")
                print(f"limit {limit[0]:,.0f}/s, {limit[1]:.1f} CPU s/M; load before {load:.1f}", flush=True)
        print(bench.table())


if __name__ == "__main__":
    main()
