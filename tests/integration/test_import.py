"""Importing into a real Kafka: the events of ``--output`` arrive, each at home and its entity's in order."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from funnelwatch.agents import topics
from funnelwatch.agents.importer import run
from funnelwatch.agents.partitioning import partition_of
from funnelwatch.schemas.codec import UNLIMITED, decode
from funnelwatch.schemas.events import Kind
from funnelwatch.schemas.settings import Secrets

pytestmark = pytest.mark.integration
ROWS = 2_000
OUTCOMES = ("Lost", "Won", "Won")
EXPORT = "opportunity_id,sales_agent,account,deal_stage,engage_date,close_date,close_value\n" + "".join(
    f"O{number % 700},Ann {number % 7},Acme,{OUTCOMES[number % 3]},2017-01-{number % 28 + 1:02},2017-03-01,5\n"
    for number in range(ROWS)
)


def test_what_is_imported_arrives_at_home_and_in_order(settings, tmp_path):
    source, output = tmp_path / "export.csv", tmp_path / "events.ndjson"
    source.write_text(EXPORT)
    asyncio.run(topics.ensure(settings, Secrets()))
    assert run(settings, Secrets(), Path("crm"), [source], output, None) == 0
    assert run(settings, Secrets(), Path("crm"), [source], None, None) == 0
    arrived = asyncio.run(everything(settings, topics.input_topic(settings, Kind.DEAL)))

    expected, found = defaultdict(list), defaultdict(list)
    for line in output.read_bytes().splitlines():
        (event,) = decode(Kind.DEAL, line, (), UNLIMITED)
        expected[event.subject].append(event)
    for record in arrived:
        for event in decode(Kind.DEAL, record.value, record.headers, UNLIMITED):
            assert record.partition == partition_of(event.subject, settings.kafka.partitions)
            found[event.subject].append(event)
    assert sum(map(len, expected.values())) == 2 * ROWS
    assert found == expected


async def everything(settings, topic):
    """All records of a topic."""
    async with AIOKafkaConsumer(
        bootstrap_servers=settings.kafka.bootstrap[0], auto_offset_reset="earliest"
    ) as consumer:
        homes = [TopicPartition(topic, partition) for partition in range(settings.kafka.partitions)]
        consumer.assign(homes)
        ends = await consumer.end_offsets(homes)
        return [await consumer.getone() for _ in range(sum(ends.values()))]
