"""Shards in a real Redis: fenced, swapped as a whole, announced as the board reads it, full again after a flush."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import msgspec
import pytest
import redis.asyncio
from prometheus_client import CollectorRegistry
from support.organisation import CALENDAR, SETTINGS

from funnelwatch.agents.board.shards import changes_channel, decode_note, shard_key
from funnelwatch.agents.embedded import EmbeddedRedis, free_ports
from funnelwatch.agents.engine.metrics import Metrics
from funnelwatch.agents.engine.publisher import BEAT_SECONDS, Publisher
from funnelwatch.agents.engine.shard_store import FIELDS_PER_CALL, Answer, ShardStore, refusal_of
from funnelwatch.agents.engine.shards import Shard
from funnelwatch.agents.engine.worker import ONCE
from funnelwatch.schemas.events import Kind
from funnelwatch.streams.cells import AdvanceCell, Contribution, decode_cell, decode_value, published
from funnelwatch.streams.shard import ShardCells

pytestmark = pytest.mark.integration
AT = 1_793_000_000_000_000
MINUTE = AT // 60_000_000


@pytest.fixture
async def client(redis_server):
    client = redis.asyncio.Redis(port=redis_server.port)
    yield client
    await client.aclose()


@pytest.fixture
def name(prefix):
    return prefix.rstrip(".")


def store_of(client, name: str, worker: str) -> ShardStore:
    return ShardStore(client, name, worker, SETTINGS.fingerprint)


def shard_of(epoch: int, reps: tuple[str, ...] = ("ada",), partition: int = 2) -> Shard:
    cells = ShardCells(CALENDAR, 30)
    cells.see(AT)
    cells.advance_to(AT)
    for rep in reps:
        cells.add(None, won(rep))
    return Shard(Kind.DEAL, partition, epoch, cells)


def won(rep: str, count: int = 1) -> Contribution:
    return Contribution(sums={(rep, MINUTE, ("won", "default", "EUR")): count}, advances={rep: AT})


class Fleet:
    """As `Shards`, as far as the publisher needs it."""

    def __init__(self, *shards: Shard) -> None:
        self.shards = list(shards)
        self.changed = asyncio.Event()

    def __iter__(self):
        return iter(self.shards)

    def age(self, cells: ShardCells) -> None:
        pass

    def take_behind_seconds(self) -> float:
        return 0.0


def publisher_of(shards: Shard | Fleet, store: ShardStore) -> Publisher:
    return Publisher(
        shards if isinstance(shards, Fleet) else Fleet(shards),
        store,
        Metrics(),
        lambda failure, why: pytest.fail(f"{why}: {failure}"),
        sample=lambda now_us: None,
        current_us=lambda kind, partition: AT,
    )


async def cells_of(client, name: str, partition: int = 2) -> dict:
    fields = await client.hgetall(shard_key(name, Kind.DEAL, partition, "cells"))
    cells = {decode_cell(field): value for field, value in fields.items()}
    return {cell: decode_value(cell, value) for cell, value in cells.items()}


async def meta_of(client, name: str) -> dict[str, str]:
    meta = await client.hgetall(shard_key(name, Kind.DEAL, 2, "meta"))
    return {key.decode(): value.decode() for key, value in meta.items()}


async def test_everything_is_published_once_claimed_and_then_only_what_changes(client, name):
    shard = shard_of(epoch=5)
    publisher = publisher_of(shard, store_of(client, name, "w1"))

    assert await publisher.publish() == len(shard.cells.all_cells())
    assert await cells_of(client, name) == shard.cells.all_cells()
    shard.cells.add(won("ada"), won("bob"))
    await publisher.publish()

    assert await cells_of(client, name) == shard.cells.all_cells()
    assert AdvanceCell("ada") not in await cells_of(client, name)
    assert await client.get(shard_key(name, Kind.DEAL, 2, "owner")) == b"5:w1"
    meta = await meta_of(client, name)
    assert int(meta.pop("updated_us")) > AT
    assert meta == {
        "seq": "2",
        "epoch": "5",
        "worker": "w1",
        "fingerprint": SETTINGS.fingerprint,
        "watermark_us": str(AT),
        "current_us": str(AT),
    }


async def test_a_shard_of_more_cells_than_fit_into_one_call_arrives_whole(client, name):
    shard = shard_of(epoch=1, reps=tuple(f"rep{n}" for n in range(FIELDS_PER_CALL)))
    publisher = publisher_of(shard, store_of(client, name, "w1"))
    await publisher.publish()
    for n in range(FIELDS_PER_CALL):
        shard.cells.add(won(f"rep{n}"), won(f"rep{n}", 2))
    await publisher.publish()

    assert await cells_of(client, name) == shard.cells.all_cells()


async def test_a_round_sends_what_changed_in_all_shards_and_one_that_is_lost_hinders_no_other(client, name):
    shards = [shard_of(epoch=5, partition=partition) for partition in range(4)]
    fleet = Fleet(*shards)
    publisher = publisher_of(fleet, store_of(client, name, "w1"))
    await publisher.publish()
    other = shard_of(6, ("cem",), partition=1)
    await publisher_of(other, store_of(client, name, "w2")).publish()
    for shard in shards:
        shard.cells.add(won("ada"), won("bob", 2))
    await client.script_flush()

    assert await publisher.publish() == 3 * len(shards[0].cells.all_cells()) + 3 * len(other.cells.all_cells())
    for partition in (0, 2, 3):
        assert await cells_of(client, name, partition) == shards[partition].cells.all_cells()
    assert await cells_of(client, name, 1) == other.cells.all_cells()
    assert [shard.claimed for shard in shards] == [True, False, True, True]
    assert not any(shard.unsent for shard in (shards[0], shards[2], shards[3]))


async def test_a_change_is_published_long_before_the_next_beat(client, name):
    shard = shard_of(1)
    fleet = Fleet(shard)
    delays = []
    async with client.pubsub() as channel:
        await channel.subscribe(changes_channel(name))
        publishing = asyncio.create_task(publisher_of(fleet, store_of(client, name, "w1")).run())
        await _heard(channel, "reload")
        for count in range(1, 6):
            await asyncio.sleep(0.05)  # it waits for something to happen by now
            began = asyncio.get_running_loop().time()
            shard.cells.add(won("ada", count), won("ada", count + 1))
            fleet.changed.set()
            await _heard(channel, "set")
            delays.append(asyncio.get_running_loop().time() - began)
        publishing.cancel()
        with suppress(asyncio.CancelledError):
            await publishing

    assert min(delays) < BEAT_SECONDS / 4
    assert await cells_of(client, name) == shard.cells.all_cells()


async def _heard(channel, op: str) -> None:
    async with asyncio.timeout(10):
        async for message in channel.listen():
            if message["type"] == "message" and msgspec.msgpack.decode(message["data"])[3] == op:
                return


async def test_what_an_earlier_owner_left_goes_with_the_swap(client, name):
    old, new = shard_of(1, ("ada", "bob")), shard_of(2, ("cem",))
    await publisher_of(old, store_of(client, name, "w1")).publish()
    await publisher_of(new, store_of(client, name, "w2")).publish()

    assert await cells_of(client, name) == new.cells.all_cells()


async def test_a_worker_that_was_paused_writes_nothing_behind_its_successor(client, name):
    old, new = shard_of(1, ("ada",)), shard_of(2, ("cem",))
    late = publisher_of(old, store_of(client, name, "w1"))
    await late.publish()
    await publisher_of(new, store_of(client, name, "w2")).publish()
    old.cells.add(None, won("bob"))

    assert await late.publish() == 0
    assert await cells_of(client, name) == new.cells.all_cells()
    assert not old.claimed
    assert await store_of(client, name, "w1").claim(old) is Answer.FENCED


async def test_the_same_worker_keeps_its_shard_over_a_rebalance_without_publishing_all_again(client, name):
    shard = shard_of(1)
    publisher = publisher_of(shard, store_of(client, name, "w1"))
    await publisher.publish()
    shard.epoch, shard.claimed = 2, False

    assert await publisher.publish() == 0
    assert (shard.claimed, (await meta_of(client, name))["seq"]) == (True, "1")


async def test_a_flushed_redis_is_full_again(client, name):
    shard = shard_of(1)
    publisher = publisher_of(shard, store_of(client, name, "w1"))
    await publisher.publish()
    await client.delete(*(shard_key(name, Kind.DEAL, 2, what) for what in ("owner", "cells", "meta")))
    publishing = asyncio.create_task(publisher.run())
    for _ in range(50):
        if await cells_of(client, name):
            break
        await asyncio.sleep(0.1)
    publishing.cancel()
    with suppress(asyncio.CancelledError):
        await publishing

    assert await cells_of(client, name) == shard.cells.all_cells()


async def test_every_call_is_announced_as_the_board_reads_it(client, name):
    shard = shard_of(1)
    store = store_of(client, name, "w1")
    async with client.pubsub() as channel:
        await channel.subscribe(changes_channel(name))
        await store.claim(shard)
        await store.swap(shard, updated_us=AT + 1)
        changes = published({AdvanceCell("ada"): 7, AdvanceCell("bob"): None})
        await store.send([store.write(shard, changes, updated_us=AT + 2)])
        await store.send([store.beat(shard, updated_us=AT + 3, current_us=AT + 2)])
        notes = []
        while len(notes) < 3:
            message = await channel.get_message(ignore_subscribe_messages=True, timeout=5)
            if message is not None:
                notes.append(msgspec.msgpack.decode(message["data"]))

    kinds = [note[:4] for note in notes]
    assert kinds == [["deal", 2, 1, "reload"], ["deal", 2, 2, "set"], ["deal", 2, 2, "beat"]]
    field, value, removed, nothing = notes[1][4]
    assert (decode_cell(field), decode_value(AdvanceCell("ada"), value)) == (AdvanceCell("ada"), 7)
    assert (decode_cell(removed), nothing) == (AdvanceCell("bob"), b"")
    assert (notes[0][4], notes[2][4]) == (None, [AT, AT + 3, AT + 2])


async def test_while_redis_is_away_changes_wait_and_none_is_lost(name):
    """Absolute values: what waits is at most as many as there are cells."""
    shard = shard_of(1)
    gone = redis.asyncio.Redis(port=1, retry=ONCE)
    publisher = publisher_of(shard, store_of(gone, name, "w1"))
    shard.claimed, shard.publish_all = True, False
    publisher._beat_at = float("inf")
    for n in range(1, 5):
        shard.cells.add(won("ada", n), won("ada", n + 1))
        with pytest.raises(redis.exceptions.ConnectionError):
            await publisher.publish()
    await gone.aclose()

    assert shard.unsent == shard.cells.all_published()


async def test_a_redis_out_of_memory_is_told_to_its_readers_and_gets_everything_when_there_is_room(tmp_path, name):
    """It answers reads and passes messages on: nobody but the writer can know."""
    server = EmbeddedRedis(tmp_path, *free_ports(1))
    with server:
        client = redis.asyncio.Redis(port=server.port, retry=ONCE)
        notes = client.pubsub()
        await notes.subscribe(changes_channel(name))
        shard = shard_of(1)
        publisher = publisher_of(shard, store_of(client, name, "w1"))
        running = asyncio.create_task(publisher.run())
        await told(notes, "beat")
        await client.config_set("maxmemory", "1")
        shard.cells.add(won("ada", 1), won("ada", 2))

        assert (await told(notes, "refused")).payload.startswith("it is out of memory: raise its maxmemory")
        assert (publisher.is_connected, publisher.refusal[:19]) == (False, "it is out of memory")

        await client.config_set("maxmemory", "0")
        await told(notes, "set")
        await told(notes, "beat")
        running.cancel()

        assert (publisher.is_connected, publisher.refusal) == (True, "")
        assert await cells_of(client, name) == shard.cells.all_cells()
        await notes.aclose()
        await client.aclose()


async def told(notes, op: str):
    """The next note of a kind."""
    async with asyncio.timeout(20):
        while True:
            message = await notes.get_message(ignore_subscribe_messages=True, timeout=1)
            if message is not None and decode_note(message["data"]).op == op:
                return decode_note(message["data"])


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("-OOM command not allowed when used memory > 'maxmemory'", "it is out of memory"),
        ("MISCONF Redis is configured to save RDB snapshots", "it cannot save its snapshot"),
        ("READONLY You can't write against a read only replica", "it is a read-only replica"),
        ("ERR something else", "it said: ERR something else"),
    ],
)
def test_why_redis_takes_no_writes_is_told_with_what_to_do(said, words):
    assert refusal_of(redis.exceptions.ResponseError(said)).startswith(words)


async def test_metrics_of_two_workers_in_one_process_do_not_mix():
    one, other = Metrics(), Metrics()
    one.count_events("crm.deals", 2, 1, ["bad_time"])

    assert isinstance(other.registry, CollectorRegistry)
    assert b'funnelwatch_events_total{result="applied",topic="crm.deals"} 2.0' in one.page()
    assert b'funnelwatch_refused_total{reason="bad_time"} 1.0' in one.page()
    assert b"crm.deals" not in other.page()
