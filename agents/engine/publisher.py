"""Brings Redis up to date with the shards that are ours.

It is woken when one of them changes, waits a moment for more, and sends what changed in all of them at once.

If Redis is away, ingestion goes on: values are absolute, so what waits is bounded by the number of cells.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Final

import redis.exceptions

from funnelwatch.agents.clock import monotonic, now_us
from funnelwatch.agents.engine.metrics import Metrics
from funnelwatch.agents.engine.shard_store import FIELDS_PER_CALL, Answer, ShardStore, refusal_of
from funnelwatch.agents.engine.shards import Shard, Shards
from funnelwatch.schemas.events import Kind

COALESCE_LIGHT_SECONDS: Final = 0.004
"""How long a change waits for others: a fetch brings several, and each round costs a message to Redis."""
COALESCE_HEAVY_SECONDS: Final = 0.25
BEHIND_SECONDS: Final = 1.0
"""What came into Kafka so long before it was folded is of a backlog: nobody waits for a moment's difference, and the
same cells change with every chunk, so that the next round waits for as long as any does."""
FIELDS_PER_ROUND: Final = 4_000
"""So many fields are encoded in one go, or a few more; others have to get their turn."""
BEAT_SECONDS: Final = 1.0
RETRY_SECONDS: Final = 0.5

log = logging.getLogger(__name__)


def coalesce_seconds(behind_seconds: float) -> float:
    """How long a change waits for others, after a round that sent what came into Kafka so long before it was folded.

    It is not the number of cells that tells a backlog: a round that comes late has more to send, and would be late
    again for having had more.
    """
    share = min(max(behind_seconds, 0.0) / BEHIND_SECONDS, 1.0)
    return max(COALESCE_LIGHT_SECONDS, COALESCE_HEAVY_SECONDS * share * share)


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
        self.refusal = ""
        """Why Redis takes no writes although it answers; empty if it does, or does not answer."""

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            try:
                behind_seconds = self._shards.take_behind_seconds()
                await self.publish()
                self._note_connected()
                await self._rest(coalesce_seconds(behind_seconds))
            except redis.exceptions.ResponseError as refused:
                self._note_refused(refusal_of(refused))
                await self._say_refused()
                await asyncio.sleep(RETRY_SECONDS)
            except (TimeoutError, redis.exceptions.RedisError, OSError) as trouble:
                self._note_trouble(trouble)
                await asyncio.sleep(RETRY_SECONDS)
            except Exception as failure:  # noqa: BLE001  (a publisher that stopped would leave old figures standing)
                self._die(failure, "figures could not be published")

    async def _rest(self, seconds: float) -> None:
        """Until something has changed and a little longer, or until the next beat."""
        if seconds >= COALESCE_HEAVY_SECONDS:
            await asyncio.sleep(seconds)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(self._beat_at + BEAT_SECONDS - monotonic()):
                await self._shards.changed.wait()
                await asyncio.sleep(seconds)

    async def publish(self) -> int:
        """One round over all shards; the number of cells that were sent."""
        self._shards.changed.clear()  # what changes from here on is sent in the next round
        is_beat = monotonic() - self._beat_at >= BEAT_SECONDS
        if is_beat:
            await self._look_after_redis()
            self._sample(now_us())
        ours = [shard for shard in self._shards if shard.is_current and (shard.claimed or await self._claim(shard))]
        cells = 0
        for shard in sorted((shard for shard in ours if shard.publish_all), key=_size):  # large ones let others wait
            self._shards.age(shard.cells)
            cells += await self._publish_everything(shard)
        ready = [shard for shard in ours if shard.claimed and not shard.publish_all]
        cells += await self._publish_changes(ready, is_beat=is_beat)
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

    async def _publish_changes(self, shards: list[Shard], *, is_beat: bool) -> int:
        """All of them in one message to Redis, or a few when there is much to say."""
        updated_us = now_us()
        newest = [shard.cells.newest for shard in shards]
        for shard in shards:
            self._shards.age(shard.cells)
            if shard.cells.is_changed:
                shard.unsent.update(shard.cells.take_published())
        # Nothing above this line awaits: what was folded until `updated_us` is about to be sent.
        changed = [(shard, at) for shard, at in zip(shards, newest, strict=True) if shard.unsent]
        sent = 0
        while some := list(_portions(shards)):
            answers = await self._store.send([self._store.write(*portion, updated_us) for portion in some])
            for (shard, cells), answer in zip(some, answers, strict=True):
                if self._note(shard, answer):
                    sent += len(cells)
                    for cell in cells:
                        del shard.unsent[cell]
        visible_us = now_us()
        for shard, at in changed:
            if not shard.unsent:
                self._metrics.became_visible(at, visible_us)
        if is_beat:
            await self._beat([shard for shard in shards if shard.claimed and not shard.unsent], updated_us)
        return sent

    async def _beat(self, shards: list[Shard], updated_us: int) -> None:
        beats = [self._store.beat(shard, updated_us, self._current_us(shard.kind, shard.partition)) for shard in shards]
        for shard, answer in zip(shards, await self._store.send(beats), strict=True):
            self._note(shard, answer)

    async def _publish_everything(self, shard: Shard) -> int:
        """Stage a copy beside the live one, then swap: a reader sees the old cells or the new ones."""
        updated_us = now_us()
        shard.cells.forget_changed()  # what changes from here on is sent after the swap
        shard.unsent.clear()
        parts = shard.cells.all_in_parts(FIELDS_PER_CALL)
        sent = 0
        await self._store.unstage(shard)
        for part in parts:
            await self._store.stage(shard, part)
            sent += len(part)
        if self._note(shard, await self._store.swap(shard, updated_us)):
            shard.publish_all = False
        return sent

    def _note(self, shard: Shard, answer: Answer) -> bool:
        if answer is Answer.OK:
            return True
        if answer is Answer.FENCED:
            self._metrics.fenced.inc()
        else:
            self._shards.changed.set()  # to be claimed again, at once
        shard.claimed = False
        shard.publish_all = shard.publish_all or answer is Answer.LOST
        return False

    def _note_connected(self) -> None:
        if not self.is_connected:
            log.info("Redis answers; figures are being published.")
        self.is_connected, self.refusal = True, ""

    def _note_trouble(self, trouble: BaseException) -> None:
        if self.is_connected or self._run_id is None:
            log.warning("Redis does not answer, events are folded on, figures wait: %s", trouble or repr(trouble))
            self._run_id = self._run_id or ""
        self.is_connected, self.refusal = False, ""

    def _note_refused(self, why: str) -> None:
        if self.refusal != why:
            log.error("Redis takes no writes, events are folded on, figures wait; %s.", why)
        self.is_connected, self.refusal = False, why

    async def _say_refused(self) -> None:
        """Whoever reads Redis still gets answers, and has to know that they are old: one shard speaks for all."""
        with suppress(TimeoutError, redis.exceptions.RedisError, OSError):
            for shard in islice(self._shards, 1):
                await self._store.say_refused(shard, self.refusal)


def _size(shard: Shard) -> int:
    return shard.cells.size


def _portions(shards: list[Shard]) -> Iterator[tuple[Shard, dict[bytes, bytes]]]:
    """Of each shard what one call takes of its unsent cells, until it is enough for one round."""
    fields = 0
    for shard in shards:
        if shard.unsent and shard.claimed and fields < FIELDS_PER_ROUND:
            portion = dict(islice(shard.unsent.items(), FIELDS_PER_CALL))
            fields += len(portion)
            yield shard, portion
