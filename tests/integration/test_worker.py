"""The worker on a real Kafka and a real Redis: what it publishes is what the pure path computes."""

from __future__ import annotations

import json

import msgspec
import pytest
import redis
from aiokafka import AIOKafkaProducer
from support.worker_process import WorkerProcess, differences, expected, floor_events, publish, published, wait_until

from funnelwatch.agents import topics
from funnelwatch.schemas.events import Kind
from funnelwatch.schemas.settings import Secrets
from funnelwatch.streams.simulator import demo_settings

pytestmark = pytest.mark.integration
REPS = 10


@pytest.fixture
def installation(settings):
    """The demo's organisation on the shared servers; figures age by the events."""
    return msgspec.structs.replace(
        demo_settings(), clock="event", kafka=settings.kafka, redis=settings.redis, worker=settings.worker
    )


@pytest.fixture
def client(redis_server):
    with redis.Redis(port=redis_server.port) as client:
        yield client


@pytest.fixture
def worker(installation):
    process = WorkerProcess(installation)
    yield process
    if process.is_alive():
        process.kill()


def binary(value: bytes) -> tuple[bytes, list[tuple[str, bytes]]]:
    """A structured event in binary mode: the attributes as headers, the data as value."""
    event = json.loads(value)
    data = json.dumps(event.pop("data")).encode()
    event.pop("datacontenttype", None)
    headers = [(f"ce_{name}", text.encode()) for name, text in event.items()]
    return data, [*headers, ("content-type", b"application/json")]


async def test_structured_binary_and_batched_messages_are_read_alike(installation, client):
    settings, events = installation, floor_events(2, installation, days=2, reps=4)
    await topics.ensure(settings, Secrets())
    third = len(events) // 3
    await publish(settings, events[:third])
    await publish(settings, events[third : 2 * third], pack=50)
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka.bootstrap[0]) as producer:
        for event in events[2 * third :]:
            value, headers = binary(event.value)
            topic = topics.input_topic(settings, event.kind)
            await producer.send(topic, value=value, key=event.subject.encode(), headers=headers)
    worker = WorkerProcess(settings).start()
    try:
        wait_until(lambda: sum(worker.counters().values()) >= len(events), 60, "everything read")
        wanted = expected(settings, [(event.kind, event.value) for event in events])
        wait_until(lambda: not differences(wanted, published(settings, client)), 10, "everything published")

        assert worker.counters() == {"applied": len(events), "unchanged": 0, "refused": 0}
    finally:
        worker.stop()


@pytest.mark.parametrize("delivery", ["chunk", "stock"])
async def test_events_of_all_kinds_become_the_cells_that_the_pure_path_has(installation, client, delivery):
    settings = msgspec.structs.replace(
        installation, worker=msgspec.structs.replace(installation.worker, delivery=delivery)
    )
    events = floor_events(1, settings, days=3, reps=REPS)
    await topics.ensure(settings, Secrets())
    await publish(settings, events)
    worker = WorkerProcess(settings).start()
    try:
        wait_until(lambda: sum(worker.counters().values()) >= len(events), 60, "everything read")
        wanted = expected(settings, [(event.kind, event.value) for event in events])
        wait_until(lambda: not differences(wanted, published(settings, client)), 10, "everything published")

        assert worker.counters() == {"applied": len(events), "unchanged": 0, "refused": 0}
    finally:
        code = worker.stop()
    assert code == 0


async def test_where_most_topics_are_empty_the_worker_is_up_to_date_all_the_same(installation, client, worker):
    """An organisation without emails is judged like any other."""
    await topics.ensure(installation, Secrets())
    deals = [event for event in floor_events(2, installation, days=2, reps=4) if event.kind is Kind.DEAL]
    await publish(installation, deals[:1])
    worker.start()

    def current() -> list[int]:
        keys = client.keys(f"*{installation.redis.prefix}:*meta")
        return [int(client.hget(key, "current_us") or 0) for key in keys]

    shards = len(Kind) * installation.kafka.partitions
    wait_until(lambda: len(current()) == shards and all(current()), 60, "every shard is up to date")
