"""What folding a chunk sends besides changelog records: dead letters, links, events to their own partition.

All of it is acknowledged before the chunk's offset moves.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from aiokafka.errors import MessageSizeTooLargeError

from funnelwatch.agents.clock import now_us
from funnelwatch.agents.engine.barrier import SendBarrier
from funnelwatch.agents.engine.changelog import batches
from funnelwatch.agents.engine.chunk_fold import Item, RefusedItem, event_bytes
from funnelwatch.agents.partitioning import partition_of
from funnelwatch.schemas.encode import time_text
from funnelwatch.streams.links import Link
from funnelwatch.streams.links import encode as encode_link

LETTER_BYTES_MAX: Final = 2_000_000
"""Twice what a broker takes by default, so that whatever could be published is set aside whole. The topic and our
producer take it with its headers (`agents.topics.LETTER_WITH_HEADERS_BYTES_MAX`)."""
STRUCTURED: Final = b"application/cloudevents+json"
_CONTENT_TYPE: Final = "content-type"
_OURS: Final = "dlq_"

Headers = list[tuple[str, bytes]]
LinkRecord = tuple[bytes, bytes]
"""Key and value of a link on its topic."""

log = logging.getLogger(__name__)


class Outbox:
    """Sends by the application's producer.

    Args:
        producer: Gives the started aiokafka producer.
        barrier: What commits wait for.
        dead_letters: Topic of what is refused.
        links: Topic of links.
        partitions: How many partitions everything that is keyed by an entity has.
    """

    def __init__(
        self, producer: Callable[[], Any], barrier: SendBarrier, *, dead_letters: str, links: str, partitions: int
    ) -> None:
        self._producer = producer
        self._barrier = barrier
        self._dead_letters = dead_letters
        self._links = links
        self._partitions = partitions

    async def send_links(self, links: Iterable[Link]) -> None:
        """Tell other entities; commits wait for the acknowledgement."""
        homes: dict[int, list[LinkRecord]] = {}
        for link in links:
            home = partition_of(link.target_id, self._partitions)
            homes.setdefault(home, []).append((link.target_id.encode(), encode_link(link)))
        await self.send_link_records(homes)

    async def send_link_records(self, homes: Mapping[int, list[LinkRecord]]) -> None:
        """The same for links that are bytes already, by partition."""
        producer = self._producer()
        for partition, records in homes.items():
            for batch in batches(producer, records, []):
                self._barrier.add(await producer.send_batch(batch, self._links, partition=partition))

    async def forward(self, topic: str, items: Sequence[Item]) -> None:
        """Send events to the partition of their subject; commits wait for the acknowledgement."""
        producer = self._producer()
        for item in items:
            subject = item.content.subject if not isinstance(item.content, Link) else item.content.target_id
            sent = await producer.send(
                topic,
                value=event_bytes(item.record, item.index),
                key=subject.encode(),
                partition=partition_of(subject, self._partitions),
                headers=_own_headers(item.record, item.index),
            )
            self._barrier.add(sent)

    async def send_dead_letters(self, refused: Sequence[RefusedItem]) -> None:
        """Send what was refused, and wait for the broker.

        The value is the message's own bytes; of a bad event in a batch, that event's own bytes as a structured event,
        and ``dlq_detail`` names its place. Key and headers are the message's.
        """
        sends = [await self._send_letter(one) for one in refused]
        if sends:
            await asyncio.gather(*sends)

    async def _send_letter(self, one: RefusedItem) -> Any:
        record = one.record
        value = event_bytes(record, one.index)
        detail = one.refusal.detail if one.index is None else f"event {one.index} of a batch: {one.refusal.detail}"
        if value is not None and len(value) > LETTER_BYTES_MAX:
            detail = f"(the first {LETTER_BYTES_MAX} of {len(value)} bytes) {detail}"
            value = value[:LETTER_BYTES_MAX]
        if value is None and record.key is None:
            value, detail = b"", f"(neither key nor value: the empty value stands for none) {detail}"
        ours = {
            "dlq_reason": one.refusal.reason,
            "dlq_detail": detail,
            "dlq_topic": record.topic,
            "dlq_partition": str(record.partition),
            "dlq_offset": str(record.offset),
            "dlq_time": time_text(now_us()),
        }
        headers = [pair for pair in _own_headers(record, one.index) if not pair[0].startswith(_OURS)]
        headers += _encoded(ours)
        try:
            return await self._producer().send(self._dead_letters, value=value, key=record.key, headers=headers)
        except MessageSizeTooLargeError:
            log.warning("Headers or key of %s[%s]@%s are too large for a dead letter.", *_place(record))
            ours["dlq_detail"] = f"(without its key and headers, which are too large) {detail}"
            headers = _encoded(ours)
            return await self._producer().send(self._dead_letters, value=value or b"", headers=headers)


def _encoded(headers: dict[str, str]) -> Headers:
    return [(name, text.encode("utf-8", "backslashreplace")) for name, text in headers.items()]


def _place(record: Any) -> tuple[str, int, int]:
    return record.topic, record.partition, record.offset


def _own_headers(record: Any, index: int | None) -> Headers:
    headers: Headers = list(record.headers or ())
    if index is None:
        return headers
    return [*(pair for pair in headers if pair[0].lower() != _CONTENT_TYPE), (_CONTENT_TYPE, STRUCTURED)]
