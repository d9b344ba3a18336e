"""Events to Kafka, many at a time; to the disk while Kafka is away, and from there in their order when it is back.

Whoever puts events in is told when they are safe: acknowledged by all replicas, or synchronised to disk. Events that
were given to Kafka and not acknowledged in time are written to disk, too: if Kafka got them after all, it gets them
twice, and the second time is a repeat that changes nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from funnelwatch.agents.connections import kafka_client
from funnelwatch.agents.gateway.spool import FullError, Message, Spool
from funnelwatch.agents.partitioning import partition_of
from funnelwatch.schemas.settings import Secrets, Settings

log = logging.getLogger(__name__)

LINGER_SECONDS: Final = 0.002
"""How long events wait for company."""
BATCH_BYTES: Final = 256 * 1024
FLUSH_EVENTS_MAX: Final = 5_000
"""Events given to Kafka, or to the disk, at a time."""
FLUSHES_MAX: Final = 8
"""How many such portions may be unacknowledged."""
WAITING_EVENTS_MAX: Final = 50_000
"""Events that wait for their portion; more are refused as if the spool were full."""
DRAIN_EVENTS: Final = 2_000
RETRY_SECONDS: Final = 1.0
CONNECT_SECONDS: Final = 10.0
STOP_SECONDS: Final = 5.0
REQUEST_MS: Final = 5_000

_Portion = list[tuple[Sequence[Message], asyncio.Future[None]]]


class Outlet:
    """Where events leave the gateway. ``run`` does the work; `put` waits for it.

    ``connected`` is whether Kafka takes events; while it does not, or while what is on disk is drained, everything goes
    behind that.
    """

    def __init__(self, settings: Settings, secrets: Secrets, spool: Spool) -> None:
        self.connected = False
        self.published = 0
        self.spooled = 0
        self._settings = settings
        self._secrets = secrets
        self._spool = spool
        self._waiting: _Portion = []
        self._waiting_events = 0
        self._wake = asyncio.Event()
        self._away = asyncio.Event()
        self._away.set()
        self._flushes: set[asyncio.Task[None]] = set()
        self._producer: AIOKafkaProducer | None = None
        self._level = logging.WARNING

    async def put(self, messages: Sequence[Message]) -> None:
        """Return when all of the events are safe.

        Raises:
            FullError: Kafka is away and the spool is full. Some of the events may have been taken.
        """
        if not messages:
            return
        if self._waiting_events + len(messages) > WAITING_EVENTS_MAX:
            raise FullError(f"{self._waiting_events} events wait to be written")
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((messages, done))
        self._waiting_events += len(messages)
        self._wake.set()
        await done

    async def run(self) -> None:
        """Write what is put in, until cancelled; then what is still waiting is written to disk."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._recover())
                tasks.create_task(self._write())
        finally:
            self.connected = False
            await asyncio.gather(*self._flushes, return_exceptions=True)
            while self._waiting:
                await self._to_disk(self._portion())
            await self._disconnect()

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            await asyncio.sleep(LINGER_SECONDS)
            portion = self._portion()
            if self.connected:
                await self._to_kafka(portion)
            else:
                await self._to_disk(portion)

    def _portion(self) -> _Portion:
        count, size = 0, 0
        for messages, _ in self._waiting:
            count += 1
            size += len(messages)
            if size >= FLUSH_EVENTS_MAX:
                break
        portion, self._waiting = self._waiting[:count], self._waiting[count:]
        self._waiting_events -= size
        if not self._waiting:
            self._wake.clear()
        return portion

    async def _to_kafka(self, portion: _Portion) -> None:
        """Give events to Kafka; another task waits for the acknowledgement, so that the next portion can follow."""
        while len(self._flushes) >= FLUSHES_MAX:
            await asyncio.wait(self._flushes, return_when=asyncio.FIRST_COMPLETED)
        messages = [message for group, _ in portion for message in group]
        flush = asyncio.create_task(self._flush(messages, portion))
        self._flushes.add(flush)
        flush.add_done_callback(self._flushes.discard)

    async def _flush(self, messages: list[Message], portion: _Portion) -> None:
        if await self._send(messages):
            self.published += len(messages)
            _settle(portion)
        else:
            self._lost()
            await self._to_disk(portion)

    async def _to_disk(self, portion: _Portion) -> None:
        messages = [message for group, _ in portion for message in group]
        try:
            await self._spool.append(messages)
        except FullError as error:
            _settle(portion, error)
        else:
            self.spooled += len(messages)
            _settle(portion)

    async def _send(self, messages: Iterable[Message]) -> bool:
        """Whether Kafka has acknowledged the events, in the time it has."""
        try:
            async with asyncio.timeout(self._settings.gateway.kafka_seconds):
                sent = [await self._batches(home, group) for home, group in self._grouped(messages).items()]
                for future in chain.from_iterable(sent):
                    await future
        except (KafkaError, OSError, TimeoutError) as error:
            if self.connected:
                log.warning("Kafka does not acknowledge events (%s): they are written to disk", _told(error))
            return False
        return True

    def _grouped(self, messages: Iterable[Message]) -> dict[tuple[str, int], list[Message]]:
        partitions = self._settings.kafka.partitions
        found: dict[tuple[str, int], list[Message]] = {}
        for message in messages:
            found.setdefault((message.topic, partition_of(message.subject, partitions)), []).append(message)
        return found

    async def _batches(self, home: tuple[str, int], messages: list[Message]) -> list[asyncio.Future[Any]]:
        """Give the events of one partition to the client, which sends them; a future of each batch."""
        if self._producer is None:
            raise ConnectionError("not connected")
        topic, partition = home
        futures: list[asyncio.Future[Any]] = []
        batch = self._producer.create_batch()
        for message in messages:
            key = message.subject.encode()
            if batch.append(timestamp=None, key=key, value=message.event) is None:
                batch.close()
                futures.append(_watched(await self._producer.send_batch(batch, topic, partition=partition)))
                batch = self._producer.create_batch()
                batch.append(timestamp=None, key=key, value=message.event)
        batch.close()
        futures.append(_watched(await self._producer.send_batch(batch, topic, partition=partition)))
        return futures

    # --- Kafka comes and goes ---

    def _lost(self) -> None:
        self.connected = False
        self._away.set()

    async def _recover(self) -> None:
        """Connect, drain the disk, and let events go to Kafka directly; again whenever Kafka was lost."""
        while True:
            await self._away.wait()
            self._away.clear()
            while not await self._connect() or not await self._drain():
                await self._disconnect()
                await asyncio.sleep(RETRY_SECONDS)
            self._level = logging.WARNING
            log.info("events go to Kafka")

    async def _connect(self) -> bool:
        await self._disconnect()
        producer = AIOKafkaProducer(
            **kafka_client(self._settings, self._secrets),
            acks="all",
            max_batch_size=BATCH_BYTES,
            request_timeout_ms=REQUEST_MS,
        )
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await producer.start()
        except (KafkaError, OSError, TimeoutError) as error:
            log.log(self._level, "Kafka does not answer (%s): events are written to disk", _told(error))
            self._level = logging.DEBUG  # told once
            with contextlib.suppress(KafkaError, OSError, TimeoutError):
                await asyncio.wait_for(producer.stop(), STOP_SECONDS)
            return False
        self._producer = producer
        return True

    async def _drain(self) -> bool:
        """Give Kafka what is on disk, oldest first, until nothing is. Whether it took it."""
        while self._spool.events:
            through, messages = await self._spool.oldest(DRAIN_EVENTS)
            if not messages:
                await asyncio.sleep(LINGER_SECONDS)  # counted, and not yet written
                continue
            if not await self._send(messages):
                return False
            self.published += len(messages)
            try:
                await self._spool.remove(through, messages)
            except FullError as error:
                log.warning("events that Kafka has cannot be removed from the disk (%s)", error)
                return False
        self.connected = True
        return True

    async def _disconnect(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            with contextlib.suppress(KafkaError, OSError, TimeoutError):
                await asyncio.wait_for(producer.stop(), STOP_SECONDS)


def _settle(portion: _Portion, error: Exception | None = None) -> None:
    for _, done in portion:
        if done.done():
            continue
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)


def _watched(future: asyncio.Future[Any]) -> asyncio.Future[Any]:
    """A future whose error is never complained about: whoever waited for it may have given up."""
    future.add_done_callback(lambda done: done.cancelled() or done.exception())
    return future


def _told(error: BaseException) -> str:
    return str(error) or type(error).__name__
