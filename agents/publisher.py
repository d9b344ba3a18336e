"""Publishing many events fast: closed record batches per partition, the key's home computed as every client does."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Final, Self

from aiokafka import AIOKafkaProducer
from aiokafka.codec import has_gzip, has_lz4, has_snappy, has_zstd
from aiokafka.errors import KafkaError

from funnelwatch.agents.connections import kafka_client, kafka_trouble
from funnelwatch.agents.errors import OperationError
from funnelwatch.agents.partitioning import partition_of
from funnelwatch.schemas.settings import Secrets, Settings

BATCH_BYTES: Final = 256 * 1024
"""A record batch is sent when it is this large."""
IN_FLIGHT_BATCHES: Final = 64
"""How many batches may be unacknowledged; then the publisher waits."""
_AVAILABLE: Final = {"none": lambda: True, "gzip": has_gzip, "lz4": has_lz4, "snappy": has_snappy, "zstd": has_zstd}
COMPRESSIONS: Final = tuple(_AVAILABLE)


class Publisher:
    """Structured events to their topics. Events of one entity stay in order.

    Use it as an asynchronous context manager: leaving it in order waits until everything is acknowledged.
    """

    def __init__(self, settings: Settings, secrets: Secrets, *, compression: str = "none") -> None:
        if not _AVAILABLE[compression]():
            raise OperationError(f"Compression {compression} needs a library that is not installed: use none or gzip.")
        self.events = 0
        self.messages = 0
        self._settings = settings
        self._partitions = settings.kafka.partitions
        self._open: dict[tuple[str, int], Any] = {}
        self._unacknowledged: set[asyncio.Future[Any]] = set()
        self._producer = AIOKafkaProducer(
            **kafka_client(settings, secrets),
            acks="all",
            enable_idempotence=True,
            max_batch_size=BATCH_BYTES,
            compression_type=None if compression == "none" else compression,
        )

    async def __aenter__(self) -> Self:
        try:
            await self._producer.start()
        except (KafkaError, OSError) as error:
            await self._producer.stop()
            raise kafka_trouble(self._settings, error) from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if error is None:
                await self.flush()
        finally:
            await self._producer.stop()

    async def add(self, topic: str, subject: str, event: bytes) -> None:
        """Queue one event (CloudEvents JSON) of the entity ``subject``.

        Raises:
            OperationError: Kafka did not take an earlier batch.
        """
        self.events += 1
        await self.send(topic, partition_of(subject, self._partitions), subject.encode(), event)

    async def send(self, topic: str, partition: int, key: bytes | None, value: bytes) -> None:
        """Queue one message.

        Raises:
            OperationError: Kafka did not take an earlier batch.
        """
        self.messages += 1
        home = (topic, partition)
        batch = self._open.get(home)
        if batch is not None and batch.append(timestamp=None, key=key, value=value) is not None:
            return
        if batch is not None:
            await self._send(home, batch)
        self._open[home] = batch = self._producer.create_batch()
        batch.append(timestamp=None, key=key, value=value)

    async def flush(self) -> None:
        """Send what is queued and wait until Kafka has acknowledged everything.

        Raises:
            OperationError: Kafka did not take a batch.
        """
        for home, batch in list(self._open.items()):
            await self._send(home, batch)
        self._open.clear()
        await self._settle(0)

    async def _send(self, home: tuple[str, int], batch: Any) -> None:
        batch.close()
        topic, partition = home
        try:
            future = await self._producer.send_batch(batch, topic, partition=partition)
        except KafkaError as error:
            raise kafka_trouble(self._settings, error) from error
        self._unacknowledged.add(future)
        await self._settle(IN_FLIGHT_BATCHES)

    async def _settle(self, allowed: int) -> None:
        while len(self._unacknowledged) > allowed:
            done, _ = await asyncio.wait(self._unacknowledged, return_when=asyncio.FIRST_COMPLETED)
            self._unacknowledged -= done
            for future in done:
                if (error := future.exception()) is not None:
                    raise kafka_trouble(self._settings, error) from error
