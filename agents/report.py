"""``funnelwatch report FILE…``: the KPI documents of a pile of events, with no Kafka, by the batch oracle."""

from __future__ import annotations

import gzip
import sys
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from funnelwatch.agents.clock import now_us
from funnelwatch.agents.engine.judging import Judge
from funnelwatch.agents.errors import OperationError
from funnelwatch.schemas import fields
from funnelwatch.schemas.codec import EVENTS_MAX, Limits, decode
from funnelwatch.schemas.envelope import split_batch
from funnelwatch.schemas.events import Event, Kind, Refusal
from funnelwatch.schemas.reasons import Reason, RefusedError, refusal
from funnelwatch.schemas.settings import Settings
from funnelwatch.streams.oracle import report

LINE_BYTES_MAX: Final = 64 * 1024 * 1024
"""A longer line is no event and no batch; it is refused without being read into memory whole."""
PROBLEMS_SHOWN: Final = 20
GZIP_MAGIC: Final = b"\x1f\x8b"


class _Head(msgspec.Struct):
    type: str


_decode_head = msgspec.json.Decoder(_Head).decode


class Reading:
    """The events of some files, and what became of each: applied, unchanged (a repeat) or refused; they add up."""

    def __init__(self, limits: Limits) -> None:
        self.events: list[Event] = []
        self.unchanged = 0
        self.refused: Counter[str] = Counter()
        self.problems: list[str] = []
        self._limits = limits
        self._seen: set[tuple[Kind, str, str, str]] = set()

    @property
    def applied(self) -> int:
        """Events that are no repeats."""
        return len(self.events) - self.unchanged

    @property
    def read(self) -> int:
        """Everything that was read; a line that cannot be read counts as one."""
        return len(self.events) + self.refused.total()

    def take_file(self, path: Path) -> None:
        """Read a file of NDJSON, gzipped or not; ``-`` is standard input.

        What stands before a damage in the file is taken.
        """
        try:
            if str(path) == "-":
                self._take_stream(sys.stdin.buffer, "standard input")
            else:
                with path.open("rb") as opened:
                    self._take_stream(opened, str(path))
        except (OSError, EOFError, zlib.error) as error:  # a damaged gzip file raises any of them
            self._problem(f"{path}: {error}; what was read before that is counted")

    def _take_stream(self, stream: BinaryIO, name: str) -> None:
        packed = isinstance(stream, BufferedReader) and stream.peek(len(GZIP_MAGIC)).startswith(GZIP_MAGIC)
        lines: BinaryIO | gzip.GzipFile = gzip.GzipFile(fileobj=stream) if packed else stream
        for number, line in enumerate(_lines(lines), 1):
            for event in self._decoded(line):
                self._take(event, f"{name}:{number}")

    def _decoded(self, line: bytes) -> Iterator[Event | Refusal]:
        if len(line) > LINE_BYTES_MAX:
            yield refusal(Reason.TOO_LARGE, f"the line has more than {LINE_BYTES_MAX} bytes")
            return
        try:
            events = split_batch(line, EVENTS_MAX) if line.startswith(b"[") else [line] if line else []
        except RefusedError as error:
            yield error.refusal()
            return
        for event in events:
            yield from decode(_kind(event), event, (), self._limits)

    def _take(self, event: Event | Refusal, where: str) -> None:
        if isinstance(event, Refusal):
            self.refused[event.reason] += 1
            self._problem(f"{where}: {event.reason}: {event.detail}")
            return
        identity = (event.kind, event.subject, event.source, event.id)
        self.unchanged += identity in self._seen
        self._seen.add(identity)
        self.events.append(event)

    def _problem(self, text: str) -> None:
        if len(self.problems) < PROBLEMS_SHOWN:
            self.problems.append(text)


def run(settings: Settings, files: Sequence[Path], clock: str | None, output: BinaryIO) -> int:
    """Write the documents of all events in ``files`` as one JSON object; a summary goes to standard error.

    Args:
        settings: What the figures mean.
        files: NDJSON, one structured CloudEvents event or an array a line; ``.gz`` too, ``-`` is standard input.
        clock: ``system``, ``event`` or an RFC 3339 instant, instead of the configured one.
        output: Where the object goes: ``reps`` and ``teams`` by id, and ``organisation``.

    Returns:
        The exit code: 0, or 1 if no event could be taken.

    Raises:
        OperationError: The clock is none.
    """
    settings = msgspec.structs.replace(settings, clock=clock or settings.clock)
    try:
        reading = Reading(Judge(settings).limits(now_us()))
        now = _now(settings.clock)
    except RefusedError as error:
        raise OperationError(f"{error.detail}; say system, event, or an instant like 2026-03-01T12:00:00Z") from error
    for path in files:
        reading.take_file(path)
    _summarise(reading)
    if not reading.events:
        sys.stderr.write("No event could be taken, so there is nothing to report.\n")
        return 1
    output.write(msgspec.json.encode(report(settings, reading.events, now)) + b"\n")
    return 0


def _now(clock: str) -> int | None:
    """The instant to judge by; None is that of the newest event."""
    if clock == "event":
        return None
    return now_us() if clock == "system" else fields.instant(clock, "the clock")


def _kind(event: bytes) -> Kind:
    """The kind of entity by the event's type; whichever if it has none: any topic refuses it with the same reason."""
    try:
        return Kind(_decode_head(event).type.partition(".")[0])
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
        return Kind.LEAD


def _lines(stream: BinaryIO | gzip.GzipFile) -> Iterator[bytes]:
    """Lines without surrounding blanks; of one that is too long, the first bytes beyond the limit."""
    while line := stream.readline(LINE_BYTES_MAX + 1):
        yield line.strip() if len(line) <= LINE_BYTES_MAX else line
        while len(line) > LINE_BYTES_MAX and not line.endswith(b"\n"):
            line = stream.readline(LINE_BYTES_MAX + 1)


def _summarise(reading: Reading) -> None:
    for problem in reading.problems:
        sys.stderr.write(f"{problem}\n")
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in sorted(reading.refused.items()))
    sys.stderr.write(
        f"{reading.read:,} events read: {reading.applied:,} applied, {reading.unchanged:,} unchanged, "
        f"{reading.refused.total():,} refused{f' ({reasons})' if reasons else ''}.\n"
    )
