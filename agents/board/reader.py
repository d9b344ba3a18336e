"""Keeps the table equal to what the workers publish in Redis, and knows when it is not.

Each shard is read once as a whole (`loading`), then kept up to date by numbered notes. A number that is missing, a note
that says so, a lost connection: read it as a whole again. Nothing is ever shown half read.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from msgspec.structs import replace
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from funnelwatch.agents import clock
from funnelwatch.agents.board.backlog import Backlog
from funnelwatch.agents.board.loading import bring_up, read_cells, read_head
from funnelwatch.agents.board.shards import (
    Head,
    Note,
    changes_channel,
    decode_changes,
    decode_note,
    expected_shards,
    name_of,
    shard_key,
)
from funnelwatch.agents.connections import redis_client
from funnelwatch.agents.tasks import ended
from funnelwatch.schemas.settings import Secrets, Settings
from funnelwatch.streams.table import Shard, Table

log = logging.getLogger(__name__)

SUBSCRIBE_SECONDS_MAX = 5.0
RECONNECT_SECONDS = 0.5
CHECK_SECONDS = 2.0
"""How often the heads of all shards are compared with what was read, in case a note got lost."""
POLL_SECONDS = 0.5
REFUSED_SECONDS = 10.0
"""A worker whose writes Redis refuses says so several times a second; after this long without a word it is gone."""
LOADS_MAX = 3
"""A shard is read as a whole so often in a row, if it is put in place anew, or notes of it get lost, meanwhile."""

AWAY_ERRORS = (RedisError, OSError, TimeoutError)


class Reader:
    """Follows Redis for as long as `run` runs; the rest of the board asks it how whole and how old the table is."""

    def __init__(self, settings: Settings, secrets: Secrets, table: Table) -> None:
        self._settings = settings
        self._secrets = secrets
        self._table = table
        self._expected = expected_shards(settings)
        self._heads: dict[Shard, Head] = {}
        self._missing: set[Shard] = set()
        self._foreign: dict[Shard, str] = {}
        self._lagging: dict[Shard, int] = {}
        self._refused: dict[Shard, tuple[float, str]] = {}
        self._backlog = Backlog()
        self.away: str | None = "Redis has not been reached yet."
        self.reloads_total = 0

    @property
    def heads(self) -> dict[Shard, Head]:
        """The head of every shard in the table, as last heard."""
        return self._heads

    @property
    def share(self) -> float:
        """The part of the expected shards that the table has."""
        return sum(shard in self._heads for shard in self._expected) / len(self._expected)

    @property
    def whole(self) -> bool:
        """Whether the table has every shard."""
        return all(shard in self._heads for shard in self._expected)

    def watermark_us(self) -> int | None:
        """The newest event time of all shards; None before there is any event."""
        return max((head.watermark_us for head in self._heads.values()), default=0) or None

    def current_us(self) -> int:
        """Everything that Kafka had at this system time (µs) is in the table; 0 if nobody can say."""
        return min(self._heads[shard].current_us for shard in self._expected) if self.whole else 0

    def trouble(self) -> str | None:
        """Why the figures are not to be trusted now, in a sentence; None if they are."""
        if self.away:
            return self.away
        refusal = self._refusal()
        if refusal:
            return f"Redis takes no writes, so the figures are old; {refusal}. They come back by themselves."
        if self._foreign:
            shards = ", ".join(sorted(map(name_of, self._foreign)))
            return (
                f"Another configuration published {shards}: its calendar, pipelines or currency differ from the "
                "board's. Give workers and board the same configuration."
            )
        if not self.whole:
            known = sum(shard in self._heads for shard in self._expected)
            return f"{known} of {len(self._expected)} partitions have been read. Are the workers running?"
        return None

    def _refusal(self) -> str:
        since = clock.monotonic() - REFUSED_SECONDS
        return next((why for at, why in self._refused.values() if at > since), "")

    def missing(self) -> str | None:
        """What Redis has lost although the table still knows it, in a sentence."""
        if not self._missing:
            return None
        return f"{len(self._missing)} partitions are no longer in Redis; the workers publish them again."

    async def run(self) -> None:
        """Follow Redis until cancelled; it may come and go."""
        while True:
            client = self._client()
            try:
                await self._follow(client)
            except AWAY_ERRORS as error:
                self._lost(error)
            finally:
                await client.aclose()
            await asyncio.sleep(RECONNECT_SECONDS)

    def _client(self) -> Any:
        # No retries: reconnecting unnoticed would lose notes, so every loss of a connection has to come up in `run`.
        return Redis(**redis_client(self._settings, self._secrets), retry=Retry(NoBackoff(), 0))

    def _lost(self, error: Exception) -> None:
        redis = self._settings.redis
        sentence = f"Redis at {redis.host}:{redis.port} is away; figures come back by themselves when it does."
        if self.away != sentence:
            level = logging.WARNING if self.away else logging.ERROR  # at the start it may just not be up yet
            log.log(level, "%s (%s: %s)", sentence, type(error).__name__, error)
        self.away = sentence

    async def _follow(self, client: Any) -> None:
        async with client.pubsub() as subscription:
            await subscription.subscribe(changes_channel(self._settings.redis.prefix))
            await subscription.get_message(timeout=SUBSCRIBE_SECONDS_MAX)  # subscribed first: no note falls in between
            self._backlog = Backlog()
            reading = asyncio.create_task(_read(subscription, self._backlog))
            try:
                await self._load_all(client, reading)
                await self._listen(client, reading)
            finally:
                await ended(reading)

    async def _load_all(self, client: Any, reading: asyncio.Task[None]) -> None:
        for shard in self._expected:
            await self._load(client, shard)
            _raise_if_over(reading)
        if self.away is not None:
            log.info("Redis is there: %.0f %% of the partitions are in the table", 100 * self.share)
        self.away = None

    async def _listen(self, client: Any, reading: asyncio.Task[None]) -> None:
        check_at = clock.monotonic() + CHECK_SECONDS
        while True:
            note = await self._backlog.take(POLL_SECONDS)
            if note is not None:
                await self._heard(client, note)
                await asyncio.sleep(0)  # taking in what waits does not wait: let others have their turn
            _raise_if_over(reading)
            if not self._backlog and clock.monotonic() >= check_at:
                await self._check(client)
                check_at = clock.monotonic() + CHECK_SECONDS

    async def _heard(self, client: Any, data: bytes) -> None:
        try:
            note = decode_note(data)
        except ValueError as error:
            log.warning("a note on the channel of changes is unreadable and was passed over: %s", error)
            return
        if note.op == "refused":
            self._hear_refused(note)
            return
        self._refused.pop(note.shard, None)
        if not self._apply(note):
            await self._load(client, note.shard)

    def _hear_refused(self, note: Note) -> None:
        if not self._refusal():
            log.error("Redis takes no writes, as the worker of %s says; %s", name_of(note.shard), note.payload)
        self._refused[note.shard] = clock.monotonic(), str(note.payload)

    def _apply(self, note: Note) -> bool:
        """Take a note in; False: the shard has to be read as a whole."""
        head = self._heads.get(note.shard)
        if head is None or note.op == "reload":
            return False
        if note.op == "beat":
            watermark_us, updated_us, current_us = note.payload
            if note.seq == head.seq:  # a shard that never had an event beats without a watermark
                self._heads[note.shard] = replace(
                    head, watermark_us=watermark_us or head.watermark_us, updated_us=updated_us, current_us=current_us
                )
            return note.seq == head.seq or updated_us <= head.updated_us
        if note.seq <= head.seq:
            return True  # already in what was read as a whole
        if note.seq != head.seq + 1:
            return False
        try:
            self._table.apply(note.shard, decode_changes(note.payload))
        except (ValueError, TypeError) as error:
            log.warning("a change of %s is unreadable; reading it as a whole: %s", name_of(note.shard), error)
            return False
        self._heads[note.shard] = replace(head, seq=note.seq)
        return True

    async def _load(self, client: Any, shard: Shard) -> None:
        """Read one shard as a whole. What changes too fast for that is read again by and by: `_check` finds it."""
        prefix = self._settings.redis.prefix
        for _ in range(LOADS_MAX):
            try:
                head = await read_head(client, prefix, shard)
                if head is None:
                    self._missing.add(shard) if shard in self._heads else None
                    return
                if not self._ours(shard, head):
                    return
                read = await read_cells(client, prefix, shard, head)
                found = None if read is None else await bring_up(shard, read, self._backlog)
            except (ValueError, TypeError) as error:
                self._refuse(shard, f"unreadable ({error})")
                return
            if read is not None and found is not None:
                self._table.replace(shard, read.cells)
                self._heads[shard] = found
                self._missing.discard(shard)
                self._lagging.pop(shard, None)
                self.reloads_total += 1
                return

    def _ours(self, shard: Shard, head: Head) -> bool:
        if head.fingerprint != self._settings.fingerprint:
            self._refuse(shard, f"published under configuration {head.fingerprint} by worker {head.worker}")
            return False
        if self._foreign.pop(shard, None) is not None:
            log.info("%s is published under the board's own configuration again", name_of(shard))
        return True

    def _refuse(self, shard: Shard, why: str) -> None:
        if self._foreign.get(shard) != why:
            log.error("%s is left out: %s; the board's is %s", name_of(shard), why, self._settings.fingerprint)
        self._foreign[shard] = why
        self._table.replace(shard, {})
        self._heads.pop(shard, None)

    async def _check(self, client: Any) -> None:
        """Compare the heads in Redis with what the table has: a note that got lost must not stay unnoticed."""
        shards = tuple(dict.fromkeys((*self._expected, *self._heads)))
        async with client.pipeline(transaction=False) as pipeline:
            for shard in shards:
                pipeline.hgetall(shard_key(self._settings.redis.prefix, *shard, "meta"))
            metas = await pipeline.execute()
        for shard, meta in zip(shards, metas, strict=True):
            if self._differs(shard, meta):
                await self._load(client, shard)

    def _differs(self, shard: Shard, meta: dict[bytes, bytes]) -> bool:
        known = self._heads.get(shard)
        try:
            head = Head.of(meta)
        except ValueError:
            return True
        if head is None or known is None:
            return (head is None) != (known is None) and shard not in self._missing
        if head.epoch != known.epoch or head.fingerprint != known.fingerprint or shard in self._missing:
            return True
        lagged = self._lagging.pop(shard, None)
        if head.seq != known.seq:
            self._lagging[shard] = head.seq  # notes may be on their way: only a lag that stays is a loss
            return lagged is not None and (known.seq < lagged or head.seq < known.seq)
        self._heads[shard] = head
        return False


async def _read(subscription: Any, backlog: Backlog) -> None:
    """Take notes from Redis for as long as there is a connection."""
    while True:
        message = await subscription.get_message(ignore_subscribe_messages=True, timeout=POLL_SECONDS)
        if message is not None and message["type"] == "message":
            backlog.put(message["data"])
            await asyncio.sleep(0)  # reading what has come does not wait: let others have their turn


def _raise_if_over(reading: asyncio.Task[None]) -> None:
    """Raise what the reading of notes ended with, if it has ended."""
    if reading.done():
        reading.result()
