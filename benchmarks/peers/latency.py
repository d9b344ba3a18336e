"""How soon a figure shows an event, at a steady rate: events of now are sent, and the place of the figures is watched.

A figure that counts the events of a rep and day shows the i-th event sent for them when it first says i or more. Where
it is looked for: the topic a peer writes its rows to; of Funnelwatch the note about the cell on Redis' channel, by
which every board learns of it, and of the board the document of one rep, asked for over HTTP again and again while a
deal of that rep is awaited. Sending, watching and the time between the two are in this one process.
"""

from __future__ import annotations

import asyncio
import contextlib
import http
import os
import random
import shutil
import sys
import time
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from statistics import quantiles
from typing import Any

import aiohttp
import msgspec
import redis.asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from funnelwatch.agents.board.shards import changes_channel, decode_changes, decode_note
from funnelwatch.agents.embedded.process import ServerProcess
from funnelwatch.agents.partitioning import partition_of
from funnelwatch.agents.topics import input_topic
from funnelwatch.schemas.document import Document
from funnelwatch.streams.cells import DayCell
from peers import ours
from peers.catch_up import Bench, start, stopped
from peers.measuring import cpu_seconds
from peers.processes import Job, WorkerJob
from peers.systems import BOARD, System
from peers.workload import REPS, as_wire, decode, iso, weights

RATE = 2_000
TICK_SECONDS = 0.005
SKIPPED_SECONDS = 8.0
"""At the beginning: programs warm up."""
WARM_EVENTS = 20_000
SETTLE_SECONDS = 5.0
TAIL_SECONDS = 40.0
PATIENCE_SECONDS = 120.0
ASKED_REP = "rep_asked"
ASKED_EVERY = 50
"""Every so many events, one event is of the rep whose document the board is asked for."""
ASK_SECONDS = 0.001


class Latency(msgspec.Struct, kw_only=True):
    """One measurement; times in ms. ``cores``: of the system's own processes meanwhile."""

    part: str = "latency"
    system: str
    at: str
    load_before: float
    rate: int = 0
    sent: int = 0
    shown: int = 0
    p50: float = 0.0
    p99: float = 0.0
    cores: float = 0.0
    sender_late_ms: float = 0.0
    trouble: str = ""


class Watch:
    """When events of each place were sent, and when its figure showed them."""

    def __init__(self) -> None:
        self._sent: dict[str, list[float]] = defaultdict(list)
        self._shown: dict[str, int] = {}
        self.delays: list[tuple[float, float]] = []
        """(when sent, seconds until shown)."""
        self.count = 0
        """How many were sent."""

    def sent(self, place: str) -> None:
        self._sent[place].append(time.time())
        self.count += 1

    def shows(self, place: str, count: int) -> None:
        """The figure of a place counts so many events."""
        sent = self._sent.get(place)
        if sent is None:
            return
        now, before, until = time.time(), self._shown.get(place, 0), min(count, len(sent))
        if until > before:
            self.delays += [(at, now - at) for at in sent[before:until]]
            self._shown[place] = until


def _event(number: int, rep: str, at: float) -> bytes:
    return (
        f'{{"event_id":"{uuid.uuid4()}","type":"deal.created","deal_id":"deal_L{number:08d}","rep_id":"{rep}",'
        f'"team_id":"team_01","account_id":"acc_000001","stage":"lead","amount":100.50,"currency":"EUR",'
        f'"occurred_at":"{iso(int(at * 1000))}","source":"crm-web","schema":1}}'
    ).encode()


async def _send(bench: Bench, system: System, topic: str, seconds: float, watch: Watch) -> float:
    """Send at the rate; by how much the sender was late at worst (s)."""
    chance, cumulated, late, number = random.Random(7), weights(), 0.0, 0
    each_tick = int(RATE * TICK_SECONDS)
    async with AIOKafkaProducer(bootstrap_servers=bench.broker.bootstrap) as producer:
        partitions = len(await producer.partitions_for(topic))
        began = time.time()
        for tick in range(int(seconds / TICK_SECONDS)):
            wait = began + tick * TICK_SECONDS - time.time()
            late = max(late, -wait)
            await asyncio.sleep(max(0.0, wait))
            for rep in chance.choices(range(REPS), cum_weights=cumulated, k=each_tick):
                is_asked = system is BOARD and number % ASKED_EVERY == 0
                event = _event(number, ASKED_REP if is_asked else f"rep_{rep:04d}", time.time())
                number += 1
                deal = decode(event)
                home = partition_of(deal.deal_id, partitions)
                if is_asked:
                    watch.sent(ASKED_REP)
                elif system is not BOARD:
                    watch.sent(f"{deal.rep_id}|{deal.occurred_at[:10]}" + (f"|{home}" if system.ours else ""))
                key = deal.deal_id.encode()
                await producer.send(topic, as_wire(event) if system.ours else event, key, partition=home)
    return late


@contextlib.asynccontextmanager
async def _watching(watcher: Awaitable[None]) -> AsyncIterator[None]:
    task = asyncio.ensure_future(watcher)
    await asyncio.sleep(1.0)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _watch_topic(bench: Bench, topic: str, watch: Watch) -> None:
    async with AIOKafkaConsumer(topic, bootstrap_servers=bench.broker.bootstrap, group_id=None) as consumer:
        async for record in consumer:
            place = record.key.decode().strip('"')
            watch.shows(place, msgspec.json.decode(record.value)["n"])


