from __future__ import annotations

import asyncio
import contextlib
import logging
import threading

import pytest
from msgspec.structs import replace
from redis import Redis
from support.shards import ShardWriter

from funnelwatch.agents.board import loading
from funnelwatch.agents.board import reader as module
from funnelwatch.agents.board.backlog import Backlog
from funnelwatch.agents.board.now import judging_now
from funnelwatch.agents.board.reader import Reader
from funnelwatch.agents.embedded import EmbeddedRedis, free_ports
from funnelwatch.agents.tasks import ended
from funnelwatch.schemas.events import Kind
from funnelwatch.schemas.settings import KafkaSettings, RedisSettings, Secrets, Settings
from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.cells import DayCell
from funnelwatch.streams.table import Table

DAY = 739_942
AT = 1_795_000_000_000_000
CELL = DayCell("r1", DAY)
MEASURE = ("won", "default", "EUR")
DEAL = (Kind.DEAL, 0)
SECONDS_MAX = 10.0


@pytest.fixture(autouse=True)
def _quickly(monkeypatch):
    monkeypatch.setattr(module, "RECONNECT_SECONDS", 0.05)
    monkeypatch.setattr(module, "CHECK_SECONDS", 0.2)
    monkeypatch.setattr(module, "POLL_SECONDS", 0.05)


@pytest.fixture
def settings(redis_server, prefix) -> Settings:
    return Settings(
        redis=RedisSettings(port=redis_server.port, prefix=prefix.rstrip(".")), kafka=KafkaSettings(partitions=2)
    )


@pytest.fixture
def writer(settings):
    found = ShardWriter(settings)
    yield found
    found.close()


@contextlib.asynccontextmanager
async def following(settings: Settings):
    table = Table(settings, Calendar(settings.calendar))
    reader = Reader(settings, Secrets(), table)
    task = asyncio.create_task(reader.run())
    try:
        yield reader, table
    finally:
        await ended(task)


def won(table: Table) -> int:
    return table.days("rep", "r1").get(DAY, {}).get(MEASURE, 0)


async def until(holds) -> None:
    async with asyncio.timeout(SECONDS_MAX):
        while not holds():  # noqa: ASYNC110  (what is waited for is another process's doing)
            await asyncio.sleep(0.01)


async def test_what_was_there_before_is_read_whole(settings, writer):
    writer.everything({DEAL: {CELL: {MEASURE: 3}}, (Kind.DEAL, 1): {CELL: {MEASURE: 4}}}, at=AT)
    async with following(settings) as (reader, table):
        await until(lambda: reader.trouble() is None)

        assert won(table) == 7
        assert reader.share == 1.0
        assert reader.watermark_us() == AT
        assert {head.epoch for head in reader.heads.values()} == {7}


async def test_it_is_in_trouble_until_every_shard_was_read(settings, writer):
    async with following(settings) as (reader, _):
        await until(lambda: reader.away is None)

        assert reader.trouble() == "0 of 10 partitions have been read. Are the workers running?"

        writer.everything({}, at=AT)
        await until(lambda: reader.trouble() is None)


async def test_changes_are_followed_without_reading_again(settings, writer):
    writer.everything({}, at=AT)
    async with following(settings) as (reader, table):
        await until(lambda: reader.trouble() is None)
        before = reader.reloads_total
        for number in range(1, 51):
            writer.change(*DEAL, {CELL: {MEASURE: number}, DayCell("r2", DAY): {MEASURE: 1}}, at=AT + number)
        writer.change(*DEAL, {DayCell("r2", DAY): None}, at=AT + 51)
        await until(lambda: reader.heads[DEAL].seq == 52)

        assert won(table) == 50
        assert table.reps() == ["r1"]
        assert reader.reloads_total == before


async def test_a_gap_in_the_numbers_is_noticed_and_read_whole(settings, writer):
    writer.everything({}, at=AT)
    async with following(settings) as (reader, table):
        await until(lambda: reader.trouble() is None)
        writer.change(*DEAL, {CELL: {MEASURE: 5}}, at=AT, silently=True)
        writer.change(*DEAL, {DayCell("r2", DAY): {MEASURE: 1}}, at=AT)
        await until(lambda: won(table) == 5)

        assert table.reps() == ["r1", "r2"]


async def test_a_lost_last_note_is_noticed_without_another(settings, writer):
    writer.everything({}, at=AT)
    async with following(settings) as (reader, table):
        await until(lambda: reader.trouble() is None)
        writer.change(*DEAL, {CELL: {MEASURE: 5}}, at=AT, silently=True)

        await until(lambda: won(table) == 5)


async def test_a_new_owner_replaces_what_the_last_one_said(settings, writer):
    writer.everything({DEAL: {CELL: {MEASURE: 5}}}, at=AT)
    async with following(settings) as (reader, table):
        await until(lambda: reader.trouble() is None)
        heir = ShardWriter(settings, epoch=8)
        heir.whole(*DEAL, {DayCell("r2", DAY): {MEASURE: 2}}, at=AT + 1)
        await until(lambda: reader.heads[DEAL].epoch == 8)

        assert table.reps() == ["r2"]

        heir.whole(*DEAL, {CELL: {MEASURE: 1}}, at=AT + 2, silently=True)
        await until(lambda: won(table) == 1)
        heir.close()


