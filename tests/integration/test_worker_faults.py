"""What a worker survives without a wrong figure: kills, a lost disk, a flushed Redis, poison, a stranger's records."""

from __future__ import annotations

import asyncio
import shutil
import time

import msgspec
import pytest
import redis
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from support.worker_process import WorkerProcess, differences, expected, floor_events, publish, published, wait_until

from funnelwatch.agents import topics
from funnelwatch.agents.partitioning import partition_of
from funnelwatch.schemas.codec import UNLIMITED, decode
from funnelwatch.schemas.events import Kind
from funnelwatch.schemas.settings import Secrets
from funnelwatch.streams.folds import FOLDS
from funnelwatch.streams.simulator import demo_settings

pytestmark = pytest.mark.integration
REPS = 10
SESSION_SECONDS = 6.0


@pytest.fixture
def installation(settings):
    worker = msgspec.structs.replace(settings.worker, session_seconds=SESSION_SECONDS)
    return msgspec.structs.replace(
        demo_settings(), clock="event", kafka=settings.kafka, redis=settings.redis, worker=worker
    )


@pytest.fixture
def client(redis_server):
    with redis.Redis(port=redis_server.port) as client:
        yield client


@pytest.fixture
async def worker(installation):
    await topics.ensure(installation, Secrets())
    process = WorkerProcess(installation)
    yield process
    if process.is_alive():
        process.kill()


def wanted_of(settings, events):
    return expected(settings, [(event.kind, event.value) for event in events])


def forget_redis(client, settings):
    """As a flush would, for this test's keys alone."""
    keys = client.keys(f"*{settings.redis.prefix}*")
    client.delete(*keys)


