"""Records of a source topic as a consumer hands them out."""

from __future__ import annotations

from typing import NamedTuple

from funnelwatch.schemas.encode import encode_batch, encode_event
from funnelwatch.schemas.events import TOPICS, Event


class Record(NamedTuple):
    """What the worker reads of an aiokafka record."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp: int = 0


def record_of(event: Event, offset: int = 0, partition: int = 0) -> Record:
    """One event in structured mode."""
    return Record(TOPICS[event.kind], partition, offset, event.subject.encode(), encode_event(event))


def batch_of(events: list[Event], offset: int = 0, partition: int = 0) -> Record:
    """Several events in one message."""
    return Record(TOPICS[events[0].kind], partition, offset, None, encode_batch(events))