async def test_a_beat_makes_a_shard_younger_and_nothing_else(settings, writer):
    writer.everything({}, at=AT)
    async with following(settings) as (reader, _):
        await until(lambda: reader.trouble() is None)
        before = reader.reloads_total
        writer.beat(*DEAL, watermark=AT + 5, at=AT + 9)
        await until(lambda: reader.heads[DEAL].updated_us == AT + 9)

        assert reader.watermark_us() == AT + 5
        assert reader.reloads_total == before


async def test_a_beat_of_a_shard_without_events_leaves_the_newest_event_time_alone(settings, writer):
    writer.everything({}, at=AT)
    async with following(settings) as (reader, _):
        await until(lambda: reader.trouble() is None)
        before = reader.watermark_us()
        writer.beat(*DEAL, watermark=None, at=AT + 9)
        await until(lambda: reader.heads[DEAL].updated_us == AT + 9)

        assert reader.watermark_us() == before


async def test_another_configuration_is_left_out_and_said_once(settings, writer, caplog):
    writer.everything({DEAL: {CELL: {MEASURE: 5}}}, at=AT)
    async with following(settings) as (reader, table):
        await until(lambda: reader.trouble() is None)
        stranger = ShardWriter(settings, epoch=9, fingerprint="0123456789ab")
        stranger.whole(*DEAL, {CELL: {MEASURE: 100}}, at=AT)
        stranger.close()
        await until(lambda: reader.trouble() is not None)
        await asyncio.sleep(0.5)

        assert won(table) == 0
        assert "Another configuration published deal/0" in reader.trouble()
        assert [record.levelno for record in caplog.records if "deal/0" in record.message] == [logging.ERROR]

        writer.epoch = 10
        writer.whole(*DEAL, {CELL: {MEASURE: 6}}, at=AT)
        await until(lambda: reader.trouble() is None)

        assert won(table) == 6


async def test_nonsense_on_the_channel_changes_nothing(settings, writer):
    writer.everything({DEAL: {CELL: {MEASURE: 5}}}, at=AT)
    async with following(settings) as (reader, table):
        await until(lambda: reader.trouble() is None)
        for data in (b"", b"\xc1", b"\x90", module.decode_note.__name__.encode()):
            writer.shout(data)
        writer.change(*DEAL, {CELL: {MEASURE: 6}}, at=AT)

        await until(lambda: won(table) == 6)


async def test_a_flushed_redis_leaves_the_figures_standing_until_the_workers_publish_again(settings, writer):
    writer.everything({DEAL: {CELL: {MEASURE: 5}}}, at=AT)
    async with following(settings) as (reader, table):
        await until(lambda: reader.trouble() is None)
        writer.flush()
        said = "10 partitions are no longer in Redis; the workers publish them again."
        await until(lambda: reader.missing() == said)

        assert won(table) == 5

        writer.everything({DEAL: {CELL: {MEASURE: 9}}}, at=AT)
        await until(lambda: won(table) == 9 and reader.missing() is None)


async def test_redis_may_come_late_go_away_and_come_back(tmp_path, settings, caplog):
    caplog.set_level(logging.INFO)
    (port,) = free_ports(1)
    settings = replace(settings, redis=replace(settings.redis, port=port))
    server = EmbeddedRedis(tmp_path, port)
    async with following(settings) as (reader, table):
        await until(lambda: "away" in (reader.trouble() or ""))
        server.start()
        writer = ShardWriter(settings)
        writer.everything({DEAL: {CELL: {MEASURE: 5}}}, at=AT)
        await until(lambda: reader.trouble() is None)
        server.kill()
        await until(lambda: reader.trouble() is not None)

        assert f"Redis at 127.0.0.1:{port} is away" in reader.trouble()

        server.start()
        writer.everything({DEAL: {CELL: {MEASURE: 6}}}, at=AT)
        await until(lambda: reader.trouble() is None)
        writer.close()

        assert won(table) == 6
    server.stop()
    told = [record for record in caplog.records if "is away" in record.message]
    assert [record.levelno for record in told] == [logging.WARNING, logging.ERROR]


def test_now_is_the_newest_event_a_fixed_instant_or_the_clock():
    assert judging_now("event", lambda: AT)() == AT
    assert judging_now("2026-11-20T12:00:00.5+03:30", lambda: AT)() == 1_795_163_400_500_000
    assert judging_now("system", lambda: AT)() > 1_700_000_000_000_000
    with pytest.raises(ValueError, match="needs an offset"):
        judging_now("2026-11-20T12:00:00", lambda: AT)


