"""The shards this worker has: cells derived from the rows of a partition, and what Redis does not have of them yet.

Rows are the only truth. Cells are rebuilt from them when a partition is opened or recovery changed a row, and dropped
when it is lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from funnelwatch.agents.engine.deriving import Deriver
from funnelwatch.agents.engine.entity_table import EntityTable, PartitionLost
from funnelwatch.agents.engine.judging import Judge
from funnelwatch.agents.engine.table_store import Row
from funnelwatch.schemas.events import Kind
from funnelwatch.schemas.settings import FOLD_VERSION, Settings
from funnelwatch.streams.compiled_cells import CompiledCells
from funnelwatch.streams.context import Context
from funnelwatch.streams.fold import Fold
from funnelwatch.streams.shard import Cells, ShardCells

GENERATIONS_MAX: Final = 2**32
"""A fold version's epochs lie above all of the version before it, whose group counted generations of its own."""


class Shard:
    """One (kind, partition) that is ours.

    ``epoch`` is the consumer group's generation: Kafka hands it out, and a flush of Redis cannot reset it. ``unsent``
    are cells and their absolute values as they are published, so it never has more entries than there are cells.
    """

    def __init__(self, kind: Kind, partition: int, epoch: int, cells: Cells) -> None:
        self.kind = kind
        self.partition = partition
        self.epoch = epoch
        self.cells = cells
        self.claimed = False
        self.publish_all = True
        self.unsent: dict[bytes, bytes] = {}
        self.is_current = True


class Shards:
    """All shards of this worker, and what tables tell about them."""

    def __init__(
        self,
        settings: Settings,
        context: Context,
        folds: Mapping[Kind, Fold[Any]],
        judge: Judge,
        now_us: Callable[[], int],
        *,
        is_compiled: bool,
    ) -> None:
        self._make_cells = CompiledCells if is_compiled else ShardCells
        self._recordings_days = settings.recordings_days
        self._context = context
        self._derivers = {kind: Deriver(fold, context, compiled=is_compiled) for kind, fold in folds.items()}
        self._judge = judge
        self._now_us = now_us
        self._epochs: dict[tuple[Kind, int], int] = {}
        self._shards: dict[tuple[Kind, int], Shard] = {}
        self._behind_us = 0
        self.changed = asyncio.Event()
        """Set when there may be something to publish."""

    def folded(self, came_us: int, now_us: int) -> None:
        """What came into Kafka at an instant is in the cells now."""
        self._behind_us = max(self._behind_us, now_us - came_us)
        self.changed.set()

    def take_behind_seconds(self) -> float:
        """How late at most what was folded since the last call was folded, counted from when it came into Kafka."""
        behind_us, self._behind_us = self._behind_us, 0
        return behind_us / 1_000_000

    def __iter__(self) -> Iterator[Shard]:
        return iter(list(self._shards.values()))

    def get(self, kind: Kind, partition: int) -> Shard:
        """The shard.

        Raises:
            PartitionLost: It is not ours, or not built.
        """
        shard = self._shards.get((kind, partition))
        if shard is None:
            raise PartitionLost(f"{kind}[{partition}]")
        return shard

    def assign(self, kind: Kind, generation: int, partitions: set[int]) -> None:
        """These partitions of a kind are ours, from this generation of the consumer group on."""
        epoch = FOLD_VERSION * GENERATIONS_MAX + generation
        for other, partition in list(self._epochs):
            if other == kind and partition not in partitions:
                del self._epochs[other, partition]
                self.drop(kind, partition)
        for partition in partitions:
            self._epochs[kind, partition] = epoch
            shard = self._shards.get((kind, partition))
            if shard is not None:
                shard.epoch, shard.claimed = epoch, False
                self.changed.set()

    def drop(self, kind: Kind, partition: int) -> None:
        """Forget a shard's cells."""
        shard = self._shards.pop((kind, partition), None)
        if shard is not None:
            shard.is_current = False

    async def build(self, table: EntityTable, kind: Kind, partition: int) -> None:
        """Derive a shard from its rows.

        Raises:
            PartitionLost: The partition went meanwhile.
        """
        cells: Cells = self._make_cells(self._context.calendar, self._recordings_days)
        self.age(cells)
        async for number in self._derivers[kind].derive(table.rows(partition), cells):
            table.note_derived(partition, number)
            if not table.is_open(partition):
                raise PartitionLost(f"{kind}[{partition}]")
        self.age(cells)
        cells.forget_changed()  # everything is published at once
        epoch = self._epochs.get((kind, partition))
        if epoch is None:
            raise PartitionLost(f"{kind}[{partition}]")
        self.drop(kind, partition)
        self._shards[kind, partition] = Shard(kind, partition, epoch, cells)
        self.changed.set()

    def age(self, cells: Cells) -> None:
        """Let expire what is too old by now."""
        now = self._judge.shard_now(self._now_us(), cells.newest)
        if now is not None:
            cells.advance_to(now)

    def correct(self, kind: Kind, partition: int, before: Mapping[bytes, Row], after: Mapping[bytes, Row]) -> None:
        """Rows changed otherwise than by an event."""
        shard = self._shards.get((kind, partition))
        if shard is None:
            return  # it will be built from the rows as they are then
        for key, row in after.items():
            old, _ = self._derivers[kind].contribution(key, before[key])
            new, newest = self._derivers[kind].contribution(key, row)
            shard.cells.add(old, new)
            shard.cells.see(newest)
        self.changed.set()


class ShardsOfKind:
    """What one kind's table tells, and the rules for its rows."""

    def __init__(self, shards: Shards, kind: Kind, fold: Fold[Any]) -> None:
        self._shards = shards
        self._kind = kind
        self._fold = fold
        self.table: EntityTable | None = None

    def merge_rows(self, left: bytes, right: bytes) -> bytes:
        """The row that knows all that either knows."""
        return self._fold.merge_rows(left, right)

    def row_forgettable(self, row: bytes, before_us: int) -> bool:
        """Whether everything in the row lies before the instant and the entity is not open."""
        return self._fold.forgettable(self._fold.decode(row), before_us)

    def on_assigned(self, generation: int, partitions: set[int]) -> None:
        """See `TableListener`."""
        self._shards.assign(self._kind, generation, partitions)

    async def on_ready(self, partition: int) -> None:
        """See `TableListener`."""
        if self.table is not None:
            await self._shards.build(self.table, self._kind, partition)

    def on_lost(self, partition: int) -> None:
        """See `TableListener`."""
        self._shards.drop(self._kind, partition)

    def on_repaired(self, partition: int, before: Mapping[bytes, Row], after: Mapping[bytes, Row]) -> None:
        """See `TableListener`."""
        self._shards.correct(self._kind, partition, before, after)