async def _watch_redis(bench: Bench, prefix: str, watch: Watch) -> None:
    async with redis.asyncio.Redis(port=bench.redis_port) as client, client.pubsub() as channel:
        await channel.subscribe(changes_channel(prefix))
        async for message in channel.listen():
            note = decode_note(message["data"]) if message["type"] == "message" else None
            if note is None or note.op != "set":
                continue
            for cell, value in decode_changes(note.payload).items():
                if isinstance(cell, DayCell) and isinstance(value, dict):
                    watch.shows(f"{ours.key(cell.rep, cell.day)}|{note.partition}", _count(value))


async def _watch_board(address: str, watch: Watch) -> None:
    async with aiohttp.ClientSession(address) as client:
        while True:
            if watch.count == len(watch.delays):
                await asyncio.sleep(ASK_SECONDS)
                continue
            async with client.get(f"/api/v1/reps/{ASKED_REP}") as answer:
                if answer.status == http.HTTPStatus.OK:
                    watch.shows(ASKED_REP, msgspec.json.decode(await answer.read(), type=Document).funnel.open_deals)


def _count(value: dict[Any, int]) -> int:
    """Events so far: here every event creates a deal."""
    return value.get(("n",), 0) or value.get(("created", "default"), 0)


def run(system: System, bench: Bench, installed: Path, seconds: float, say: Callable[[str], None]) -> Latency:
    """One measurement of a system."""
    app = f"latency-{system.name}-{uuid.uuid4().hex[:6]}"
    prefix = f"{app}." if system.ours else ""
    is_ours = bool(system.ours)
    result = Latency(
        system=system.name, at=time.strftime("%Y-%m-%dT%H:%M:%S"), load_before=round(os.getloadavg()[0], 1)
    )
    topic = input_topic(ours.settings(bench.broker, bench.redis_port, prefix, app, bench.folder), ours.KIND)
    topic = topic if is_ours else f"{app}-in"
    bench.broker.create([topic])
    change = as_wire if is_ours else bytes
    values = bench.warm_values(WARM_EVENTS)
    warm = bench.broker.publish(topic, ((decode(value).deal_id, change(value)) for value in values))
    jobs = start(system, bench, app, topic=topic, prefix=prefix, installed=installed, workers=1)
    try:
        with stopped(jobs, []):
            deadline = time.time() + PATIENCE_SECONDS
            while jobs[0].look() < warm:
                if time.time() > deadline or not jobs[0].running:
                    result.trouble = f"only {jobs[0].look()} of {warm} events to warm up were through"
                    return result
                time.sleep(0.1)
            with _board(system, bench, jobs[0]) as pids:
                time.sleep(SETTLE_SECONDS)
                say(f"{system.name}: {RATE:,} events a second for {seconds:g} s")
                asyncio.run(_measure(system, bench, app, result, topic=topic, seconds=seconds, pids=pids, job=jobs[0]))
    finally:
        bench.broker.remove(app)
        ours.forget(bench.redis_port)
        shutil.rmtree(bench.folder / app, ignore_errors=True)
    return result


@contextlib.contextmanager
def _board(system: System, bench: Bench, job: Job) -> Iterator[list[int]]:
    """The processes that are measured: with a board, if it is to be asked."""
    if system is not BOARD:
        yield [job.pid]
        return
    assert isinstance(job, WorkerJob)
    configuration = job.data.with_suffix(".toml")
    command = [sys.executable, "-m", "funnelwatch", "board", "--config", str(configuration)]
    board = ServerProcess("board", command, bench.folder / "logs" / "board.log")
    board.start()
    try:
        assert board.pid is not None
        yield [job.pid, board.pid]
    finally:
        board.stop()


def _watcher(system: System, bench: Bench, app: str, watch: Watch, job: Job) -> Awaitable[None]:
    if system is BOARD:
        assert isinstance(job, WorkerJob)
        return _watch_board(f"http://127.0.0.1:{job.settings.board.port}", watch)
    return _watch_redis(bench, app, watch) if system.ours else _watch_topic(bench, f"{app}-out", watch)


async def _measure(
    system: System,
    bench: Bench,
    app: str,
    result: Latency,
    *,
    topic: str,
    seconds: float,
    pids: list[int],
    job: Job,
) -> None:
    watch = Watch()
    async with _watching(_watcher(system, bench, app, watch, job)):
        began, spent = time.time(), cpu_seconds(pids)
        late = await _send(bench, system, topic, seconds, watch)
        elapsed = time.time() - began
        result.sent = watch.count
        result.cores = round((cpu_seconds(pids) - spent) / elapsed, 3)
        until = time.time() + TAIL_SECONDS
        while len(watch.delays) < result.sent and time.time() < until:  # noqa: ASYNC110  (or until a time)
            await asyncio.sleep(0.1)
    result.rate, result.shown, result.sender_late_ms = (
        round(int(seconds / TICK_SECONDS) * int(RATE * TICK_SECONDS) / elapsed),
        len(watch.delays),
        late * 1e3,
    )
    delays = [delay for at, delay in watch.delays if at >= began + SKIPPED_SECONDS]
    if len(delays) > 1:
        cuts = quantiles(delays, n=100)
        result.p50, result.p99 = round(cuts[49] * 1e3, 1), round(cuts[98] * 1e3, 1)
    if result.shown < result.sent:
        result.trouble = f"{result.sent - result.shown} of {result.sent} events were never shown"
