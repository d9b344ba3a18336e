"""A Faust table of raw rows keyed by entity id, written and recovered in bulk.

Faust's own ``table[key] = value`` costs 200-300 µs: a future, a buffer, a send and a RocksDB put of the changelog
offset per row. Here a chunk's rows are one RocksDB batch and one (or a few) Kafka record batches.

* The local write comes first, the changelog after it, the source offset last (the commit barrier). After a crash the
  disk may be *ahead* of the changelog, never of the source.
* The persisted changelog offset says "this disk holds every changelog record up to here". It moves only when a batch is
  acknowledged, and only while the batches are contiguous (the third rule; `contiguity`, `repair`).
* Recovery merges, and rows that the changelog has wrong are written again when it ends (`changelog`). Which they are
  is kept on disk: a crash between recovery and that writing must not forget it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

import faust
from faust.types import TP, EventT

from funnelwatch.agents.engine import table_store
from funnelwatch.agents.engine.barrier import Sent
from funnelwatch.agents.engine.changelog import Header, Merged, Record, RowRules, batches
from funnelwatch.agents.engine.contiguity import Contiguity, Range
from funnelwatch.agents.engine.recovery import NO_GENERATION
from funnelwatch.agents.engine.row_cache import CachedRows, RowCache
from funnelwatch.agents.engine.table_store import Changes, Row, StoreOptions

RECOVERY_BUFFER_CHUNKS: Final = 2
"""1 means something else to Faust's recovery."""
OPENED_AT_ONCE: Final = 2
"""So many partitions are opened side by side: what the compiled fold derives in a thread keeps one core busy."""
ROWS_PER_STEP: Final = 1_000
"""How long the event loop may be held, in rows."""

log = logging.getLogger("funnelwatch.table")
"""Not the module's: that one has Faust's chatter about the class."""

ReadForeign = Callable[[str, int, Range], Awaitable[Sequence[Record]]]


class PartitionLost(RuntimeError):  # noqa: N818  (an answer to the caller, not a fault)
    """The partition is not ours (any more): drop the work, its owner does it."""


class TableListener(Protocol):
    """Who derives figures from the rows."""

    def on_assigned(self, generation: int, partitions: set[int]) -> None:
        """These partitions are ours from this generation of the group on; recovery comes next."""

    async def on_ready(self, partition: int) -> None:
        """The rows are complete: derive everything anew. Raises `PartitionLost` if that was overtaken."""

    def on_lost(self, partition: int) -> None:
        """The partition is not ours any more, or recovery changed its rows."""

    def on_repaired(self, partition: int, before: Mapping[bytes, Row], after: Mapping[bytes, Row]) -> None:
        """Rows of an open partition changed, because another worker wrote to its changelog."""


