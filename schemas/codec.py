"""Kafka messages to events: CloudEvents 1.0 in structured, binary and batched mode.

Total: whatever the bytes, the answer is a list of events and refusals, one per event sent. Nothing is raised.
"""

from __future__ import annotations

from typing import Final

import msgspec

from funnelwatch.schemas import careful, hot
from funnelwatch.schemas.envelope import (
    DEPTH_MAX,
    Headers,
    Mode,
    binary_envelope,
    mode_of,
    split_batch,
    structured_envelope,
)
from funnelwatch.schemas.events import Event, Kind, Refusal
from funnelwatch.schemas.fields import moment_of, shown
from funnelwatch.schemas.reasons import Reason, RefusedError, refusal

EVENT_BYTES_MAX: Final = 256 * 1024
"""Size of one event: of its JSON text in structured mode and in a batch, of value and headers in binary mode."""
EVENTS_MAX: Final = 100_000
"""Events in one batch."""
_BLANKS: Final = b" \t\r\n"
_BRACE: Final = ord("{")


class Limits(msgspec.Struct, frozen=True, gc=False):
    """What depends on when an event is read. The caller reads the clock; None leaves a bound unchecked.

    ``future_us_max``: the latest ``time`` taken, in µs since the epoch. ``past_us_min``: the earliest.
    """

    future_us_max: int | None = None
    past_us_min: int | None = None
    size_max: int = EVENT_BYTES_MAX


UNLIMITED: Final = Limits()
"""Events of any time: files of history, tests."""


def decode(kind: Kind, value: bytes | None, headers: Headers, limits: Limits) -> list[Event | Refusal]:
    """The events of one Kafka message, in order; an event that cannot be taken is a `Refusal` in its place.

    A message that cannot be read as a whole is one refusal. An empty batch has no events.

    Args:
        kind: The kind of entity of the topic the message came from.
        value: The message's value; None for a tombstone.
        headers: The message's headers.
        limits: Instants and size that bound what is taken.
    """
    try:
        if headers and mode_of(headers) is Mode.BINARY:
            return [_binary(kind, value, headers, limits)]
        if not value:
            return [refusal(Reason.EMPTY, "the message has no value")]
        if value[0] != _BRACE and value.lstrip(_BLANKS)[:1] == b"[":
            return [_structured(kind, event, limits) for event in split_batch(value, EVENTS_MAX)]
    except RefusedError as error:
        return [error.refusal()]
    return [_structured(kind, value, limits)]


def _structured(kind: Kind, value: bytes, limits: Limits) -> Event | Refusal:
    if len(value) > limits.size_max:
        return _too_large(len(value), limits)
    event = None
    if value.count(b"{") + value.count(b"[") <= DEPTH_MAX:
        event = hot.read_event(kind, value)
    if event is None:
        try:
            event = careful.read_event(kind, structured_envelope(value))
        except RefusedError as error:
            return error.refusal()
    return _timely(event, limits)


def _binary(kind: Kind, value: bytes | None, headers: Headers, limits: Limits) -> Event | Refusal:
    size = len(value or b"") + sum(len(name) + len(content) for name, content in headers)
    if size > limits.size_max:
        return _too_large(size, limits)
    try:
        event = careful.read_event(kind, binary_envelope(value, headers))
    except RefusedError as error:
        return error.refusal()
    return _timely(event, limits)


def _timely(event: Event, limits: Limits) -> Event | Refusal:
    if limits.future_us_max is not None and event.at > limits.future_us_max:
        return refusal(Reason.IN_THE_FUTURE, f"time {_text(event.at)} is after {_text(limits.future_us_max)}")
    if limits.past_us_min is not None and event.at < limits.past_us_min:
        return refusal(Reason.TOO_OLD, f"time {_text(event.at)} is before {_text(limits.past_us_min)}")
    return event


def _text(at: int) -> str:
    try:
        return moment_of(at).isoformat()
    except OverflowError:
        return shown(at) + " µs"


def _too_large(size: int, limits: Limits) -> Refusal:
    return refusal(Reason.TOO_LARGE, f"the event has {size} bytes; at most {limits.size_max} are taken")
