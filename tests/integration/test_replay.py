"""Replaying files: every event arrives once, in the partition any other client would choose, in its entity's order."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from rich.console import Console

from funnelwatch.agents import topics
from funnelwatch.agents.partitioning import partition_of
from funnelwatch.agents.replay import replay
from funnelwatch.schemas.events import Kind
from funnelwatch.schemas.settings import Secrets

pytestmark = pytest.mark.integration
EVENTS = 3_000
QUIET = Console(quiet=True)


@pytest.fixture
def history(tmp_path):
    """Deals and calls in turn, 150 of each, many events per entity; padded so that several batches are needed."""
    path = tmp_path / "history.ndjson.gz"
    with gzip.open(path, "wt") as file:
        for number in range(EVENTS):
            type_, subject = ("deal.updated", "d") if number % 2 else ("call.completed", "c")
            event = {"type": type_, "subject": f"{subject}{number % 300}", "number": number, "pad": "x" * 400}
            file.write(json.dumps(event) + "\n")
    return path


async def everything(settings, topic: str, messages: int) -> list[tuple[int, bytes | None, list[dict]]]:
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka.bootstrap[0], auto_offset_reset="earliest")
    async with consumer:
        consumer.assign([TopicPartition(topic, partition) for partition in range(settings.kafka.partitions)])
        found = [await consumer.getone() for _ in range(messages)]
    values = [json.loads(record.value) for record in found]
    return [
        (record.partition, record.key, value if isinstance(value, list) else [value])
        for record, value in zip(found, values, strict=True)
    ]


@pytest.mark.parametrize("pack", [1, 64])
async def test_every_event_arrives_once_at_home_and_in_order(settings, history, pack):
    await topics.ensure(settings, Secrets())
    summary = await replay([history], settings, Secrets(), console=QUIET, pack=pack)

    assert (summary.events, summary.unreadable) == (EVENTS, 0)
    arrived, messages = defaultdict(list), 0
    for kind in (Kind.DEAL, Kind.CALL):
        topic = topics.input_topic(settings, kind)
        async with AIOKafkaConsumer(bootstrap_servers=settings.kafka.bootstrap[0]) as consumer:
            ends = await consumer.end_offsets([TopicPartition(topic, p) for p in range(settings.kafka.partitions)])
        messages += sum(ends.values())
        for partition, key, events in await everything(settings, topic, sum(ends.values())):
            for event in events:
                assert partition == partition_of(event["subject"], settings.kafka.partitions)
                assert key == (event["subject"].encode() if pack == 1 or key is not None else None)
                arrived[event["subject"]].append(event["number"])

    assert summary.messages == messages
    assert sorted(number for numbers in arrived.values() for number in numbers) == list(range(EVENTS))
    assert all(numbers == sorted(numbers) for numbers in arrived.values())


async def test_the_partition_of_a_subject_is_the_one_other_clients_choose(settings):
    await topics.ensure(settings, Secrets())
    topic = topics.input_topic(settings, Kind.LEAD)
    subjects = ["1", "hubspot:42", "سرنخ", "a" * 256]
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka.bootstrap[0]) as producer:
        chosen = [(await producer.send_and_wait(topic, b"{}", key=subject.encode())).partition for subject in subjects]

    assert chosen == [partition_of(subject, settings.kafka.partitions) for subject in subjects]
