"""Entities that are not open, and whose figures all lie before the retention, are forgotten: a bounded sweep.

It is slow where there is little to forget. Where a sweep finds much, as when years are replayed, it goes on at once,
with half of a core at most: else rows would come faster than they go, and memory with them.
"""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import TYPE_CHECKING, Final

from funnelwatch.agents.clock import monotonic, now_us
from funnelwatch.agents.engine.changelog import tombstone_headers
from funnelwatch.agents.engine.entity_table import EntityTable, PartitionLost
from funnelwatch.agents.engine.table_store import Row
from funnelwatch.schemas.events import Kind

if TYPE_CHECKING:
    from funnelwatch.agents.engine.application import Worker

ROWS_PER_STEP: Final = 200
IDLE_SECONDS: Final = 20.0
"""Between two steps of a shard that has little to forget."""
BUSY_REST: Final = 1.0
"""Of a shard that has much, everything else gets this many times the time a step took."""
BUSY_SHARE: Final = 0.01
"""So many of the rows of a sweep are much."""
LOOK_SECONDS: Final = 0.2


class Sweep:
    """How far one shard is, how much was found on the way, and when to go on."""

    def __init__(self) -> None:
        self.after: bytes | None = None
        self.due = 0.0
        self._seen = self._found = 0

    def went(self, rows: int, found: int, now: float) -> None:
        """So many rows were looked at, so many of them forgotten; at the end of a sweep half of that is remembered."""
        self._seen += rows
        self._found += found
        is_busy = self._found > BUSY_SHARE * self._seen
        if self.after is None:
            self._seen, self._found = self._seen // 2, self._found // 2
        self.due = now + (0.0 if is_busy else IDLE_SECONDS)


class Forgetting:
    """Walks over all rows of all shards, some at a time, and begins again."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._sweeps: dict[tuple[Kind, int], Sweep] = {}

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            is_busy = False
            for kind, table in self._worker.tables.items():
                for partition in table.open_partitions():
                    is_busy |= await self._go_on(kind, table, partition)
            if not is_busy:
                await asyncio.sleep(LOOK_SECONDS)

    async def _go_on(self, kind: Kind, table: EntityTable, partition: int) -> bool:
        """One step of a shard, if it is due; whether the next one is due already."""
        sweep = self._sweeps.setdefault((kind, partition), Sweep())
        began = monotonic()
        if began < sweep.due:
            return False
        try:
            rows, found = await self.step(kind, table, partition)
        except PartitionLost:
            del self._sweeps[kind, partition]
            return False
        except Exception as failure:  # noqa: BLE001  (rows may be gone from the disk and not the changelog)
            self._worker.app.die(failure, "entities could not be forgotten")
        now = monotonic()
        sweep.went(rows, found, now)
        await asyncio.sleep(BUSY_REST * (now - began))
        return sweep.due <= now

    async def step(self, kind: Kind, table: EntityTable, partition: int) -> tuple[int, int]:
        """Look at the next rows of a shard; how many those were, and how many were forgotten.

        Raises:
            PartitionLost: It is not ours.
        """
        sweep = self._sweeps.setdefault((kind, partition), Sweep())
        shard = self._worker.shards.get(kind, partition)
        before_us = self._worker.judge.forget_before(now_us(), shard.cells.newest)
        if before_us is None:
            return 0, 0
        rows = dict(islice(table.rows(partition, sweep.after), ROWS_PER_STEP))
        sweep.after = max(rows) if len(rows) == ROWS_PER_STEP else None
        fold = self._worker.folds[kind]
        old: dict[bytes, Row] = {key: row for key, row in rows.items() if fold.forgettable(fold.decode(row), before_us)}
        if not old:
            return len(rows), 0
        gone: dict[bytes, Row] = dict.fromkeys(old)
        table.write(partition, gone)
        self._worker.shards.correct(kind, partition, old, gone)
        await table.send(partition, gone, tombstone_headers(before_us))
        return len(rows), len(gone)
