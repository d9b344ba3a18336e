"""Sending letters again: to the topic and partition they came from, with the bytes, key and headers they had.

An event that was taken before changes nothing when it comes again, so sending a letter twice is harmless.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from types import TracebackType
from typing import Any, Final, Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from funnelwatch.agents import topics
from funnelwatch.agents.connections import kafka_client, kafka_trouble
from funnelwatch.agents.dlq.letter import REPLAYED, Letter
from funnelwatch.schemas.events import Kind
from funnelwatch.schemas.settings import Secrets, Settings

IN_FLIGHT: Final = 500
"""How many messages may be unacknowledged; then the sender waits."""
PROBLEMS_SHOWN: Final = 20


class Outcome:
    """What became of the letters: sent by topic, and not sent by cause."""

    def __init__(self) -> None:
        self.sent: Counter[str] = Counter()
        self.not_sent = 0
        self.problems: list[str] = []

    def refuse(self, letter: Letter, why: str) -> None:
        """Count a letter that is not sent; the first few are named."""
        self.not_sent += 1
        if len(self.problems) < PROBLEMS_SHOWN:
            self.problems.append(f"{letter.position}: {why}")


def obstacle(letter: Letter, addresses: frozenset[str]) -> str | None:
    """Why a letter cannot be sent again, if it cannot. ``addresses`` are the topics workers read."""
    if not letter.topic:
        return "it has no dlq_topic header, so it is no letter of this program"
    if letter.topic not in addresses:
        return f"{letter.topic!r} is no topic that the workers of this configuration read"
    if letter.is_cut:
        return "it was too large to be kept whole: only its publisher can send it again"
    if letter.key is None and letter.value is None:
        return "it has neither key nor value"
    return None


def addresses_of(settings: Settings) -> frozenset[str]:
    """The topics workers read: letters go nowhere else, whatever their headers say."""
    return frozenset([*(topics.input_topic(settings, kind) for kind in Kind), topics.links_topic(settings)])


def again(letter: Letter) -> dict[str, Any]:
    """The message to send: the letter's own bytes, key and headers, and where it was found."""
    headers = [*letter.own_headers, (REPLAYED, str(letter.position).encode())]
    return {"topic": letter.topic, "key": letter.key, "value": letter.value, "headers": headers}


class Sender:
    """Sends letters, some hundred in flight. Use it as an asynchronous context manager: leaving it waits for Kafka."""

    def __init__(self, settings: Settings, secrets: Secrets) -> None:
        self.outcome = Outcome()
        self._settings = settings
        self._addresses = addresses_of(settings)
        self._unacknowledged: dict[asyncio.Future[Any], Letter] = {}
        self._producer = AIOKafkaProducer(
            **kafka_client(settings, secrets),
            acks="all",
            enable_idempotence=True,
            max_request_size=topics.LETTER_WITH_HEADERS_BYTES_MAX,
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
                await self._settle(0)
        finally:
            await self._producer.stop()

    async def send(self, letter: Letter) -> None:
        """Send one letter; what cannot be sent is counted and named in the outcome.

        Raises:
            OperationError: Kafka does not answer.
        """
        why = obstacle(letter, self._addresses)
        if why is not None:
            self.outcome.refuse(letter, why)
            return
        try:
            partition = await self._partition(letter)
            future = await self._producer.send(**again(letter), partition=partition)
        except MessageSizeTooLargeError:
            self.outcome.refuse(letter, "with its headers it is larger than Kafka takes")
            return
        except (KafkaError, OSError) as error:
            raise kafka_trouble(self._settings, error) from error
        self._unacknowledged[future] = letter
        await self._settle(IN_FLIGHT)

    async def _partition(self, letter: Letter) -> int | None:
        """The partition it came from; by its key where that one is not there (any more)."""
        there = await self._producer.partitions_for(letter.topic)
        return letter.source.partition if letter.source and letter.source.partition in there else None

    async def _settle(self, allowed: int) -> None:
        while len(self._unacknowledged) > allowed:
            done, _ = await asyncio.wait(self._unacknowledged, return_when=asyncio.FIRST_COMPLETED)
            for future in done:
                letter = self._unacknowledged.pop(future)
                error = future.exception()
                if isinstance(error, MessageSizeTooLargeError):
                    self.outcome.refuse(letter, "it is larger than the topic takes")
                elif error is not None:
                    raise kafka_trouble(self._settings, error) from error
                else:
                    self.outcome.sent[letter.topic] += 1
