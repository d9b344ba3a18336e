"""Mechanisms taken out of a worker, by name: a row that does not fail without its mechanism guards nothing.

``tests/chaos/run --only ROW --mutation NAME`` has to end with a failure. Never part of the product.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import Callable
from typing import Any

import msgspec
from aiokafka import client
from faust.transport.drivers import aiokafka as driver

from funnelwatch.agents import topics
from funnelwatch.agents.board import reader
from funnelwatch.agents.engine import application, changelog, fold_agent, forgetting, judging, shard_store, worker
from funnelwatch.agents.engine.barrier import SendBarrier
from funnelwatch.agents.engine.chunk_transport import ChunkConsumer, DurableConsumer
from funnelwatch.agents.engine.contiguity import Contiguity
from funnelwatch.agents.engine.entity_table import EntityTable
from funnelwatch.agents.engine.publisher import Publisher
from funnelwatch.agents.engine.room import Room
from funnelwatch.agents.engine.storms import Storms
from funnelwatch.agents.engine.table_store import Changes
from funnelwatch.schemas import fields
from funnelwatch.schemas.codec import UNLIMITED
from funnelwatch.streams.samples import KpiSeries
from funnelwatch.streams.storm import Storm


def overwrite() -> None:
    """Faust's own rules of recovery: the last record wins, and nobody looks who wrote it."""
    changelog.merge_record = lambda rules, row, record: record.value

    def own(self: Contiguity, first: int, count: int) -> None:
        self._know(self._next, max(self._next, first + count))

    Contiguity.own = own


def no_repair() -> None:
    """Another worker's records in the changelog of ours are seen and left alone."""
    EntityTable._start_repair = lambda self, partition, opening, gap: opening.repaired(gap)


def no_merge() -> None:
    """Recovery overwrites rows; strangers are still looked for."""
    changelog.merge_record = lambda rules, row, record: record.value


def no_barrier() -> None:
    """Offsets are committed without waiting for what was sent."""

    async def passed(self: SendBarrier, timeout_seconds: float) -> bool:
        await asyncio.sleep(0)
        return True

    SendBarrier.passed = passed


def redelivery_forgotten() -> None:
    """What the disk knows already is not written to the changelog again."""
    EntityTable.may_be_redelivered = lambda self, partition, topic, offset: False


def mark_moves_back() -> None:
    """How far the disk has folded is what the last chunk said, also if that was delivered again."""

    def write(self: EntityTable, partition: int, rows: Any, source: Any = None) -> None:
        changes = Changes().rows(rows)
        if source is not None:
            changes.folded_through(*source)
        changes.write(self._db(partition))
        self._cached[partition].put(rows)

    EntityTable.write = write


def no_fence() -> None:
    """Redis takes every write, whoever owns the shard."""
    script = shard_store._script
    shard_store._script = lambda name: (
        script(name)
        .replace("local function refused()", "local function refused()\n  if true then return false end")
        .replace("if owner and epoch_of(owner) > epoch_of(ARGV[1]) then return 'fenced' end", "")
    )


def redis_not_watched() -> None:
    """Nobody looks whether Redis was restarted or flushed, and a lost owner key means claim, not publish again."""

    async def look_away(self: Publisher) -> None:
        self._run_id = self._run_id or ""
        await asyncio.sleep(0)

    note = Publisher._note

    def claim_only(self: Publisher, shard: Any, answer: Any) -> bool:
        everything = shard.publish_all
        ok = note(self, shard, answer)
        shard.publish_all = everything and not ok
        return ok

    Publisher._look_after_redis = look_away
    Publisher._note = claim_only


def refusals_unsaid() -> None:
    """A worker whose writes Redis does not take keeps it to itself."""

    async def say_nothing(self: Publisher) -> None:
        await asyncio.sleep(0)

    Publisher._say_refused = say_nothing


