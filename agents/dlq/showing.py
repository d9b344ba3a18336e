"""Letters on a terminal. What others wrote is escaped: a control character would be obeyed, not shown."""

from __future__ import annotations

import heapq
import json
import re
from collections import Counter
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from funnelwatch.agents.dlq.letter import OURS, Letter
from funnelwatch.schemas.encode import time_text

LINE_BYTES: Final = 16
"""Bytes in a line of a hex dump."""
SHOWN_BYTES_MAX: Final = 64 * 1024
"""More of a letter than this is not shown, unless it is asked for raw."""
KEY_CHARS_MAX: Final = 256
DETAIL_CHARS_MAX: Final = 600
REASONS_MAX: Final = 100
"""So many different reasons are counted; whatever else is written there counts as other."""

_JOINERS: Final = "\u200c\u200d"
"""Persian cannot be written without them."""
_SECRET: Final = re.compile(r"api.?key|auth|cookie|credential|passw|secret|session|signature|token", re.IGNORECASE)


class Line(msgspec.Struct, frozen=True, order=True):
    """One letter in a list; lines order by time."""

    at: int
    partition: int
    offset: int
    reason: str
    detail: str
    topic: str
    key: str | None
    size: int


class Listing:
    """The newest letters, at most ``limit``, oldest first; and how many there are of each reason."""

    def __init__(self, limit: int) -> None:
        self.counts: Counter[str] = Counter()
        self._limit = limit
        self._newest: list[Line] = []

    def add(self, letter: Letter) -> None:
        """Take one more letter, in any order."""
        known = letter.reason in self.counts or len(self.counts) < REASONS_MAX
        self.counts[letter.reason if known else "(other)"] += 1
        line = line_of(letter)
        if len(self._newest) < self._limit:
            heapq.heappush(self._newest, line)
        else:
            heapq.heappushpop(self._newest, line)

    @property
    def lines(self) -> list[Line]:
        """The letters, newest last."""
        return sorted(self._newest)

    @property
    def ending(self) -> str:
        """How many letters, by reason."""
        total, shown = self.counts.total(), len(self._newest)
        parts = ", ".join(f"{escaped(name) or '(none)'} {count:,}" for name, count in self.counts.most_common())
        return f"{total:,} letters{f' ({parts})' if parts else ''}, the newest {shown:,} shown."


def line_of(letter: Letter) -> Line:
    """What a list says about a letter."""
    key = None if letter.key is None else letter.key.decode("utf-8", "backslashreplace")
    return Line(
        letter.at,
        letter.position.partition,
        letter.position.offset,
        letter.reason,
        letter.detail[:DETAIL_CHARS_MAX],
        letter.topic,
        key if key is None or len(key) <= KEY_CHARS_MAX else key[: KEY_CHARS_MAX - 1] + "…",
        letter.size,
    )


def json_line(line: Line) -> str:
    """A line as JSON in printable ASCII; ``time`` is RFC 3339."""
    found = msgspec.structs.asdict(line)
    found["time"] = time_text(found.pop("at"))
    return json.dumps(found).replace("\x7f", "\\u007f")


def table_of(lines: list[Line]) -> Table:
    """Lines as a table."""
    table = Table("letter", "refused at", "reason", "topic", "key", "bytes", "detail", box=None, pad_edge=False)
    table.columns[5].justify = "right"
    for column in table.columns:
        column.overflow = "fold"
    table.columns[0].no_wrap = True
    for line in lines:
        place, at = f"{line.partition}:{line.offset}", time_text(line.at)
        texts = (place, at, line.reason, line.topic, line.key or "", f"{line.size:,}", line.detail)
        table.add_row(*(Text(escaped(text)) for text in texts))
    return table


def show(letter: Letter, console: Console) -> None:
    """Print a whole letter: what is said about it, its key, its headers, its bytes."""
    rows = [("letter", str(letter.position)), ("refused at", time_text(letter.at))]
    rows += [(name.removeprefix(OURS), _bytes_text(value)) for name, value in letter.headers if name.startswith(OURS)]
    rows.append(("key", _bytes_text(letter.key)))
    rows += [(f"header {escaped(name)}", _header_text(name, value)) for name, value in letter.own_headers]
    for name, text in rows:
        console.print(Text(f"{escaped(name):<12} {text}"), soft_wrap=True)
    console.print(Text(f"{'value':<12} {_size_text(letter.value)}"), soft_wrap=True)
    console.print(Text(value_text(letter.value or b"")), soft_wrap=True)


def value_text(value: bytes) -> str:
    """Bytes for a terminal: escaped text if they are UTF-8, else a hex dump; the first ones of very many."""
    shown = value[:SHOWN_BYTES_MAX]
    try:
        text = "\n".join(escaped(line) for line in value.decode("utf-8")[:SHOWN_BYTES_MAX].split("\n"))
    except UnicodeDecodeError:
        text = hex_dump(shown)
    if len(value) > SHOWN_BYTES_MAX:
        text += f"\n… {len(value):,} bytes in all: --raw writes them."
    return text


def hex_dump(value: bytes) -> str:
    """Offset, bytes and printable ASCII, 16 bytes a line."""
    return "\n".join(_hex_line(start, value[start : start + LINE_BYTES]) for start in range(0, len(value), LINE_BYTES))


def escaped(text: str) -> str:
    """The text with everything a terminal could obey, and everything invisible, escaped as Python does."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one in _JOINERS else _escape(one) for one in text)


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004  (as Python writes them)


def _hex_line(start: int, part: bytes) -> str:
    printable = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in part)  # noqa: PLR2004  (printable ASCII)
    return f"{start:08x}  {part.hex(' '):<{LINE_BYTES * 3 - 1}}  {printable}"


def _bytes_text(value: bytes | None) -> str:
    return "(none)" if value is None else escaped(value.decode("utf-8", "backslashreplace"))


def _header_text(name: str, value: bytes | None) -> str:
    if value is not None and _SECRET.search(name):
        return f"({len(value)} bytes, hidden: the name sounds like a secret)"
    return _bytes_text(value)


def _size_text(value: bytes | None) -> str:
    return "(none: a tombstone)" if value is None else f"{len(value):,} bytes"
