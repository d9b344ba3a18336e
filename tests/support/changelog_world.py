"""Workers with real tables and a broker in memory: every crash, pause and loss when the test says so.

One partition. Rows are sets of letters; an event adds one letter to one row, so what must come out is always known.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import msgspec
from faust.types import TP

from funnelwatch.agents import topics
from funnelwatch.agents.engine.application import new_app
from funnelwatch.agents.engine.barrier import SendBarrier
from funnelwatch.agents.engine.changelog import tombstone_headers
from funnelwatch.agents.engine.entity_table import EntityTable, PartitionLost
from funnelwatch.agents.engine.row_cache import RowCache
from funnelwatch.schemas.events import Kind
from funnelwatch.schemas.settings import Secrets, Settings

SOURCE = "crm.deals"
CHUNK_EVENTS = 3
RECOVERY_RECORDS = 4


class Record(NamedTuple):
    offset: int
    key: bytes
    value: bytes | None
    headers: Any


class DiedError(RuntimeError):
    """What ``os._exit`` is in the real program."""


class Sets:
    """The union of letters; a row is forgettable if all of its letters come before the given one (a=0)."""

    def merge_rows(self, left: bytes, right: bytes) -> bytes:
        merged = bytes(sorted(set(left) | set(right)))
        return left if merged == left else right if merged == right else merged

    def row_forgettable(self, row: bytes, before_us: int) -> bool:
        return all(letter - ord("a") < before_us for letter in row)


class Batch:
    def __init__(self) -> None:
        self.records: list[tuple[bytes, bytes | None, Any]] = []

    def append(self, *, key, value, timestamp, headers):
        self.records.append((key, value, headers))
        return timestamp

    def close(self) -> None:
        pass

    def record_count(self) -> int:
        return len(self.records)


class Broker:
    """The changelog, the source and the committed offset of the one partition."""

    def __init__(self) -> None:
        self.changelog: list[Record] = []
        self.end = 0
        self.source: list[tuple[bytes, int]] = []
        self.committed = 0
        self.generation = 0

    def append(self, batch: Batch) -> int:
        first = self.end
        for key, value, headers in batch.records:
            self.changelog.append(Record(self.end, key, value, headers))
            self.end += 1
        return first

    def compact(self) -> None:
        """Only the last record of each key stays."""
        last = {record.key: record.offset for record in self.changelog}
        self.changelog = [record for record in self.changelog if last[record.key] == record.offset]

    def truth(self) -> dict[bytes, bytes]:
        rows: dict[bytes, set[int]] = {}
        for key, letter in self.source:
            rows.setdefault(key, set()).add(letter)
        return {key: bytes(sorted(letters)) for key, letters in rows.items()}


class Producer:
    """Batches wait until the test lets the broker take them."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Batch, asyncio.Future]] = []

    def create_batch(self) -> Batch:
        return Batch()

    async def send_batch(self, batch, topic, *, partition):
        future = asyncio.get_running_loop().create_future()
        self.waiting.append((batch, future))
        return future


class Figures:
    """What is derived from the rows, as a shard is."""

    def __init__(self) -> None:
        self.table: EntityTable | None = None
        self.rows: dict[bytes, bytes | None] | None = None

    def on_assigned(self, generation: int, partitions: set[int]) -> None:
        pass

    async def on_ready(self, partition: int) -> None:
        assert self.table is not None
        self.rows = dict(self.table.rows(partition))

    def on_lost(self, partition: int) -> None:
        self.rows = None

    def on_repaired(self, partition: int, before: Mapping, after: Mapping) -> None:
        if self.rows is not None:
            assert {key: self.rows.get(key) for key in before} == dict(before)
            self.rows.update(after)