def ingestion_waits() -> None:
    """A chunk is folded only while Redis takes what is published."""
    publishers: list[Publisher] = []
    init, fold = Publisher.__init__, fold_agent.FoldAgents.fold_events

    def remembered(self: Publisher, *arguments: Any) -> None:
        init(self, *arguments)
        publishers.append(self)

    async def waiting(self: Any, *arguments: Any) -> None:
        while not all(one.is_connected for one in publishers):  # noqa: ASYNC110  (no event tells it)
            await asyncio.sleep(0.1)
        await fold(self, *arguments)

    Publisher.__init__ = remembered
    fold_agent.FoldAgents.fold_events = waiting


def storms_unseen() -> None:
    """However much of a partition is refused, it is read on."""
    Storm.note = lambda self, now, read, refused: False


def stops_untold() -> None:
    """Whoever gets a partition does not know that it had stopped."""
    Storms.adopt = lambda self: None


def room_unseen() -> None:
    """Nobody looks how much room there is, and a full disk is a fault like any other."""

    async def never(self: Room) -> None:
        await asyncio.get_running_loop().create_future()

    async def begin(self: Room, stop: asyncio.Event) -> None:
        await asyncio.sleep(0)

    Room.exhausted, Room.wait = never, begin
    application.is_no_room = lambda error: False


def full_disk_passed_over() -> None:
    """A row that cannot be written is left to the next time; its offset moves all the same."""
    write = Changes.write

    def write_or_not(self: Changes, db: Any) -> None:
        with contextlib.suppress(Exception):
            write(self, db)

    async def never(self: Room) -> None:
        await asyncio.get_running_loop().create_future()

    Changes.write, Room.exhausted = write_or_not, never


def acknowledged_unasked() -> None:
    """Faust's compiled streams acknowledge whatever an agent has had, also what it dropped."""
    DurableConsumer.settle = lambda self, message: None


def letters_dropped() -> None:
    """What is refused is counted and not kept."""

    async def refuse(self: Any, tally: Any) -> None:
        await asyncio.sleep(0)

    fold_agent.FoldAgents._refuse = refuse


def skips_acknowledged() -> None:
    """What a stream skips while a rebalance begins is acknowledged, as Faust does it."""
    ack = DurableConsumer.ack

    def ack_whatever(self: DurableConsumer, message: Any) -> bool:
        self.folded(message)
        return ack(self, message)

    DurableConsumer.ack = ack_whatever


def resumed_early() -> None:
    """Source partitions are fetched from as soon as somebody sought, and a stopped fetch seeks too: Faust's way."""
    seek, getmany = DurableConsumer.perform_seek, ChunkConsumer.getmany

    async def seek_and_resume(self: DurableConsumer) -> None:
        await seek(self)
        sought, self._sought = self._sought, set()
        driver.Consumer.resume_partitions(self, sought)

    async def seek_when_stopped(self: ChunkConsumer, seconds: float = 1.0, **named: Any) -> Any:
        async for delivery in getmany(self, named.get("timeout", seconds)):
            yield delivery
        if not self.flow_active:
            with contextlib.suppress(Exception):
                await self.perform_seek()

    DurableConsumer.perform_seek = seek_and_resume
    ChunkConsumer.getmany = seek_when_stopped


def replication_ignored() -> None:
    """Topics are created with one replica, whatever is configured."""
    create = topics._create
    topics._create = lambda admin, missing, replication: create(
        admin, [msgspec.structs.replace(topic, config={**topic.config, topics.IN_SYNC: "1"}) for topic in missing], 1
    )
    topics._satisfies = lambda name, is_, wanted: True


def details_quoted() -> None:
    """Dead letters quote what was sent."""
    fields.described = fields.shown


def urls_whole() -> None:
    """The user and password in a recording's URL are kept."""
    fields._USER_IN_URL = re.compile("(?!)")


def fingerprint_ignored() -> None:
    """The board takes figures of any meaning."""
    reader.Reader._ours = lambda self, shard, head: True


