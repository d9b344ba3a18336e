"""Reading the dead-letter topic: without a group, and only up to where it ended when reading began."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Final, NoReturn, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from funnelwatch.agents.connections import kafka_admin, kafka_client, kafka_trouble
from funnelwatch.agents.dlq.letter import Letter, Position, letter_of
from funnelwatch.agents.errors import OperationError
from funnelwatch.agents.topics import dead_letters_topic
from funnelwatch.schemas.settings import Secrets, Settings

POLL_MS: Final = 500
POLLS_EMPTY_MAX: Final = 40
"""After so many polls in a row without a letter, while some are missing, reading ends with an error."""
LETTERS_PER_POLL: Final = 500
MS_US: Final = 1_000


class Letters:
    """The letters there were when it was opened. Use it as an asynchronous context manager."""

    def __init__(self, settings: Settings, secrets: Secrets) -> None:
        self.topic = dead_letters_topic(settings)
        self._settings = settings
        self._secrets = secrets
        self._consumer: Any = None
        self._firsts: dict[Any, int] = {}
        self._ends: dict[Any, int] = {}

    async def __aenter__(self) -> Self:
        partitions = [TopicPartition(self.topic, number) for number in range(await self._partitions())]
        self._consumer = AIOKafkaConsumer(
            **kafka_client(self._settings, self._secrets),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        try:
            await self._consumer.start()
            self._consumer.assign(partitions)
            self._firsts = await self._consumer.beginning_offsets(partitions)
            self._ends = await self._consumer.end_offsets(partitions)
        except (KafkaError, OSError) as error:
            await self._consumer.stop()
            raise kafka_trouble(self._settings, error) from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._consumer.stop()

    async def all(self, since: int | None = None) -> AsyncIterator[Letter]:
        """All letters, or only those that were written at ``since`` (µs) or later; each partition in order.

        Raises:
            OperationError: Kafka stops answering.
        """
        try:
            starts = self._firsts if since is None else await self._starts(since)
            left = {home for home, start in starts.items() if start < self._ends[home]}
            for home in left:
                self._consumer.seek(home, starts[home])
            empty = 0
            while left:
                batches = await self._consumer.getmany(*left, timeout_ms=POLL_MS, max_records=LETTERS_PER_POLL)
                for home, records in batches.items():
                    for record in records:
                        if record.offset < self._ends[home]:
                            yield letter_of(record)
                left = {home for home in left if await self._consumer.position(home) < self._ends[home]}
                empty = 0 if batches else empty + 1
                if empty == POLLS_EMPTY_MAX:
                    _silent(f"{self.topic} sends nothing more, but has not ended")
        except (KafkaError, OSError) as error:
            raise kafka_trouble(self._settings, error) from error

    async def one(self, position: Position) -> Letter:
        """The letter at a position.

        Raises:
            OperationError: There is none, or Kafka stops answering.
        """
        home = TopicPartition(self.topic, position.partition)
        first, end = self._firsts.get(home, 0), self._ends.get(home, 0)
        if home not in self._ends or not first <= position.offset < end:
            has = f"it has {first} to {end - 1}" if first < end else "it has none"
            raise OperationError(
                f"{self.topic} has no letter {position}: {len(self._ends)} partitions, "
                f"and in partition {position.partition} {has}. `funnelwatch dlq list` names those there are."
            )
        try:
            self._consumer.seek(home, position.offset)
            for _ in range(POLLS_EMPTY_MAX):
                batches = await self._consumer.getmany(home, timeout_ms=POLL_MS, max_records=1)
                for record in batches.get(home, ()):
                    if record.offset == position.offset:
                        return letter_of(record)
                    raise OperationError(f"The letter {position} of {self.topic} is no longer kept.")
            _silent(f"{self.topic} does not send {position}")
        except (KafkaError, OSError) as error:
            raise kafka_trouble(self._settings, error) from error

    async def _starts(self, since: int) -> dict[Any, int]:
        asked = dict.fromkeys(self._ends, since // MS_US)
        found = await self._consumer.offsets_for_times(asked)
        return {home: self._ends[home] if at is None else at.offset for home, at in found.items()}

    async def _partitions(self) -> int:
        async with kafka_admin(self._settings, self._secrets) as admin:
            try:
                topics = {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics()}
            except (KafkaError, OSError) as error:
                raise kafka_trouble(self._settings, error) from error
        if self.topic not in topics:
            raise OperationError(f"Topic {self.topic} does not exist: run `funnelwatch topics`, or see kafka.prefix.")
        return topics[self.topic]


def _silent(what: str) -> NoReturn:
    raise KafkaError(what)
