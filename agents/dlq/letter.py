"""A dead letter: the refused message as it was, and what is said about it in its ``dlq_`` headers."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, Final

import msgspec

from funnelwatch.schemas import fields
from funnelwatch.schemas.reasons import RefusedError

OURS: Final = "dlq_"
REPLAYED: Final = "dlq_replayed"
"""Header of a message that was sent again; its value is the place of the letter it comes from."""

Headers = tuple[tuple[str, bytes | None], ...]

_CUT: Final = re.compile(r"\(the first \d+ of \d+ bytes\)")
_UNITS_US: Final = {"s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}


class Position(msgspec.Struct, frozen=True, order=True):
    """Where a letter lies in the dead-letter topic."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}:{self.offset}"


class Letter(msgspec.Struct, frozen=True):
    """One dead letter. ``at`` (µs) is when it was refused, or when it was written if no header says so."""

    position: Position
    at: int
    key: bytes | None
    value: bytes | None
    headers: Headers

    def __repr__(self) -> str:
        """Its place only: key, value and headers are other people's data."""
        return f"Letter({self.position})"

    @property
    def reason(self) -> str:
        """The stable code; empty if this is no letter of ours."""
        return self._said("dlq_reason")

    @property
    def detail(self) -> str:
        """The sentence for a person."""
        return self._said("dlq_detail")

    @property
    def topic(self) -> str:
        """The topic the message was read from."""
        return self._said("dlq_topic")

    @property
    def source(self) -> Position | None:
        """Where in that topic, if it is said in readable numbers."""
        partition, offset = self._said("dlq_partition"), self._said("dlq_offset")
        return Position(int(partition), int(offset)) if _is_number(partition) and _is_number(offset) else None

    @property
    def size(self) -> int:
        """Bytes of the value."""
        return len(self.value or b"")

    @property
    def is_cut(self) -> bool:
        """Whether the message was too large to be kept whole."""
        return _CUT.match(self.detail) is not None

    @property
    def own_headers(self) -> Headers:
        """The message's headers as its publisher sent them."""
        return tuple(pair for pair in self.headers if not pair[0].startswith(OURS))

    def _said(self, name: str) -> str:
        values = [value for header, value in self.headers if header == name and value is not None]
        return values[-1].decode("utf-8", "backslashreplace") if values else ""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which letters are asked for; an empty collection and None ask for all. ``since`` is in µs."""

    reasons: Collection[str] = ()
    topics: Collection[str] = ()
    since: int | None = None

    def takes(self, letter: Letter) -> bool:
        """Whether a letter is one of them."""
        return (
            (not self.reasons or letter.reason in self.reasons)
            and (not self.topics or letter.topic in self.topics)
            and (self.since is None or letter.at >= self.since)
        )


def letter_of(record: Any) -> Letter:
    """The letter that a record of the dead-letter topic is."""
    headers: Headers = tuple(record.headers or ())
    said = [value for name, value in headers if name == "dlq_time" and value is not None]
    try:
        at = fields.instant(said[-1].decode("ascii"), "dlq_time")
    except (IndexError, UnicodeDecodeError, RefusedError):
        at = record.timestamp * 1_000
    return Letter(Position(record.partition, record.offset), at, record.key, record.value, headers)


def position_of(text: str) -> Position:
    """The position that ``PARTITION:OFFSET`` names.

    Raises:
        ValueError: The text is none.
    """
    partition, colon, offset = text.partition(":")
    if not (colon and _is_number(partition) and _is_number(offset)):
        raise ValueError(f"{text!r} is no place of a letter: write PARTITION:OFFSET, like 3:1042")
    return Position(int(partition), int(offset))


def since_of(text: str, now: int) -> int:
    """The instant (µs) that ``--since`` names: RFC 3339, or so long before ``now`` (``30m``, ``2h``, ``7d``).

    Raises:
        ValueError: The text is neither.
    """
    if match := re.fullmatch(r"(\d{1,9})([smhd])", text):
        return max(0, now - int(match[1]) * _UNITS_US[match[2]])
    try:
        return max(0, fields.instant(text, "the instant"))
    except RefusedError as error:
        raise ValueError(f"{error.detail}; write 30m, 2h, 7d, or an instant like 2026-11-23T10:00:00Z") from error


def seconds_of(text: str) -> int:
    """The seconds that a period names, like ``90s``, ``10m`` or ``2h``.

    Raises:
        ValueError: It names none.
    """
    match = re.fullmatch(r"([1-9]\d{0,5})([smh])", text)
    if match is None:
        raise ValueError(f"{text!r} is no period: write 90s, 10m or 2h")
    return int(match[1]) * _UNITS_US[match[2]] // 1_000_000


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[0-9]{1,18}", text) is not None