async def test_writes_that_redis_refuses_make_the_figures_unavailable_until_one_is_taken(settings, writer):
    """Reads are answered all the while: without the worker's word the figures would only grow old."""
    writer.everything({DEAL: {CELL: {MEASURE: 5}}}, at=AT)
    async with following(settings) as (reader, table):
        await until(lambda: reader.trouble() is None)
        writer.refuse(*DEAL, "it is out of memory: raise its maxmemory, or remove other keys")
        await until(lambda: reader.trouble() is not None)

        assert reader.trouble() == (
            "Redis takes no writes, so the figures are old; it is out of memory: raise its maxmemory, or remove other "
            "keys. They come back by themselves."
        )
        assert won(table) == 5

        writer.beat(*DEAL, watermark=AT, at=AT + 1)
        await until(lambda: reader.trouble() is None)


async def test_a_worker_that_dies_while_its_writes_are_refused_does_not_blank_the_wall(settings, writer, monkeypatch):
    writer.everything({DEAL: {CELL: {MEASURE: 5}}}, at=AT)
    async with following(settings) as (reader, _):
        await until(lambda: reader.trouble() is None)
        writer.refuse(*DEAL, "it is out of memory")
        await until(lambda: reader.trouble() is not None)
        monkeypatch.setattr(module, "REFUSED_SECONDS", 0.0)

        assert reader.trouble() is None


async def test_who_reads_many_shards_as_a_whole_while_workers_publish_is_not_cut_off(settings, writer, monkeypatch):
    """Two years of 500 reps: what was told while the board read everything filled Redis' buffer, again and again."""
    writer.everything({}, at=AT)
    whole = Reader._load

    async def slowly(self, client, shard):
        await asyncio.sleep(0.3)
        await whole(self, client, shard)

    monkeypatch.setattr(Reader, "_load", slowly)
    redis = Redis(port=settings.redis.port)
    before = redis.config_get("client-output-buffer-limit")
    redis.config_set("client-output-buffer-limit", "pubsub 1mb 256kb 1")
    large = {("won", "default", f"{number:0100}"): 1 for number in range(500)}
    try:
        async with following(settings) as (reader, table):
            await asyncio.sleep(0.2)
            for number in range(1, 401):
                change = {CELL: {MEASURE: number}, DayCell("r2", DAY): large | {("won", "default", ""): number}}
                await asyncio.to_thread(writer.change, *DEAL, change, at=AT + number)
            await until(lambda: reader.trouble() is None and reader.heads[DEAL].seq == 401)

            await asyncio.sleep(0.5)  # whoever was cut off finds out now

            assert won(table) == 400
            assert reader.reloads_total == len(reader.heads) == 10
    finally:
        redis.config_set("client-output-buffer-limit", before["client-output-buffer-limit"])
        redis.close()


async def test_notes_wait_in_order_and_are_dropped_when_they_are_too_many(caplog):
    backlog = Backlog(bytes_max=10)
    assert await backlog.take(0.01) is None
    for note in (b"aaa", b"bbb", b"ccc"):
        backlog.put(note)
    assert (await backlog.take(1), len(backlog)) == (b"aaa", 2)

    backlog.put(b"dddddd")  # 12 bytes would wait

    assert (await backlog.take(1), len(backlog)) == (b"dddddd", 0)
    assert "2 notes of the workers are dropped" in caplog.text
    backlog.put(b"more than ten bytes")
    assert await backlog.take(1) == b"more than ten bytes"
    assert await backlog.take(0.01) is None


async def test_a_shard_that_is_written_while_it_is_read_is_never_shown_half(settings, writer, monkeypatch):
    """Cells are scanned some at a time: what is written meanwhile comes with its note, all of it or nothing."""
    monkeypatch.setattr(loading, "CELLS_PER_SCAN", 20)
    others = {DayCell(f"r{number}", DAY): {MEASURE: 1} for number in range(2_000, 4_000)}
    one, other, fleeting = DayCell("one", DAY), DayCell("other", DAY), DayCell("fleeting", DAY)
    writer.everything({DEAL: others | {one: {MEASURE: 1}, other: {MEASURE: 1}}}, at=AT)
    written = threading.Event()

    def write() -> None:
        for number in range(2, 1_500):
            gone = None if number % 2 else {MEASURE: 1}
            writer.change(*DEAL, {one: {MEASURE: number}, fleeting: gone, other: {MEASURE: number}}, at=AT + number)
        written.set()

    writing = asyncio.create_task(asyncio.to_thread(write))
    async with following(settings) as (reader, table):

        def count(rep: str) -> int:
            return table.days("rep", rep).get(DAY, {}).get(MEASURE, 0)

        seen = set()
        while not (written.is_set() and DEAL in reader.heads and reader.heads[DEAL].seq == 1_499):
            if DEAL in reader.heads:
                assert count("one") == count("other")
                assert count("fleeting") == (count("one") % 2 == 0)
                seen.add(count("one"))
            if len(seen) % 40 == 39:
                reader._heads.pop(DEAL)  # read it again, in the middle of it all
                seen.add(-len(seen))
            await asyncio.sleep(0)
        await writing

        assert count("one") == count("other") == 1_499
        assert len(table.reps()) == 2_002
        assert reader.reloads_total > 12