class EntityTable(faust.Table):  # type: ignore[misc]  # Faust is untyped
    """Rows of bytes in RocksDB, one database per partition, with their changelog in Kafka."""

    def __init__(
        self,
        app: Any,
        *,
        rules: RowRules,
        listener: TableListener,
        read_foreign: ReadForeign,
        row_cache: RowCache,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            app,
            key_type=bytes,
            value_type=bytes,
            recovery_buffer_size=RECOVERY_BUFFER_CHUNKS,
            **kwargs,
        )
        self._rules = rules
        self._listener = listener
        self._read_foreign = read_foreign
        self._open_partitions: dict[int, Contiguity] = {}  # recovered and ours
        self._row_cache = row_cache
        self._cached: dict[int, CachedRows] = {}  # of the open partitions
        self._generation = NO_GENERATION
        self._announced: set[int] = set()  # whose rows the listener knows
        self._redelivered_through: dict[tuple[int, str], int] = {}
        self._folded_through: dict[tuple[int, str], int] = {}
        self._outdated: dict[int, set[bytes]] = {}  # what is marked so on disk, for the partitions seen so far
        self._send_order: dict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._repairs: set[asyncio.Task[None]] = set()
        self._derived_rows: dict[int, int] = {}  # of partitions that are being opened
        self._ours: set[int] = set()
        self.recovered_records = 0
        self.repaired_records = 0

    def _new_store(self) -> Any:
        store = super()._new_store()
        store.rocksdb_options = StoreOptions()
        return store

    # -- reading

    def is_open(self, partition: int) -> bool:
        """Whether the partition is ours and recovered."""
        return partition in self._open_partitions

    def open_partitions(self) -> list[int]:
        """The partitions that can be read and written now."""
        return sorted(self._open_partitions)

    def get_many(self, partition: int, keys: Sequence[bytes]) -> list[Row]:
        """The rows of ``keys``, None where there is none."""
        db, cached = self._db(partition), self._cached[partition]
        rows, places = cached.find(keys)
        if places:
            unknown = [keys[place] for place in places]
            found: list[Row] = db.get(unknown)
            for place, row in zip(places, found, strict=True):
                rows[place] = row
            cached.put(dict(zip(unknown, found, strict=True)))
        return rows

    def rows(self, partition: int, after: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Rows of a partition in the order of their keys."""
        return table_store.rows(self._db(partition), after)

    def may_be_redelivered(self, partition: int, topic: str, offset: int) -> bool:
        """Whether the disk may know this record from before: its rows must then reach the changelog again."""
        return offset <= self._redelivered_through.get((partition, topic), -1)

    def _db(self, partition: int) -> Any:
        if partition not in self._open_partitions:
            raise PartitionLost(f"{self.name}[{partition}]")
        db = self.data._dbs.get(partition)  # noqa: SLF001  (Faust's store hands out no database)
        if db is None:
            raise PartitionLost(f"{self.name}[{partition}]")  # stopped
        return db

    # -- writing

    def write(self, partition: int, rows: Mapping[bytes, Row], source: tuple[str, int] | None = None) -> None:
        """Write rows to the disk, in one step. ``send`` has to follow before the source offset moves.

        Args:
            partition: Where.
            rows: New rows; None removes one.
            source: (topic, offset) of the last source record that was folded into the rows.
        """
        changes = Changes().rows(rows)
        db = self._db(partition)
        if source is not None:
            topic, offset = source
            if offset > self._folded_through.get((partition, topic), -1):
                # A redelivered chunk must not move the mark back: a later opening would take the rest of what the
                # changelog lacks for new, and not write it again.
                self._folded_through[partition, topic] = offset
                changes.folded_through(topic, offset)
        changes.write(db)
        self._cached[partition].put(rows)

    async def send(self, partition: int, rows: Mapping[bytes, Row], headers: list[Header] | None = None) -> list[Sent]:
        """Send rows to the changelog, in the order of the calls; the commit waits for the acknowledgements.

        Raises:
            PartitionLost: The partition went while earlier rows were on their way.
        """
        opening = self._open_partitions.get(partition)
        sends: list[Sent] = []
        async with self._send_order[partition]:
            for batch in batches(self._producer, rows.items(), headers or []):
                if opening is None or self._open_partitions.get(partition) is not opening:
                    raise PartitionLost(f"{self.name}[{partition}]")
                sent: Sent = await self._producer.send_batch(batch, self.changelog_topic_name, partition=partition)
                sent.add_done_callback(self._on_acknowledged(partition, opening, batch.record_count()))
                self.app.barrier.add(sent)
                sends.append(sent)
        return sends

    @property
    def _producer(self) -> Any:
        return self.app.producer._ensure_producer()  # noqa: SLF001  (Faust wraps no record batches)

    def _on_acknowledged(self, partition: int, opening: Contiguity, records: int) -> Callable[[Sent], None]:
        def acknowledged(sent: Sent) -> None:
            if sent.cancelled() or sent.exception() is not None or self._open_partitions.get(partition) is not opening:
                return  # the barrier ends the worker; or recovery reads it back
            gap = opening.own(sent.result().offset, records)
            try:
                self._persist_offset(partition, opening)
            except PartitionLost:
                return  # the disk is closed already, in an orderly stop: recovery reads it back
            except Exception as failure:  # noqa: BLE001  (a callback's errors are dropped: a full disk, most likely)
                self.app.die(failure, f"how far {self.name}[{partition}] holds its changelog could not be noted")
            if gap is not None:
                self._start_repair(partition, opening, gap)

        return acknowledged

    def _persist_offset(self, partition: int, opening: Contiguity) -> None:
        Changes().changelog_offset(opening.through).write(self._db(partition))

    # -- foreign records in the changelog

    def _start_repair(self, partition: int, opening: Contiguity, gap: Range) -> None:
        log.warning("%s[%s]: offsets %s to %s are another worker's; merging them.", self.name, partition, *gap)
        task = asyncio.ensure_future(self._repair(partition, opening, gap))
        self._repairs.add(task)
        task.add_done_callback(self._repairs.discard)

    async def _repair(self, partition: int, opening: Contiguity, gap: Range) -> None:
        try:
            records = await self._read_foreign(self.changelog_topic_name, partition, gap)
            sends: list[Sent] = []
            for i in range(0, len(records), ROWS_PER_STEP):
                if self._open_partitions.get(partition) is not opening:
                    return
                sends += await self._merge_foreign(partition, records[i : i + ROWS_PER_STEP])
            if sends:
                await asyncio.wait(sends)
            if self._open_partitions.get(partition) is opening:
                opening.repaired(gap)
                self._persist_offset(partition, opening)
                self.repaired_records += len(records)
        except PartitionLost:
            log.info("%s[%s]: lost during a repair; its owner recovers it.", self.name, partition)
        except Exception as failure:  # noqa: BLE001  (the restart's recovery repairs what this could not)
            self.app.die(failure, f"the changelog of {self.name}[{partition}] could not be repaired")

    async def _merge_foreign(self, partition: int, records: Sequence[Record]) -> list[Sent]:
        merged = self._merge(self._db(partition), records)
        changed = merged.changed
        if changed:
            known = dict(zip(changed, self.get_many(partition, list(changed)), strict=True))
            Changes().rows(changed).write(self._db(partition))
            self._cached[partition].put(changed)
            self._listener.on_repaired(partition, known, changed)
        # Behind the foreign ones: what they had wrong, and what ours behind them may still have wrong. Not what they
        # had right, or two workers, each a stranger to the other, would answer each other's repairs without end.
        again = {key: merged.rows[key] for key in merged.outdated | changed.keys()}
        return await self.send(partition, {key: row for key, row in again.items() if row is not None})

    def _merge(self, db: Any, records: Sequence[Record]) -> Merged:
        keys = list({record.key for record in records})
        return Merged(dict(zip(keys, db.get(keys), strict=True))).take(self._rules, records)

    # -- recovery, standby

    def apply_changelog_batch(self, batch: Iterable[EventT]) -> None:
        """Merge recovered records into the rows on disk (Faust's recovery calls it, for actives and standbys)."""
        try:
            for event in batch:
                self._recover(event.message)
        except Exception as failure:  # noqa: BLE001  (Faust would log it and go on without the records)
            self.app.die(failure, f"a changelog record of {self.name} could not be merged")

    def _recover(self, message: Any) -> None:
        if message.topic != self.changelog_topic_name or message.partition in self._open_partitions:
            return  # Faust mixes up tables after a rebalance; an open partition's records are ours, or repaired
        partition, records = message.partition, message.value
        if not isinstance(records, list):
            records = [message]  # stock delivery
        db = self.data._db_for_partition(partition)  # noqa: SLF001  (opens it)
        merged, outdated = self._merge(db, records), self._marked_outdated(partition, db)
        changes = Changes().rows(merged.changed).outdated(merged.outdated).current(merged.current & outdated)
        outdated -= merged.current
        outdated |= merged.outdated
        changes.changelog_offset(max(message.offset, self.data.persisted_offset(message.tp) or -1)).write(db)
        if merged.changed and partition in self._announced:
            self._announced.discard(partition)
            self._listener.on_lost(partition)
        self.recovered_records += len(records)

    def _marked_outdated(self, partition: int, db: Any) -> set[bytes]:
        if partition not in self._outdated:
            self._outdated[partition] = set(table_store.outdated(db))
        return self._outdated[partition]

    # -- rebalance

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        """Stop writing until recovery is done, and say what is ours now: before recovery, to fence the old owner."""
        self._generation = generation_id
        ours = {tp.partition for tp in self.app.assignor.assigned_actives() if tp.topic == self.changelog_topic_name}
        self._open_partitions.clear()
        self._cached.clear()
        for partition in self._announced - ours:
            self._listener.on_lost(partition)
        self._announced &= ours
        self._ours = ours
        self._derived_rows.clear()
        self._listener.on_assigned(generation_id, ours)
        await super().on_rebalance(assigned, revoked, newly_assigned, generation_id)

    def on_recovery_completed(self, active_tps: set[TP], standby_tps: set[TP]) -> Awaitable[None]:
        """Open the recovered partitions for work, for the generation whose recovery is complete now."""
        return self._complete(set(active_tps), set(standby_tps), self.app.tables.recovery.completing)

    async def _complete(self, active_tps: set[TP], standby_tps: set[TP], generation: int) -> None:
        """Faust drops what this raises, so nothing may get out."""
        try:
            await super().on_recovery_completed(active_tps, standby_tps)
            self.app.tables.recovery.flush_buffers()
            ours = sorted(active_tps)
            for i in range(0, len(ours), OPENED_AT_ONCE):
                if generation != self._generation:
                    raise PartitionLost(f"{self.changelog_topic_name}, generation {generation}")  # noqa: TRY301  (below)
                await self._open_together(ours[i : i + OPENED_AT_ONCE])
        except PartitionLost as lost:
            log.info("%s: rebalanced again while opening partitions: %s", self.name, lost)
        except Exception as failure:  # noqa: BLE001  (see above)
            self.app.die(failure, f"a partition of {self.name} could not be opened")

    def note_derived(self, partition: int, rows: int) -> None:
        """Figures of a partition that is being opened come from so many rows by now."""
        self._derived_rows[partition] = rows

    def derived(self) -> dict[int, tuple[int, int]]:
        """Of each partition that is ours and not opened yet: rows figures come from, and about how many there are."""
        dbs = {partition: self.data._dbs.get(partition) for partition in self._ours - self._announced}  # noqa: SLF001  (as `_db`)
        return {
            partition: (self._derived_rows.get(partition, 0), table_store.rows_about(db))
            for partition, db in dbs.items()
            if db is not None
        }

    async def _open_together(self, some: Sequence[TP]) -> None:
        """Open partitions side by side; when none is being opened any more, raise what hindered one, if anything."""
        for failure in await asyncio.gather(*map(self._open, some), return_exceptions=True):
            if failure is not None:
                raise failure

    async def _open(self, tp: TP) -> None:
        partition = tp.partition
        db = self.data._db_for_partition(partition)  # noqa: SLF001  (opens it)
        highwater = self.app.tables.recovery.active_highwaters.get(tp)
        held = self.data.persisted_offset(tp)
        opening = Contiguity(1 + max(-1 if offset is None else offset for offset in (held, highwater)))
        self._open_partitions[partition] = opening
        self._cached[partition] = self._row_cache.partition()
        for topic in self.app.source_topics:
            folded = table_store.folded_through(db, topic)
            self._redelivered_through[partition, topic] = self._folded_through[partition, topic] = folded
        if partition not in self._announced:
            await self._listener.on_ready(partition)
            if self._open_partitions.get(partition) is not opening:
                raise PartitionLost(f"{self.name}[{partition}]")
            self._announced.add(partition)
        await self._write_outdated_again(partition, db)

    async def _write_outdated_again(self, partition: int, db: Any) -> None:
        outdated = self._marked_outdated(partition, db)
        keys = sorted(outdated)
        if not keys:
            return
        log.warning("%s[%s]: %s rows are outdated in the changelog; writing them.", self.name, partition, len(keys))
        for i in range(0, len(keys), ROWS_PER_STEP):
            some = keys[i : i + ROWS_PER_STEP]
            rows = dict(zip(some, self.get_many(partition, some), strict=True))
            sends = await self.send(partition, {key: row for key, row in rows.items() if row is not None})
            if sends:
                await asyncio.wait(sends)
            Changes().current(some).write(self._db(partition))
            outdated.difference_update(some)
