"""Events to bytes, for whoever publishes: the gateway, the importer, the simulator.

``codec.decode`` of what these write gives the same event again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from funnelwatch.schemas.events import CallData, Data, DealData, Event, Quota, RepData
from funnelwatch.schemas.fields import RATIO_UNITS, moment_of
from funnelwatch.schemas.settings import MONEY_UNITS

CONTENT_TYPE: Final = "application/cloudevents+json"
BATCH_CONTENT_TYPE: Final = "application/cloudevents-batch+json"
HEADERS: Final[tuple[tuple[str, bytes], ...]] = (("content-type", CONTENT_TYPE.encode()),)
"""Headers of a message that holds one event."""
BATCH_HEADERS: Final[tuple[tuple[str, bytes], ...]] = (("content-type", BATCH_CONTENT_TYPE.encode()),)
"""Headers of a message that holds a batch."""

_SECOND_MS: Final = 1_000

_encode = msgspec.json.Encoder().encode


def encode_event(event: Event) -> bytes:
    """One event as a structured CloudEvent."""
    return _encode(envelope(event))


def encode_batch(events: Iterable[Event]) -> bytes:
    """Several events as one CloudEvents batch."""
    return _encode([envelope(event) for event in events])


def envelope(event: Event) -> dict[str, Any]:
    """The event as CloudEvents attributes and data, in JSON types; members that are None are left out."""
    return {
        "specversion": "1.0",
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "subject": event.subject,
        "time": time_text(event.at),
        "data": members(event.data),
    }


def members(data: Data) -> dict[str, Any]:
    """The data of an event as its publisher would write it."""
    found = {name: value for name, value in msgspec.structs.asdict(data).items() if value is not None}
    if isinstance(data, DealData):
        _write(found, amount=data.amount, snooze_until=data.snooze_until)
    elif isinstance(data, CallData):
        _write(found, started_at=data.started_at)
        if data.talk_ms is not None:
            found["talk_seconds"] = _seconds(found.pop("talk_ms"))
        if data.talk_ratio is not None:
            found["talk_ratio"] = data.talk_ratio / RATIO_UNITS
    elif isinstance(data, RepData):
        if data.quotas is not None:
            found["quotas"] = {month: _quota(quota) for month, quota in data.quotas.items()}
        if data.benchmarks is not None:
            found["benchmarks"] = _present(msgspec.structs.asdict(data.benchmarks))
    return found


def time_text(at: int) -> str:
    """An instant in µs as RFC 3339 in UTC, with as many digits as it needs."""
    return moment_of(at).isoformat().removesuffix("+00:00") + "Z"


def amount_text(units: int) -> str:
    """Money units as a decimal text without trailing zeros: ``"1200.5"``."""
    whole, fraction = divmod(abs(units), MONEY_UNITS)
    text = f"{whole}.{fraction:04}".rstrip("0").rstrip(".")
    return f"-{text}" if units < 0 else text


def _write(found: dict[str, Any], *, amount: int | None = None, **instants: int | None) -> None:
    if amount is not None:
        found["amount"] = amount_text(amount)
    for name, at in instants.items():
        if at is not None:
            found[name] = time_text(at)


def _seconds(ms: int) -> int | float:
    return ms // _SECOND_MS if ms % _SECOND_MS == 0 else ms / _SECOND_MS


def _quota(quota: Quota) -> dict[str, Any]:
    found = _present(msgspec.structs.asdict(quota))
    _write(found, amount=quota.amount)
    return found


def _present(members_: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members_.items() if value is not None}
