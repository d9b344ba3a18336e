"""Entities that are not open, and whose figures all lie before the retention, are forgotten: a slow, bounded sweep."""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import TYPE_CHECKING, Final

from funnelwatch.agents.clock import now_us
from funnelwatch.agents.engine.changelog import tombstone_headers
from funnelwatch.agents.engine.entity_table import EntityTable, PartitionLost
from funnelwatch.agents.engine.table_store import Row
from funnelwatch.schemas.events import Kind
from funnelwatch.streams.folds import FOLDS

if TYPE_CHECKING:
    from funnelwatch.agents.engine.application import Worker

ROWS_PER_STEP: Final = 200
STEP_SECONDS: Final = 1.0


class Forgetting:
    """Walks over all rows of all shards, some each second, and begins again."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._after: dict[tuple[Kind, int], bytes | None] = {}

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            for kind, table in self._worker.tables.items():
                for partition in table.open_partitions():
                    await asyncio.sleep(STEP_SECONDS)
                    try:
                        await self.step(kind, table, partition)
                    except PartitionLost:
                        self._after.pop((kind, partition), None)
                    except Exception as failure:  # noqa: BLE001  (rows may be gone from the disk and not the changelog)
                        self._worker.app.die(failure, "entities could not be forgotten")
            await asyncio.sleep(STEP_SECONDS)

    async def step(self, kind: Kind, table: EntityTable, partition: int) -> int:
        """Look at the next rows of a shard; how many were forgotten.

        Raises:
            PartitionLost: It is not ours.
        """
        shard = self._worker.shards.get(kind, partition)
        before_us = self._worker.judge.forget_before(now_us(), shard.cells.newest)
        if before_us is None:
            return 0
        rows = dict(islice(table.rows(partition, self._after.get((kind, partition))), ROWS_PER_STEP))
        self._after[kind, partition] = max(rows) if len(rows) == ROWS_PER_STEP else None
        fold = FOLDS[kind]
        old: dict[bytes, Row] = {key: row for key, row in rows.items() if fold.forgettable(fold.decode(row), before_us)}
        if not old:
            return 0
        gone: dict[bytes, Row] = dict.fromkeys(old)
        table.write(partition, gone)
        self._worker.shards.correct(kind, partition, old, gone)
        await table.send(partition, gone, tombstone_headers(before_us))
        return len(gone)