async def records_of(settings, topic: str) -> list:
    tps = [TopicPartition(topic, partition) for partition in range(settings.kafka.partitions)]
    async with AIOKafkaConsumer(
        bootstrap_servers=settings.kafka.bootstrap[0], auto_offset_reset="earliest"
    ) as consumer:
        consumer.assign(tps)
        ends = await consumer.end_offsets(tps)
        found = []
        while any([await consumer.position(tp) < ends[tp] for tp in tps]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                found += records
    return found


async def test_kills_a_lost_disk_and_a_flushed_redis_leave_every_cell_right(installation, client, worker):
    settings, events = installation, floor_events(2, installation, days=5, reps=REPS)
    wanted = wanted_of(settings, events)
    third = len(events) // 3
    worker.start()
    await publish(settings, events[:third])
    wait_until(lambda: sum(worker.counters().values()) > third // 2, 60, "half of the first third read")
    worker.kill()
    worker.start()
    await publish(settings, events[third : 2 * third])
    wait_until(lambda: sum(worker.counters().values()) > 0, 60, "reading again")
    worker.kill()
    shutil.rmtree(settings.worker.data_dir)
    worker.start()
    await publish(settings, events[2 * third :])
    wait_until(lambda: not differences(wanted, published(settings, client)), 60, "all cells in Redis")
    forget_redis(client, settings)
    started = time.monotonic()
    wait_until(lambda: not differences(wanted, published(settings, client)), 20, "Redis full again")

    assert time.monotonic() - started < 10
    assert worker.stop() == 0


HUGE = b"x" * 1_000_000
"""As large as the test's producer sends: with the headers of a dead letter more than a broker takes by default."""


async def test_poison_is_set_aside_with_its_bytes_and_its_place_and_the_good_ones_count(installation, client, worker):
    settings, events = installation, floor_events(3, installation, days=1, reps=REPS)
    topic = topics.input_topic(settings, Kind.DEAL)
    poison = [b"{nope", b'{"specversion": "1.0", "id": "x"}', None, b'[{"bad": 1}, 7]', b"\xff\xfe", HUGE]
    half = len(events) // 2
    await publish(settings, events[:half])
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka.bootstrap[0]) as producer:
        for value in poison:
            await producer.send_and_wait(
                topic, value=value, key=b"k", headers=[("trace", b"7"), ("dlq_reason", b"old")]
            )
    await publish(settings, events[half:])
    worker.start()
    wait_until(lambda: sum(worker.counters().values()) == len(events) + len(poison) + 1, 60, "everything read")
    wait_until(lambda: not differences(wanted_of(settings, events), published(settings, client)), 10, "cells")

    assert worker.counters() == {"applied": len(events), "unchanged": 0, "refused": len(poison) + 1}
    letters = await records_of(settings, topics.dead_letters_topic(settings))
    assert {letter.value for letter in letters} == {b"{nope", poison[1], None, b'{"bad": 1}', b"7", b"\xff\xfe", HUGE}
    headers = dict(next(letter for letter in letters if letter.value == b"{nope").headers)
    assert headers.pop("dlq_detail")
    assert headers.pop("dlq_time").endswith(b"Z")
    assert headers.pop("dlq_offset").isdigit()
    assert headers == {
        "trace": b"7",
        "dlq_reason": b"unreadable_json",
        "dlq_topic": topic.encode(),
        "dlq_partition": str(partition_of("k", settings.kafka.partitions)).encode(),
    }


async def test_records_of_a_stranger_in_the_changelog_are_merged_in_place(installation, client, worker):
    """A worker that was paused wakes up and writes what it knew: old rows, one event nobody else has, a tombstone."""
    settings, events = installation, floor_events(4, installation, days=2, reps=REPS)
    half = len(events) // 2
    fold = FOLDS[Kind.DEAL]
    first, last = events[:half], events[half:]
    worker.start()
    await publish(settings, first)
    wait_until(lambda: sum(worker.counters().values()) == half, 60, "the first half")
    pid = worker.pid

    deals = [event for event in first if event.kind is Kind.DEAL]
    subjects = list(dict.fromkeys(event.subject for event in deals))
    extra = deals[-1].value.replace(b'"id":"', b'"id":"stranger-')
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka.bootstrap[0]) as producer:
        for number, subject in enumerate(subjects):
            row = None
            if number % 3:
                state = fold.empty()
                one = next(event for event in deals if event.subject == subject).value
                fold.add(state, decode(Kind.DEAL, one, (), UNLIMITED)[0])
                row = fold.encode(state)
            home = partition_of(subject, settings.kafka.partitions)
            topic = topics.changelog_topic(settings, Kind.DEAL)
            await producer.send_and_wait(topic, value=row, key=subject.encode(), partition=home)
        state = fold.empty()
        fold.add(state, decode(Kind.DEAL, extra, (), UNLIMITED)[0])
        subject = deals[-1].subject
        home = partition_of(subject, settings.kafka.partitions)
        await producer.send_and_wait(topic, value=fold.encode(state), key=subject.encode(), partition=home)

    await publish(settings, last)
    wanted = expected(settings, [*((event.kind, event.value) for event in events), (Kind.DEAL, extra)])
    wait_until(lambda: not differences(wanted, published(settings, client)), 30, "the stranger's event counts")
    assert (worker.is_alive(), worker.pid) == (True, pid)
    assert "another worker's" in worker.log.read_text()

    await asyncio.sleep(settings.worker.commit_seconds)
    assert worker.stop() == 0
    rows = {
        record.key: record.value for record in await records_of(settings, topics.changelog_topic(settings, Kind.DEAL))
    }
    assert all(row is not None for row in rows.values())
    compacted = wanted_of(settings, [])
    assert compacted == {}
    shutil.rmtree(settings.worker.data_dir)
    forget_redis(client, settings)
    worker.start()
    wait_until(lambda: not differences(wanted, published(settings, client)), 60, "the same from the changelog alone")
    assert worker.counters()["applied"] == 0


@pytest.mark.parametrize("standby_replicas", [0, 1])
async def test_a_second_worker_joins_and_one_is_killed_and_nothing_is_wrong(
    installation, client, tmp_path, standby_replicas
):
    settings = msgspec.structs.replace(
        installation, worker=msgspec.structs.replace(installation.worker, standby_replicas=standby_replicas)
    )
    events = floor_events(5, settings, days=5, reps=REPS)
    await topics.ensure(settings, Secrets())
    worker = WorkerProcess(settings)
    other = WorkerProcess(
        msgspec.structs.replace(
            settings,
            worker=msgspec.structs.replace(settings.worker, data_dir=str(tmp_path / "other"), port=settings.board.port),
        )
    )
    third = len(events) // 3
    worker.start()
    try:
        await publish(settings, events[:third])
        wait_until(lambda: sum(worker.counters().values()) > third // 2, 60, "half of the first third")
        other.start()
        wait_until(other.is_ready, 60, "the second one has its partitions")
        await publish(settings, events[third : 2 * third])
        wait_until(lambda: sum(other.counters().values()) > 0, 60, "the second one reads")
        worker.kill()
        await publish(settings, events[2 * third :])
        wanted = wanted_of(settings, events)
        wait_until(lambda: not differences(wanted, published(settings, client)), 60, "all cells")

        assert other.stop() == 0
    finally:
        for process in (worker, other):
            if process.is_alive():
                process.kill()
