"""Publishes ``kpi.reps`` (compacted, the newest document of each rep) and ``kpi.alerts``. Kafka may be away.

What waits is bounded: of each rep only the newest document, of alerts the last `ALERTS_WAITING_MAX`.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import deque
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from funnelwatch.agents import topics
from funnelwatch.agents.board.pace import Pace
from funnelwatch.agents.connections import kafka_client
from funnelwatch.schemas.document import Alert, Document
from funnelwatch.schemas.settings import Secrets, Settings

log = logging.getLogger(__name__)

PUBLISH_SECONDS: Final = 1.0
"""A rep's document is published at most this often."""
ALERTS_WAITING_MAX: Final = 10_000
"""Alerts that wait for Kafka; beyond, the oldest are dropped: they are history by then."""
DOCUMENTS_PER_ROUND: Final = 2_000
RETRY_SECONDS: Final = 5.0
REQUEST_MS_MAX: Final = 10_000
MESSAGE_BYTES_MAX: Final = 4_000_000
"""Larger documents are refused by the client; the broker's own limit may be lower."""


class Publisher:
    """Takes documents and alerts at any time; `run` sends them."""

    def __init__(self, settings: Settings, secrets: Secrets) -> None:
        self._options = kafka_client(settings, secrets)
        self._reps_topic = topics.reps_topic(settings)
        self._alerts_topic = topics.alerts_topic(settings)
        self._fresh: dict[str, Document] = {}
        self._waiting: dict[str, bytes | None] = {}
        self._alerts: deque[tuple[str, bytes]] = deque(maxlen=ALERTS_WAITING_MAX)
        self._digests: dict[str, bytes] = {}
        self._reachable: bool | None = None
        self.failures_total = 0

    def document(self, document: Document) -> None:
        """A rep's document; unless it says the same as the last one, as of another instant."""
        self._fresh[document.id] = document

    def gone(self, rep: str) -> None:
        """A rep who is listed no more: compaction forgets the document."""
        self._fresh.pop(rep, None)
        if self._digests.pop(rep, None) is not None:
            self._waiting[rep] = None

    def alerts(self, alerts: Iterable[Alert]) -> None:
        """Alerts that began, changed or ended, in order."""
        self._alerts.extend((alert.subject, msgspec.json.encode(alert)) for alert in alerts)

    async def run(self) -> None:
        """Send what waits until cancelled, however often Kafka goes away."""
        while True:
            producer = AIOKafkaProducer(
                acks="all", request_timeout_ms=REQUEST_MS_MAX, max_request_size=MESSAGE_BYTES_MAX, **self._options
            )
            try:
                await producer.start()
                while True:
                    await self._round(producer)
                    await asyncio.sleep(PUBLISH_SECONDS)
            except (KafkaError, OSError, TimeoutError) as error:
                self._lost(error)
            finally:
                await producer.stop()
            await asyncio.sleep(RETRY_SECONDS)

    async def _encode(self) -> None:
        """Put up to send what does not say the same as before."""
        pace = Pace()
        for rep in list(self._fresh)[:DOCUMENTS_PER_ROUND]:
            document = self._fresh.pop(rep, None)
            if document is not None:
                body = msgspec.json.encode(document)
                as_of = b'"as_of":' + msgspec.json.encode(document.as_of)  # no text has quotes that are not escaped
                digest = hashlib.blake2b(body.replace(as_of, b"", 1), digest_size=12).digest()
                if self._digests.get(rep) != digest:
                    self._digests[rep] = digest
                    self._waiting[rep] = body
            await pace.rest()

    async def _round(self, producer: Any) -> None:
        while self._alerts:
            key, value = self._alerts[0]
            await producer.send_and_wait(self._alerts_topic, value, key=key.encode())
            self._alerts.popleft()
        await self._encode()
        batch = {rep: self._waiting.pop(rep) for rep in list(self._waiting)[:DOCUMENTS_PER_ROUND]}
        try:
            await self._deliver(producer, batch)
        except BaseException:
            self._waiting = batch | self._waiting  # all are sent again, but a newer document of the same rep stands
            raise
        self._found()

    async def _deliver(self, producer: Any, batch: dict[str, bytes | None]) -> None:
        sent = [await self._send(producer, rep, value) for rep, value in batch.items()]
        for rep, outcome in zip(batch, await asyncio.gather(*sent, return_exceptions=True), strict=True):
            if isinstance(outcome, MessageSizeTooLargeError):
                self._refused(rep, outcome)
            elif isinstance(outcome, BaseException):
                raise outcome

    async def _send(self, producer: Any, rep: str, value: bytes | None) -> Any:
        """Hand one document to the client; a future that tells what became of it."""
        try:
            return await producer.send(self._reps_topic, value, key=rep.encode())
        except MessageSizeTooLargeError as error:
            refused: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            refused.set_exception(error)
            return refused

    def _refused(self, rep: str, error: Exception) -> None:
        self.failures_total += 1
        log.error("the document of rep %r is not published: %s", rep, error)

    def _found(self) -> None:
        if self._reachable is False:
            log.info("Kafka is there again: publishing %s and %s", self._reps_topic, self._alerts_topic)
        self._reachable = True

    def _lost(self, error: Exception) -> None:
        self.failures_total += 1
        if self._reachable is not False:
            log.error(
                "Kafka does not take %s and %s (%s: %s); figures and pages go on, publishing is tried again",
                self._reps_topic,
                self._alerts_topic,
                type(error).__name__,
                error,
            )
        self._reachable = False