def any_time_taken() -> None:
    """No event is too old or too far ahead."""
    judging.Judge.limits = lambda self, system_us: UNLIMITED


def calendar_in_utc() -> None:
    """Workers take days and months to begin everywhere when they begin in Greenwich."""
    init = application.Context.__init__

    def in_utc(self: Any, settings: Any, calendar: Any) -> None:
        plain = msgspec.structs.replace(settings.calendar, zone="UTC")
        init(self, settings, type(calendar)(plain))

    application.Context.__init__ = in_utc


def emptied_at_claim() -> None:
    """Who takes a shard over empties it first, instead of putting a whole copy in place of the old one."""
    claim = shard_store.ShardStore.claim

    async def claim_and_empty(self: shard_store.ShardStore, shard: Any) -> Any:
        answer = await claim(self, shard)
        if answer is shard_store.Answer.TAKEN:
            await self.swap(shard, 0)  # of a copy that has nothing in it
            await asyncio.sleep(EMPTY_SECONDS)
        return answer

    shard_store.ShardStore.claim = claim_and_empty


EMPTY_SECONDS = 4.0
"""As long as a very large shard takes."""


def gives_up() -> None:
    """A worker leaves as soon as a broker cannot be connected to, and waits for none when it starts."""
    connect = client.AIOKafkaClient._get_conn

    async def or_leave(self: client.AIOKafkaClient, *arguments: Any, **named: Any) -> Any:
        connection = await connect(self, *arguments, **named)
        if connection is None:
            os._exit(GAVE_UP)
        return connection

    client.AIOKafkaClient._get_conn = or_leave
    worker.KAFKA_SECONDS_MAX = 0.0


GAVE_UP = 71


def no_cap() -> None:
    """The board gives every rep it hears of series of its own."""
    init = KpiSeries.__init__
    KpiSeries.__init__ = lambda self, page, windows, reps_max: init(self, page, windows, 10**9)


def recovery_skips() -> None:
    """Of every batch that recovery reads, the last record is passed over."""
    take = changelog.Merged.take
    changelog.Merged.take = lambda self, rules, records: take(self, rules, list(records)[:-1])


def nothing_forgotten() -> None:
    """State stays, however old it is."""

    async def rest(self: Any) -> None:
        await asyncio.Event().wait()

    forgetting.Forgetting.run = rest


MUTATIONS: dict[str, Callable[[], None]] = {
    mutation.__name__: mutation
    for mutation in (
        overwrite,
        no_repair,
        no_merge,
        no_barrier,
        redelivery_forgotten,
        mark_moves_back,
        no_fence,
        redis_not_watched,
        refusals_unsaid,
        ingestion_waits,
        storms_unseen,
        stops_untold,
        room_unseen,
        full_disk_passed_over,
        acknowledged_unasked,
        letters_dropped,
        skips_acknowledged,
        resumed_early,
        replication_ignored,
        details_quoted,
        urls_whole,
        fingerprint_ignored,
        any_time_taken,
        calendar_in_utc,
        emptied_at_claim,
        gives_up,
        no_cap,
        recovery_skips,
        nothing_forgotten,
    )
}

OF_THE_BOARD = frozenset({"no_cap", "fingerprint_ignored"})
"""All others concern workers."""

_UNDER_FIRE = "tests/simulation/test_table_under_fire.py"
_TRANSPORT = "tests/agents/test_chunk_transport.py"
FORCED: dict[str, tuple[str, ...]] = {
    "overwrite": (_UNDER_FIRE,),
    "no_merge": (_UNDER_FIRE,),
    "no_repair": (_UNDER_FIRE,),
    "no_barrier": (_UNDER_FIRE,),
    "redelivery_forgotten": (_UNDER_FIRE,),
    "mark_moves_back": (_UNDER_FIRE,),
    "skips_acknowledged": (_TRANSPORT,),
    "resumed_early": (_TRANSPORT,),
}
"""Tests with the interleaving forced; each fails without the mechanism."""