class SimulatedWorker:
    """One worker: a table on a disk of its own, moved step by step."""

    def __init__(self, broker: Broker, disk: Path) -> None:
        self.broker = broker
        self.disk = disk
        self.is_open = False
        self.start()

    def start(self) -> None:
        """A new process on the same disk."""
        settings = Settings()
        settings = msgspec.structs.replace(
            settings, worker=msgspec.structs.replace(settings.worker, data_dir=str(self.disk))
        )
        app = new_app(settings, Secrets())
        app.finalize()
        app.conf.tabledir.mkdir(parents=True, exist_ok=True)
        self.app, self.producer, self.figures = app, Producer(), Figures()
        app.source_topics = frozenset({SOURCE})
        app.barrier = SendBarrier(lambda failure: None)
        app.die = _die
        app.producer = SimpleNamespace(_ensure_producer=lambda: self.producer)
        self.tp = TP(topics.changelog_topic(settings, Kind.DEAL), 0)
        app.assignor = SimpleNamespace(assigned_actives=lambda: {self.tp}, assigned_standbys=set)
        app.tables._recovery = SimpleNamespace(active_highwaters={}, completing=-1, flush_buffers=lambda: None)
        self.table = EntityTable(
            app,
            name=Kind.DEAL.value,
            partitions=1,
            rules=Sets(),
            listener=self.figures,
            read_foreign=self._read_foreign,
            row_cache=RowCache(bytes_max=2_000),
        )
        self.figures.table = self.table
        self.position = 0
        self.generation = -1
        self.is_open = False

    async def _read_foreign(self, topic: str, partition: int, offsets: tuple[int, int]) -> list[Record]:
        await asyncio.sleep(0)
        return [record for record in self.broker.changelog if offsets[0] <= record.offset < offsets[1]]

    # -- rebalance

    async def take_over(self, *, records_max: int | None = None) -> None:
        """Become the owner: recover, then open. With ``records_max`` a crash has to follow: it ends before opening."""
        self.broker.generation += 1
        self.generation = self.broker.generation
        self.is_open = False
        await self.table.on_rebalance({self.tp}, set(), {self.tp}, self.generation)
        await self.deliver(len(self.producer.waiting))  # Faust flushes the producer before it reads the end
        self.app.tables.recovery.active_highwaters[self.tp] = self.broker.end - 1
        held = self.table.persisted_offset(self.tp)
        todo = [record for record in self.broker.changelog if record.offset > (-1 if held is None else held)]
        for i in range(0, len(todo[:records_max]), RECOVERY_RECORDS):
            some = todo[:records_max][i : i + RECOVERY_RECORDS]
            self.table.apply_changelog_batch([SimpleNamespace(message=_message(self.tp, some))])
        if records_max is not None:
            return
        self.app.tables.recovery.completing = self.generation
        opening = asyncio.ensure_future(self.table.on_recovery_completed({self.tp}, set()))
        while not opening.done():  # rows that are outdated are written again and awaited
            await self.deliver(1)
            await asyncio.sleep(0)
        await opening
        self.position = self.broker.committed
        self.is_open = True

    # -- work

    async def fold(self) -> None:
        """The next chunk of the source, as the fold agent does it."""
        chunk = list(enumerate(self.broker.source))[self.position : self.position + CHUNK_EVENTS]
        if not chunk or not self.is_open:
            return
        keys = list({key for _, (key, _) in chunk})
        try:
            rows = dict(zip(keys, self.table.get_many(0, keys), strict=True))
            writes: dict[bytes, bytes | None] = {}
            for offset, (key, letter) in chunk:
                row = rows[key] or b""
                if letter not in row:
                    rows[key] = writes[key] = bytes(sorted({*row, letter}))
                elif self.table.may_be_redelivered(0, SOURCE, offset):
                    writes[key] = rows[key]
            self.table.write(0, writes, source=(SOURCE, chunk[-1][0]))
            assert self.figures.rows is not None
            self.figures.rows.update(writes)
            await self.table.send(0, writes)
        except PartitionLost:
            return
        self.position = chunk[-1][0] + 1

    async def forget(self, before_letter: int) -> None:
        """As the sweep does it."""
        if not self.is_open:
            return
        gone = {key: None for key, row in self.table.rows(0) if Sets().row_forgettable(row, before_letter)}
        self.table.write(0, gone)
        assert self.figures.rows is not None
        for key in gone:
            self.figures.rows.pop(key, None)
        await self.table.send(0, gone, tombstone_headers(before_letter))

    async def deliver(self, batches: int) -> None:
        """The broker takes the next batches and acknowledges them."""
        for _ in range(min(batches, len(self.producer.waiting))):
            batch, future = self.producer.waiting.pop(0)
            future.set_result(SimpleNamespace(offset=self.broker.append(batch)))
            for _ in range(4):
                await asyncio.sleep(0)  # callbacks, and the repairs they start

    async def settle(self) -> None:
        """Everything sent is acknowledged, and every repair it caused is done."""
        while self.producer.waiting or self.table._repairs:
            await self.deliver(1)
            await asyncio.sleep(0)

    async def commit(self) -> None:
        """As the consumer does it: the position first, then the barrier, and only in the present generation."""
        position = self.position
        is_safe = await self.app.barrier.passed(0.001) if len(self.app.barrier) else True
        if is_safe and self.is_open and self.generation == self.broker.generation:
            self.broker.committed = max(self.broker.committed, position)

    # -- faults

    def crash(self, *, arrived: int = 0, wiped: bool = False) -> None:
        """The process ends at once; of what was on its way, some batches arrive."""
        for batch, _ in self.producer.waiting[:arrived]:
            self.broker.append(batch)
        for task in list(self.table._repairs):
            task.cancel()
        self.close()
        if wiped:
            shutil.rmtree(self.disk, ignore_errors=True)
        self.start()

    def close(self) -> None:
        """Give the disk back."""
        self.table._open_partitions.clear()
        self.table.data._dbs.clear()


def _message(tp: TP, records: list[Record]) -> Any:
    return SimpleNamespace(topic=tp.topic, partition=0, tp=tp, value=records, offset=records[-1].offset)


def _die(failure: BaseException, why: str) -> None:
    raise DiedError(why) from failure
