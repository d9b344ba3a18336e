"""A topic from its beginning to where it ended when reading began, without a consumer group."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from funnelwatch.agents.connections import kafka_admin, kafka_client, kafka_trouble
from funnelwatch.agents.errors import OperationError
from funnelwatch.schemas.settings import Secrets, Settings

POLL_MS: Final = 500
POLLS_EMPTY_MAX: Final = 40
"""After so many polls in a row without a record, while some are missing, reading ends with an error."""


async def read_topic(settings: Settings, secrets: Secrets, topic: str) -> AsyncIterator[Any]:
    """The records of a topic (named without its prefix), each partition in order.

    Raises:
        OperationError: The topic does not exist, or Kafka stops answering.
    """
    name = settings.kafka.prefix + topic
    consumer: Any = None
    try:
        partitions = [TopicPartition(name, number) for number in range(await _partitions(settings, secrets, name))]
        consumer = AIOKafkaConsumer(
            **kafka_client(settings, secrets), group_id=None, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        await consumer.start()
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        firsts = await consumer.beginning_offsets(partitions)
        left = {home for home in partitions if firsts[home] < ends[home]}
        empty = 0
        while left:
            batches = await consumer.getmany(*left, timeout_ms=POLL_MS)
            for home, records in batches.items():
                for record in records:
                    if record.offset < ends[home]:
                        yield record
            left = {home for home in left if await consumer.position(home) < ends[home]}
            empty = 0 if batches else empty + 1
            if empty == POLLS_EMPTY_MAX:
                raise OperationError(f"{name} sends nothing more, but has not ended.")
    except (KafkaError, OSError) as error:
        raise kafka_trouble(settings, error) from error
    finally:
        if consumer is not None:
            await consumer.stop()


async def _partitions(settings: Settings, secrets: Secrets, name: str) -> int:
    async with kafka_admin(settings, secrets) as admin:
        topics = {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics()}
    if name not in topics:
        raise OperationError(f"Topic {name} does not exist: run `funnelwatch topics`, or see kafka.prefix.")
    return topics[name]
