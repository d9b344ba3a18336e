"""Changelogs compacted at once, by the broker itself, and how many records went that way."""

from __future__ import annotations

from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from funnelwatch.agents import topics
from funnelwatch.agents.connections import kafka_admin, kafka_client
from funnelwatch.schemas.events import Kind
from funnelwatch.schemas.settings import Secrets, Settings

BROKER = {"log.cleaner.backoff.ms": "200"}
"""Properties of a broker whose cleaner looks often."""
AT_ONCE = {
    "cleanup.policy": "compact",
    "min.compaction.lag.ms": "0",
    "min.cleanable.dirty.ratio": "0.001",
    "segment.ms": "100",  # whatever is appended later closes the segment, and only closed ones are compacted
}


class Log(NamedTuple):
    """One partition of a changelog: its end, and how many records stand in it."""

    end: int
    held: int

    @property
    def gone(self) -> int:
        """How many were compacted away."""
        return self.end - self.held


async def begin(settings: Settings) -> None:
    """Compact whatever is written from now on, and what stands there."""
    await _configure(settings, AT_ONCE)


async def end(settings: Settings) -> None:
    """As the product wants it."""
    names = {topics.changelog_topic(settings, kind) for kind in Kind}
    await _configure(settings, next(topic.config for topic in topics.wanted(settings) if topic.name in names))


async def _configure(settings: Settings, config: dict[str, str]) -> None:
    async with kafka_admin(settings, Secrets()) as admin:
        resources = [
            ConfigResource(ConfigResourceType.TOPIC, topics.changelog_topic(settings, kind), dict(config))
            for kind in Kind
        ]
        for response in await admin.alter_configs(resources):
            for code, message, *_ in response.resources:
                if code:
                    raise RuntimeError(f"topics cannot be altered: {message}")


async def logs(settings: Settings) -> dict[TopicPartition, Log]:
    """Every partition of every changelog as it stands."""
    parts = [
        TopicPartition(topics.changelog_topic(settings, kind), partition)
        for kind in Kind
        for partition in range(settings.kafka.partitions)
    ]
    async with AIOKafkaConsumer(
        **kafka_client(settings, Secrets()), auto_offset_reset="earliest", enable_auto_commit=False
    ) as consumer:
        consumer.assign(parts)
        ends = await consumer.end_offsets(parts)
        held = dict.fromkeys(parts, 0)
        while any([await consumer.position(part) < ends[part] for part in parts]):
            for part, records in (await consumer.getmany(timeout_ms=100)).items():
                held[part] += sum(record.offset < ends[part] for record in records)
        return {part: Log(ends[part], held[part]) for part in parts}
