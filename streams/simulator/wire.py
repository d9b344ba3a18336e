"""Events of the floor as the CRM and the telephone system would publish them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec

from funnelwatch.schemas.events import Kind

SOURCES: Final = {
    Kind.LEAD: "//crm.example/demo",
    Kind.DEAL: "//crm.example/demo",
    Kind.CALL: "//pbx.example/demo",
    Kind.EMAIL: "//mail.example/demo",
    Kind.REP: "//crm.example/demo",
}
PRECISION_US: Final = 1_000
"""Event times are whole milliseconds, as most systems send them."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_encode = msgspec.json.Encoder().encode


class Published(NamedTuple):
    """One message: the topic's kind, the key, a structured CloudEvent and its time in µs."""

    kind: Kind
    subject: str
    value: bytes
    at: int


class _Envelope(msgspec.Struct, gc=False):
    id: str
    source: str
    type: str
    subject: str
    time: str
    data: dict[str, Any]
    specversion: str = "1.0"
    datacontenttype: str = "application/json"


class Wire:
    """Takes what happens, numbers it, and keeps it until it is collected.

    Ids are numbered in the order of what happened, so that events of one entity at the same millisecond keep it.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._count = 0
        self._published: list[Published] = []

    def say(self, kind: Kind, what: str, subject: str, at: int, data: dict[str, Any]) -> None:
        """Publish that ``what`` (the type without its kind) happened."""
        self._count += 1
        at -= at % PRECISION_US
        envelope = _Envelope(
            f"{self._prefix}-{self._count:09d}", SOURCES[kind], f"{kind.value}.{what}", subject, instant(at), data
        )
        self._published.append(Published(kind, subject, _encode(envelope), at))

    def collect(self) -> list[Published]:
        """What was said since the last time, in the order of event time."""
        published, self._published = self._published, []
        return published


def instant(at: int) -> str:
    """An instant as RFC 3339 in UTC."""
    return (_EPOCH + timedelta(microseconds=at)).isoformat(timespec="milliseconds")
