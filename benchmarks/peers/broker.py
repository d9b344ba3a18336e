"""The comparison's own Kafka: topics made, filled, read and removed. It refuses any other broker."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from funnelwatch.agents.embedded import EmbeddedKafka, free_ports
from funnelwatch.agents.publisher import Publisher
from funnelwatch.schemas.settings import KafkaSettings, Secrets, Settings

PARTITIONS = 4
READ_MS = 2_000
GONE_POLLS = 100


class Broker(contextlib.AbstractContextManager["Broker"]):
    """An embedded Kafka with a cluster id made for this run, whose topics have so many partitions."""

    def __init__(self, folder: Path, partitions: int = PARTITIONS) -> None:
        self.partitions = partitions
        self.cluster_id = base64.urlsafe_b64encode(b"bench" + uuid.uuid4().bytes[:11]).decode().rstrip("=")
        self._kafka = EmbeddedKafka(folder, *free_ports(2), cluster_id=self.cluster_id)
        self.bootstrap = self._kafka.bootstrap

    @property
    def pid(self) -> int:
        """Of the running broker."""
        assert self._kafka.pid is not None, "the broker has ended"
        return self._kafka.pid

    def __enter__(self) -> Self:
        self._kafka.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._kafka.stop()

    def create(self, topics: Iterable[str]) -> None:
        """Make topics."""
        asyncio.run(self._create(list(topics)))

    def publish(self, topic: str, events: Iterable[tuple[str, bytes]]) -> int:
        """Fill a topic with (entity, event); how many there were."""
        return asyncio.run(self._publish(topic, events))

    def remove(self, prefix: str) -> None:
        """Remove topics of one run."""
        asyncio.run(self._remove(prefix))

    def last(self, topic: str) -> dict[bytes, bytes]:
        """The newest value of each key."""
        return asyncio.run(self._last(topic))

    def settings(self, prefix: str = "", group: str = "funnelwatch") -> KafkaSettings:
        """Settings of our own processes."""
        return KafkaSettings(bootstrap=(self.bootstrap,), prefix=prefix, group=group, partitions=self.partitions)

    @contextlib.asynccontextmanager
    async def _admin(self) -> Any:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            found = (await admin.describe_cluster())["cluster_id"]
            if found != self.cluster_id:
                raise SystemExit(f"REFUSED: {self.bootstrap} is the cluster {found}, ours is {self.cluster_id}.")
            yield admin
        finally:
            await admin.close()

    async def _create(self, topics: list[str]) -> None:
        async with self._admin() as admin:
            await admin.create_topics([NewTopic(topic, self.partitions, 1) for topic in topics])

    async def _publish(self, topic: str, events: Iterable[tuple[str, bytes]]) -> int:
        async with Publisher(Settings(kafka=self.settings()), Secrets()) as publisher:
            for entity, event in events:
                await publisher.add(topic, entity, event)
        return publisher.events

    async def _remove(self, prefix: str) -> None:
        async with self._admin() as admin:
            for _ in range(GONE_POLLS):
                topics = [topic for topic in await admin.list_topics() if topic.startswith(prefix)]
                if not topics:
                    return
                await admin.delete_topics(topics)
                await asyncio.sleep(0.1)

    async def _last(self, topic: str) -> dict[bytes, bytes]:
        last: dict[bytes, bytes] = {}
        async with AIOKafkaConsumer(
            topic, bootstrap_servers=self.bootstrap, group_id=None, auto_offset_reset="earliest"
        ) as consumer:
            ends = await consumer.end_offsets(consumer.assignment())
            while any([await consumer.position(partition) < end for partition, end in ends.items()]):
                for records in (await consumer.getmany(timeout_ms=READ_MS)).values():
                    last.update((record.key, record.value) for record in records)
        return last
