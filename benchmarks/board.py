"""The shipped board with many reps: its CPU while some change each second, its API under load, its metrics page.

    uv run --extra embedded python benchmarks/board.py [--reps N] [--changing SHARE] [--rate N] [--seconds S] [--days D]

A floor of 100 reps is simulated and folded, and its cells are published in an embedded Redis as workers publish them,
once for each hundred reps asked for. Then, each second, a share of the reps has one more call. First the board's CPU is
taken with nothing else to do; then documents of reps chosen at random are asked for at a fixed rate, each timed from
when it was due; then the metrics page is read, while documents are asked for at a tenth of that rate.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from statistics import quantiles
from typing import Any, NamedTuple
from urllib.parse import quote
from urllib.request import urlopen

import aiohttp
import redis.asyncio
from detectors import Memory
from msgspec.structs import replace
from worker import cpu_seconds, peak_mb

from funnelwatch.agents import topics
from funnelwatch.agents.clock import now_us
from funnelwatch.agents.demo.written import as_toml
from funnelwatch.agents.embedded import EmbeddedKafka, EmbeddedRedis, free_ports
from funnelwatch.agents.embedded.process import ServerProcess
from funnelwatch.agents.engine.shard_store import FIELDS_PER_CALL, Answer, ShardStore
from funnelwatch.agents.engine.shards import Shard
from funnelwatch.schemas.configuration import load
from funnelwatch.schemas.events import Kind
from funnelwatch.schemas.settings import BoardSettings, KafkaSettings, RedisSettings, Secrets, Settings
from funnelwatch.streams.cells import MINUTE_US, AdvanceCell, Cell, CellValue, DayCell, ItemCell, MinuteCell
from funnelwatch.streams.simulator import Floor, demo_settings

PEOPLE = 100
PARTITIONS = 4
CONNECTIONS = 32
READY_SECONDS = 900.0
SETTLE_SECONDS = 1_800.0
ONE_CALL = ("call", "outbound", 1, "connected")


class Cells:
    """What `Shard` needs of its cells here."""

    def __init__(self) -> None:
        self.newest: int | None = now_us()


class Load(NamedTuple):
    """Milliseconds of answers, and how many were none."""

    asked: int
    failed: int
    p50: float
    p99: float
    longest: float


def template(settings: Settings, days: int) -> dict[Kind, dict[Cell, CellValue]]:
    """The cells of one floor as of now, by kind."""
    now = now_us()
    memory = Memory(settings)
    memory.take(Floor.with_history(1, now, settings, days=days, reps=PEOPLE)[1])
    for shard in memory.shards.values():
        shard.advance_to(now)
    return {kind: shard.all_cells() for kind, shard in memory.shards.items()}


def copied(cell: Cell, number: int) -> Cell:
    """The same cell of another person."""
    rep = f"{cell.rep}~{number}"
    if isinstance(cell, ItemCell):
        return ItemCell(rep, cell.type, rep if cell.type == "rep" else f"{cell.id}~{number}")
    return AdvanceCell(rep) if isinstance(cell, AdvanceCell) else replace(cell, rep=rep)


class Publisher:
    """Stands for the workers: puts all cells in place, then changes some each second."""

    def __init__(self, settings: Settings, cells: dict[Kind, dict[Cell, CellValue]], copies: int) -> None:
        self.client = redis.asyncio.Redis(port=settings.redis.port)
        self.store = ShardStore(self.client, settings.redis.prefix, "bench", settings.fingerprint)
        self.shards = {
            (kind, partition): Shard(kind, partition, 1, Cells())  # type: ignore[arg-type]  # all that the store reads
            for kind in Kind
            for partition in range(PARTITIONS)
        }
        self.reps = [
            f"{cell.rep}~{number}" for number in range(copies) for cell in cells[Kind.REP] if isinstance(cell, ItemCell)
        ]
        self._cells = cells
        self._copies = copies
        self._calls: dict[Cell, int] = {}

    async def put_all(self) -> int:
        """How many cells that were."""
        total = 0
        for (kind, partition), shard in self.shards.items():
            assert await self.store.claim(shard) is Answer.TAKEN
            mine = (
                (copied(cell, number), value)
                for number in range(partition, self._copies, PARTITIONS)
                for cell, value in self._cells[kind].items()
            )
            while some := list(islice(mine, FIELDS_PER_CALL)):
                await self.store.stage(shard, some)
                total += len(some)
            await self.store.swap(shard, now_us())
        await self.beat()
        return total

    async def change(self, share: float, day: int, chosen: random.Random) -> None:
        """One more call of a share of the reps."""
        minute = now_us() // MINUTE_US
        for partition in range(PARTITIONS):
            mine = [rep for rep in self.reps if int(rep.rpartition("~")[2]) % PARTITIONS == partition]
            cells: dict[Cell, CellValue | None] = {}
            for rep in chosen.sample(mine, round(len(mine) * share)):
                for cell in (DayCell(rep, day), MinuteCell(rep, minute)):
                    before = self._cells[Kind.CALL].get(replace(cell, rep=rep.rpartition("~")[0]), {})
                    self._calls[cell] = self._calls.get(cell, 0) + 1
                    assert isinstance(before, dict)
                    cells[cell] = {**before, ONE_CALL: before.get(ONE_CALL, 0) + self._calls[cell]}
            shard, items = self.shards[Kind.CALL, partition], iter(cells.items())
            while some := dict(islice(items, FIELDS_PER_CALL)):
                assert await self.store.send([self.store.write(shard, some, now_us())]) == [Answer.OK]

    async def beat(self) -> None:
        for shard in self.shards.values():
            shard.cells.newest = now_us()
        await self.store.send([self.store.beat(shard, now_us(), now_us()) for shard in self.shards.values()])


def publish_for_ever(settings: Settings, days: int, copies: int, share: float, published: Any) -> None:
    """A process of its own."""
    cells = template(settings, days)
    memory = Memory(settings)

    async def run() -> None:
        publisher = Publisher(settings, cells, copies)
        published.put((await publisher.put_all(), publisher.reps))
        chosen = random.Random(1)
        while True:
            began = time.monotonic()
            await publisher.change(share, memory.calendar.day(now_us()), chosen)
            await publisher.beat()
            await asyncio.sleep(max(0.0, began + 1 - time.monotonic()))

    asyncio.run(run())


async def ask(base: str, reps: list[str], rate: float, seconds: float) -> Load:
    """Documents of reps chosen at random, at a rate that does not wait for answers."""
    chosen, took, failed = random.Random(2), [], 0
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def one(due: float) -> None:
            nonlocal failed
            async with session.get(f"{base}/api/v1/reps/{quote(chosen.choice(reps), safe='')}") as answer:
                await answer.read()
                failed += answer.status != 200
            took.append(time.monotonic() - due)

        began, tasks = time.monotonic(), []
        for number in range(int(rate * seconds)):
            due = began + number / rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            tasks.append(asyncio.create_task(one(due)))
        await asyncio.gather(*tasks)
    cuts = quantiles(took, n=100)
    return Load(len(took), failed, cuts[49] * 1e3, cuts[98] * 1e3, max(took) * 1e3)


def ask_apart(base: str, reps: list[str], rate: float, seconds: float) -> Load:
    """In a process of its own."""
    return asyncio.run(ask(base, reps, rate, seconds))


def until(found: Callable[[], bool], seconds: float, what: str) -> float:
    began = time.monotonic()
    while time.monotonic() < began + seconds:
        if found():
            return time.monotonic() - began
        time.sleep(0.5)
    raise SystemExit(f"not within {seconds:.0f} s: {what}")


def get(url: str) -> bytes:
    try:
        with urlopen(url, timeout=120) as answer:
            return answer.read()
    except OSError:
        return b""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reps", type=int, default=500, help="a multiple of 100")
    parser.add_argument("--changing", type=float, default=0.05, help="the share that changes each second")
    parser.add_argument("--rate", type=float, default=500, help="documents asked for each second")
    parser.add_argument("--seconds", type=float, default=20, help="of each part")
    parser.add_argument("--days", type=int, default=30, help="of history")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), arguments)


def measure(folder: Path, arguments: argparse.Namespace) -> None:
    store, board_port = free_ports(2)
    kafka = EmbeddedKafka(folder / "kafka", *free_ports(2))
    settings = replace(
        demo_settings(),
        kafka=KafkaSettings(bootstrap=(kafka.bootstrap,), partitions=PARTITIONS),
        redis=RedisSettings(port=store, prefix="bench"),
        board=BoardSettings(port=board_port, reps_max=max(20_000, arguments.reps)),
    )
    configuration = folder / "funnelwatch.toml"
    configuration.write_text(as_toml(settings))
    settings, _ = load(configuration.read_text(), {})  # as the board reads it, where whole numbers are floats
    copies = max(1, arguments.reps // PEOPLE)
    context = multiprocessing.get_context("spawn")
    published: Any = context.Queue()
    base = f"http://127.0.0.1:{board_port}"
    with kafka, EmbeddedRedis(folder / "redis", store):
        asyncio.run(topics.ensure(settings, Secrets()))
        workers = context.Process(
            target=publish_for_ever, args=(settings, arguments.days, copies, arguments.changing, published), daemon=True
        )
        workers.start()
        cells, reps = published.get(timeout=READY_SECONDS)
        print(f"{len(reps):,} reps, {cells:,} cells in Redis; load {os.getloadavg()[0]:.1f}", flush=True)
        environment = {name: text for name, text in os.environ.items() if not name.startswith("FUNNELWATCH_")}
        command = [sys.executable, "-m", "funnelwatch", "board", "--config", str(configuration)]
        board = ServerProcess("board", command, folder / "board.log", environment)
        board.start()
        try:
            report(board, base, reps, arguments)
        finally:
            board.stop()
            workers.terminate()


def report(board: ServerProcess, base: str, reps: list[str], arguments: argparse.Namespace) -> None:
    pid = board.pid
    assert pid is not None
    ready = until(lambda: b'"ready":true' in get(f"{base}/readyz"), READY_SECONDS, "the board is ready")
    whole = until(
        lambda: len(json.loads(get(f"{base}/api/v1/reps") or b"[]")) >= len(reps), SETTLE_SECONDS, "all documents made"
    )
    print(f"ready after {ready:.1f} s, all documents after {ready + whole:.1f} s, {peak_mb(pid):.0f} MB", flush=True)
    spent = cpu_seconds(pid)
    time.sleep(arguments.seconds)
    cores = (cpu_seconds(pid) - spent) / arguments.seconds
    print(f"{arguments.changing:.0%} of the reps changing each second: {cores:.2f} cores", flush=True)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        spent = cpu_seconds(pid)
        load = pool.apply(ask_apart, (base, reps, arguments.rate, arguments.seconds))
        cores = (cpu_seconds(pid) - spent) / arguments.seconds
        print(
            f"and {arguments.rate:g} documents asked for a second: p50 {load.p50:.1f} ms, p99 {load.p99:.1f} ms, "
            f"longest {load.longest:.0f} ms, {load.failed} of {load.asked} failed; {cores:.2f} cores",
            flush=True,
        )
        meanwhile = pool.apply_async(ask_apart, (base, reps, arguments.rate / 10, arguments.seconds))
        time.sleep(2)
        spent, began = cpu_seconds(pid), time.monotonic()
        page = get(f"{base}/metrics")
        took, cpu = time.monotonic() - began, cpu_seconds(pid) - spent
        series = sum(not line.startswith(b"#") for line in page.splitlines())
        load = meanwhile.get(timeout=300)
    print(
        f"/metrics: {series:,} series, {len(page) / 1e6:.1f} MB in {took:.2f} s, at most {cpu:.2f} s of CPU (with all "
        f"else that the board did); documents meanwhile p99 {load.p99:.1f} ms, longest {load.longest:.0f} ms",
        flush=True,
    )
    print(f"board {peak_mb(pid):.0f} MB at most", flush=True)


if __name__ == "__main__":
    main()
