"""Brings Redis up to date with the shards that are ours.

If Redis is away, ingestion goes on: values are absolute, so what waits is bounded by the number of cells.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from itertools import islice
from typing import Final

import redis.exceptions

from funnelwatch.agents.clock import monotonic, now_us
from funnelwatch.agents.engine.metrics import Metrics
from funnelwatch.agents.engine.shard_store import FIELDS_PER_CALL, Answer, ShardStore
from funnelwatch.agents.engine.shards import Shard, Shards
from funnelwatch.schemas.events import Kind

COALESCE_LIGHT_SECONDS: Final = 0.02
COALESCE_HEAVY_SECONDS: Final = 0.25
HEAVY_CELLS: Final = 2_000
"""So many changed cells at once are heavy load."""
BEAT_SECONDS: Final = 1.0
RETRY_SECONDS: Final = 0.5

log = logging.getLogger(__name__)


class Publisher:
    """Publishes changed cells, everything after a claim, and a beat each second.

    Args:
        shards: What to publish.
        store: Where to.
        metrics: Told how old an event was when its figure became visible.
        die: Called with what nobody expected.
        sample: Called with the system time before each beat.
        current_us: Until when everything that Kafka had of a shard is folded; 0 if nobody can say.
    """

    def __init__(
        self,
        shards: Shards,
        store: ShardStore,
        metrics: Metrics,
        die: Callable[[BaseException, str], None],
        *,
        sample: Callable[[int], None],
        current_us: Callable[[Kind, int], int],
    ) -> None:
        self._shards = shards
        self._store = store
        self._metrics = metrics
        self._die = die
        self._sample = sample
        self._current_us = current_us
        self._run_id: str | None = None
        self._beat_at = 0.0
        self.is_connected = False

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            try:
                cells = await self.publish()
                self._note_connected()
                await asyncio.sleep(COALESCE_HEAVY_SECONDS if cells >= HEAVY_CELLS else COALESCE_LIGHT_SECONDS)
            except (TimeoutError, redis.exceptions.RedisError, OSError) as trouble:
                self._note_trouble(trouble)
                await asyncio.sleep(RETRY_SECONDS)
            except Exception as failure:  # noqa: BLE001  (a publisher that stopped would leave old figures standing)
                self._die(failure, "figures could not be published")

    async def publish(self) -> int:
        """One round over all shards; the number of cells that were sent."""
        is_beat = monotonic() - self._beat_at >= BEAT_SECONDS
        if is_beat:
            await self._look_after_redis()
            self._sample(now_us())
        cells = 0
        for shard in self._shards:
            if shard.is_current and (shard.claimed or await self._claim(shard)):
                cells += await self._publish_shard(shard, is_beat=is_beat)
        if is_beat:
            self._beat_at = monotonic()
        return cells

    async def _look_after_redis(self) -> None:
        """A Redis that restarted, was flushed or restored gets everything again."""
        run_id = await self._store.run_id()
        shards = list(self._shards)
        for shard, owner in zip(shards, await self._store.owners(shards), strict=True):
            if run_id != self._run_id:
                shard.claimed, shard.publish_all = False, True
            elif shard.claimed and owner != self._store.token(shard):
                shard.claimed = False
        self._run_id = run_id

    async def _claim(self, shard: Shard) -> bool:
        answer = await self._store.claim(shard)
        shard.claimed = answer is not Answer.FENCED  # a newer owner exists: Kafka will tell us soon
        if answer is Answer.FENCED:
            self._metrics.fenced.inc()
        shard.publish_all = shard.publish_all or answer is Answer.TAKEN
        return shard.claimed

    async def _publish_shard(self, shard: Shard, *, is_beat: bool) -> int:
        self._shards.age(shard.cells)
        if shard.publish_all:
            return await self._publish_everything(shard)
        updated_us, newest = now_us(), shard.cells.newest
        if shard.cells.is_changed:
            shard.unsent.update(shard.cells.take_changed())
        sent = 0
        while shard.unsent and shard.claimed:
            some = dict(islice(shard.unsent.items(), FIELDS_PER_CALL))
            if self._note(shard, await self._store.write(shard, some, updated_us)):
                sent += len(some)
                for cell in some:
                    del shard.unsent[cell]
        if sent and not shard.unsent:
            self._metrics.became_visible(newest, now_us())
        if is_beat and shard.claimed and not shard.unsent:
            current_us = self._current_us(shard.kind, shard.partition)
            self._note(shard, await self._store.beat(shard, updated_us, current_us))
        return sent

    async def _publish_everything(self, shard: Shard) -> int:
        """Stage a copy beside the live one, then swap: a reader sees the old cells or the new ones."""
        updated_us = now_us()
        shard.cells.take_changed()  # what changes from here on is sent after the swap
        shard.unsent.clear()
        cells = iter(shard.cells.all_cells().items())
        sent = 0
        await self._store.unstage(shard)
        while some := list(islice(cells, FIELDS_PER_CALL)):
            await self._store.stage(shard, some)
            sent += len(some)
        if self._note(shard, await self._store.swap(shard, updated_us)):
            shard.publish_all = False
        return sent

    def _note(self, shard: Shard, answer: Answer) -> bool:
        if answer is Answer.OK:
            return True
        if answer is Answer.FENCED:
            self._metrics.fenced.inc()
        shard.claimed = False
        shard.publish_all = shard.publish_all or answer is Answer.LOST
        return False

    def _note_connected(self) -> None:
        if not self.is_connected:
            log.info("Redis answers; figures are being published.")
        self.is_connected = True

    def _note_trouble(self, trouble: BaseException) -> None:
        if self.is_connected or self._run_id is None:
            log.warning("Redis does not answer, events are folded on, figures wait: %s", trouble or repr(trouble))
            self._run_id = self._run_id or ""
        self.is_connected = False
