"""The shipped board with many reps: its CPU while some change each second, its API under load, its metrics page.

    uv run --extra embedded python benchmarks/board.py [--reps N] [--changing SHARE | --events N] [--open-deals N] ...

A floor of 100 reps is simulated and folded, and its cells are published in an embedded Redis as workers publish them,
once for each hundred reps asked for, and with as many more open deals as are asked for. Then, each second, a share of
the reps has one more call, or so many events come: each is one more deal of a rep. First the board's CPU is taken with
nothing else to do, and how old rows are; then documents of reps chosen at random are asked for at a fixed rate, each
timed from when it was due; then the metrics page is read, while documents are asked for at a tenth of that rate.
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
from collections.abc import Callable, Mapping
from datetime import datetime
from itertools import count, islice
from pathlib import Path
from statistics import quantiles
from typing import Any, NamedTuple
from urllib.parse import quote
from urllib.request import urlopen
from zlib import crc32

import aiohttp
import redis.asyncio
from msgspec.structs import replace
from worker import cpu_seconds, peak_mb

from funnelwatch.agents import topics
from funnelwatch.agents.clock import now_us
from funnelwatch.agents.demo.written import as_toml
from funnelwatch.agents.embedded import EmbeddedKafka, EmbeddedRedis, free_ports
from funnelwatch.agents.embedded.process import ServerProcess
from funnelwatch.agents.engine.shard_store import FIELDS_PER_CALL, Answer, ShardStore
from funnelwatch.agents.engine.shards import Shard
from funnelwatch.schemas.codec import Limits, decode
from funnelwatch.schemas.configuration import load
from funnelwatch.schemas.events import Event, Kind
from funnelwatch.schemas.settings import BoardSettings, KafkaSettings, RedisSettings, Secrets, Settings
from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.cells import (
    MINUTE_US,
    AdvanceCell,
    Cell,
    CellValue,
    Contribution,
    DayCell,
    ItemCell,
    MinuteCell,
    OpenDeal,
    published,
)
from funnelwatch.streams.context import Context
from funnelwatch.streams.folds import FOLDS
from funnelwatch.streams.shard import ShardCells
from funnelwatch.streams.simulator import Floor, demo_settings

PEOPLE = 100
PARTITIONS = 4
CONNECTIONS = 32
READY_SECONDS = 900.0
SETTLE_SECONDS = 1_800.0
ONE_CALL = ("call", "outbound", 1, "connected")
ONE_DEAL = ("created", "default")
STEP_SECONDS = 0.05
"""What happens in so long is published at once."""
BEAT_STEPS = 20


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
    """The cells of one floor as of now, by kind: all events of an entity first, then what it contributes, once."""
    now, calendar = now_us(), Calendar(settings.calendar)
    context = Context(settings, calendar)
    states: dict[tuple[Kind, str], Any] = {}

    def state(kind: Kind, subject: str) -> Any:
        return states.setdefault((kind, subject), FOLDS[kind].empty())

    for kind, _, value, _ in Floor.with_history(1, now, settings, days=days, reps=PEOPLE)[1]:
        for event in decode(kind, value, (), Limits()):
            assert isinstance(event, Event), event
            FOLDS[kind].add(state(kind, event.subject), event)
    for (kind, subject), own in list(states.items()):
        for link in FOLDS[kind].links(subject, own):
            FOLDS[link.target].add_link(state(link.target, link.target_id), link)
    shards = {kind: ShardCells(calendar, settings.recordings_days) for kind in Kind}
    for (kind, subject), own in states.items():
        shards[kind].add(Contribution(), FOLDS[kind].contribution(subject, own, context))
    for shard in shards.values():
        shard.see(now)
        shard.advance_to(now)
    return {kind: shard.all_cells() for kind, shard in shards.items()}


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
        self._calls: dict[tuple[Cell, int], int] = {}
        self._number = 0
        self._settings = settings

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
                await self.store.stage(shard, list(published(dict(some)).items()))
                total += len(some)
            await self.store.swap(shard, now_us())
        await self.beat()
        return total

    async def put_deals(self, number: int) -> None:
        """So many more open deals, shared out among the reps."""
        at = now_us() - 30 * 24 * 60 * MINUTE_US
        for first in range(0, number, FIELDS_PER_CALL):
            last = min(number, first + FIELDS_PER_CALL)
            await self._send_deals([self._deal(place, at + place) for place in range(first, last)])

    async def events(self, number: int, day: int, chosen: random.Random) -> None:
        """So many new deals."""
        now, deals = now_us(), []
        sums: dict[int, dict[Cell, CellValue | None]] = {}
        for _ in range(number):
            self._number += 1
            cell, deal = self._deal(chosen.randrange(10**9), now, f"live{self._number}")
            deals.append((cell, deal))
            partition = self._number % PARTITIONS
            for place in (DayCell(cell.rep, day), MinuteCell(cell.rep, now // MINUTE_US)):
                before = self._cells[Kind.DEAL].get(replace(place, rep=place.rep.rpartition("~")[0]), {})
                number = self._calls[place, partition] = self._calls.get((place, partition), 0) + 1
                assert isinstance(before, dict)
                mine = before if partition == self._partition(place.rep) else {}
                sums.setdefault(partition, {})[place] = {**mine, ONE_DEAL: mine.get(ONE_DEAL, 0) + number}
        await self._send_deals(deals)
        for partition, cells in sums.items():
            await self._send(Kind.DEAL, partition, cells)

    def _deal(self, number: int, at: int, name: str = "") -> tuple[ItemCell, OpenDeal]:
        rep = self.reps[number % len(self.reps)]
        stages = self._settings.pipelines[0].stages
        deal = OpenDeal(
            pipeline=self._settings.pipelines[0].name,
            stage=stages[number // len(self.reps) % len(stages)].name,
            currency="EUR",
            amount=100_000_000 + number,
            created_at=at,
            entered_at=at,
            owned_since=at,
            touched_at=at,
            snoozed_until=None,
            customer=f"crm:a{number}",
        )
        return ItemCell(rep, "open_deal", f"crm:more{name or number}"), deal

    async def _send_deals(self, deals: list[tuple[ItemCell, OpenDeal]]) -> None:
        for partition in range(PARTITIONS):
            mine = {cell: deal for cell, deal in deals if crc32(cell.id.encode()) % PARTITIONS == partition}
            await self._send(Kind.DEAL, partition, mine)

    async def _send(self, kind: Kind, partition: int, cells: Mapping[Cell, CellValue | None]) -> None:
        shard, items = self.shards[kind, partition], iter(cells.items())
        while some := dict(islice(items, FIELDS_PER_CALL)):
            assert await self.store.send([self.store.write(shard, published(some), now_us())]) == [Answer.OK]

    @staticmethod
    def _partition(rep: str) -> int:
        return int(rep.rpartition("~")[2]) % PARTITIONS

    async def change(self, share: float, day: int, chosen: random.Random) -> None:
        """One more call of a share of the reps."""
        minute = now_us() // MINUTE_US
        for partition in range(PARTITIONS):
            mine = [rep for rep in self.reps if self._partition(rep) == partition]
            cells: dict[Cell, CellValue | None] = {}
            for rep in chosen.sample(mine, round(len(mine) * share)):
                for cell in (DayCell(rep, day), MinuteCell(rep, minute)):
                    before = self._cells[Kind.CALL].get(replace(cell, rep=rep.rpartition("~")[0]), {})
                    number = self._calls[cell, partition] = self._calls.get((cell, partition), 0) + 1
                    assert isinstance(before, dict)
                    cells[cell] = {**before, ONE_CALL: before.get(ONE_CALL, 0) + number}
            await self._send(Kind.CALL, partition, cells)

    async def beat(self) -> None:
        for shard in self.shards.values():
            shard.cells.newest = now_us()
        await self.store.send([self.store.beat(shard, now_us(), now_us()) for shard in self.shards.values()])


def publish_for_ever(settings: Settings, arguments: argparse.Namespace, told: Any) -> None:
    """A process of its own."""
    cells = template(settings, arguments.days)
    calendar = Calendar(settings.calendar)

    async def run() -> None:
        publisher = Publisher(settings, cells, max(1, arguments.reps // PEOPLE))
        total = await publisher.put_all()
        have = sum(isinstance(cell, ItemCell) and cell.type == "open_deal" for cell in cells[Kind.DEAL])
        more = max(0, arguments.open_deals - have * len(publisher.reps) // PEOPLE)
        await publisher.put_deals(more)
        told.put((total + more, publisher.reps))
        chosen, began = random.Random(1), time.monotonic()
        for step in count():
            await asyncio.sleep(max(0.0, began + step * STEP_SECONDS - time.monotonic()))
            day = calendar.day(now_us())
            if arguments.events:
                await publisher.events(round(arguments.events * STEP_SECONDS), day, chosen)
            else:
                await publisher.change(arguments.changing * STEP_SECONDS, day, chosen)
            if step % BEAT_STEPS == 0:
                await publisher.beat()

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


def row_ages(base: str) -> str:
    """As of how long ago rows are; those of reps who did nothing may be as old as a minute."""
    rows, now = json.loads(get(f"{base}/api/v1/reps"))["rows"], time.time()
    ages = [now - datetime.fromisoformat(row["as_of"]).timestamp() for row in rows]
    cuts = quantiles(ages, n=100)
    return f"{cuts[49]:.1f} s old (median), {cuts[98]:.1f} s (99 %), {max(ages):.1f} s (the oldest)"


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
    parser.add_argument("--events", type=float, default=0, help="instead, so many events each second")
    parser.add_argument("--open-deals", type=int, default=0, metavar="N", help="at least so many of all reps")
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
    context = multiprocessing.get_context("spawn")
    told: Any = context.Queue()
    base = f"http://127.0.0.1:{board_port}"
    with kafka, EmbeddedRedis(folder / "redis", store):
        asyncio.run(topics.ensure(settings, Secrets()))
        workers = context.Process(target=publish_for_ever, args=(settings, arguments, told), daemon=True)
        workers.start()
        until(lambda: not told.empty() or not workers.is_alive(), READY_SECONDS, "all cells are in Redis")
        cells, reps = told.get(timeout=1)
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
        lambda: get(f"{base}/api/v1/reps").count(b'"as_of"') > len(reps), SETTLE_SECONDS, "all documents made"
    )
    print(f"ready after {ready:.1f} s, all documents after {ready + whole:.1f} s, {peak_mb(pid):.0f} MB", flush=True)
    spent = cpu_seconds(pid)
    time.sleep(arguments.seconds)
    cores = (cpu_seconds(pid) - spent) / arguments.seconds
    what = f"{arguments.events:g} events" if arguments.events else f"{arguments.changing:.0%} of the reps changing"
    print(f"{what} each second: {cores:.2f} cores; rows are {row_ages(base)}", flush=True)
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
