"""Reading what another worker wrote into the changelog of a partition that is ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from funnelwatch.agents.connections import kafka_client
from funnelwatch.agents.engine.contiguity import Range
from funnelwatch.schemas.settings import Secrets, Settings

READ_SECONDS_MAX: Final = 30.0
_POLL_MS: Final = 500


class ForeignReader:
    """Reads ranges of offsets with a consumer that belongs to no group."""

    def __init__(self, settings: Settings, secrets: Secrets) -> None:
        self._client = kafka_client(settings, secrets)

    def __repr__(self) -> str:
        return "ForeignReader(…)"

    async def read(self, topic: str, partition: int, offsets: Range) -> Sequence[Any]:
        """The records of a range, in order; offsets that do not exist (any more) are left out.

        Raises:
            KafkaError: The broker does not answer.
        """
        tp, (begin, end) = TopicPartition(topic, partition), offsets
        consumer = AIOKafkaConsumer(
            **self._client, group_id=None, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        await consumer.start()
        try:
            consumer.assign([tp])
            consumer.seek(tp, begin)
            records: list[Any] = []
            while await consumer.position(tp) < end:
                fetched = await consumer.getmany(tp, timeout_ms=_POLL_MS)
                records += [record for record in fetched.get(tp, []) if begin <= record.offset < end]
            return records
        finally:
            await consumer.stop()
