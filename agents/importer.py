"""``funnelwatch import``: rows of exported CSV files become events, published or written to a file.

Rows that cannot be read are told in a report, a CSV file itself, with their file, line and reason; the others go on.
Files are read as a stream. Importing a file again publishes the same events again, which changes no figure.
"""

from __future__ import annotations

import asyncio
import contextlib
import csv
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Final, Protocol, TextIO

import msgspec
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from funnelwatch.agents.clock import monotonic, now_us
from funnelwatch.agents.errors import OperationError
from funnelwatch.agents.exports import load_mapping, rule_of_file, side_tables
from funnelwatch.agents.publisher import Publisher
from funnelwatch.agents.tables import CsvFile, Line
from funnelwatch.schemas import fields
from funnelwatch.schemas.encode import encode_event
from funnelwatch.schemas.events import TOPICS, Event
from funnelwatch.schemas.mapping import FileRule, Import
from funnelwatch.schemas.rows import BadRowError, RowReader
from funnelwatch.schemas.settings import Secrets, Settings

PROGRESS_ROWS: Final = 1_000
DAY_US: Final = 86_400_000_000

OK: Final = 0
FAILURE: Final = 1


class Totals(msgspec.Struct):
    """What became of the rows of all files."""

    rows: int = 0
    skipped: int = 0
    bad: int = 0
    too_old: int = 0
    events: Counter[str] = msgspec.field(default_factory=Counter)
    reasons: Counter[str] = msgspec.field(default_factory=Counter)

    def refuse(self, reason: str) -> None:
        """Count a bad row."""
        self.rows += 1
        self.bad += 1
        self.reasons[reason] += 1


class Sink(Protocol):
    """Where events go."""

    async def add(self, topic: str, subject: str, event: bytes) -> None:
        """Take one event."""


class FileSink:
    """Events into a file, one a line."""

    def __init__(self, path: Path) -> None:
        self._opened = path.open("wb")

    async def add(self, topic: str, subject: str, event: bytes) -> None:  # noqa: ARG002  (as the publisher has it)
        """Write one event."""
        self._opened.write(event + b"\n")

    def close(self) -> None:
        """Close the file."""
        self._opened.close()


class Report:
    """The rows that could not be read. The file is made when there is the first one."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._opened: TextIO | None = None

    def add(self, source: Path, line: int, reason: str, detail: str) -> None:
        """Note a bad row.

        Raises:
            OperationError: The report cannot be written.
        """
        if self._path is None:
            return
        try:
            if self._opened is None:
                self._opened = self._path.open("w", encoding="utf-8", errors="backslashreplace", newline="")
                csv.writer(self._opened).writerow(("file", "line", "reason", "detail"))
            csv.writer(self._opened).writerow((str(source), line, reason, detail))
        except OSError as error:
            raise OperationError(f"The report {self._path} cannot be written: {error.strerror}.") from error

    def close(self) -> None:
        """Close the file, if there is one."""
        if self._opened is not None:
            self._opened.close()


def run(  # noqa: PLR0917  (what the command line hands over, in its order)
    settings: Settings,
    secrets: Secrets,
    mapping_path: Path,
    sources: Sequence[Path],
    output: Path | None = None,
    report: Path | None = None,
) -> int:
    """Import ``sources`` by a mapping. Progress and a summary go to standard error.

    Args:
        settings: The organisation's zone and clock, and where Kafka is.
        secrets: Kafka's password.
        mapping_path: A mapping's file, or the name of one that ships: ``crm``, ``olist``, ``zoho``.
        sources: CSV files (``.gz`` too), in any order; each finds its rule by its columns.
        output: Write the events there, one a line, instead of publishing them.
        report: Where bad rows are told; None tells only how many there are.

    Returns:
        The exit code: 0, or 1 if there was a bad row.

    Raises:
        ConfigurationError: The mapping cannot be used.
        OperationError: A file cannot be read or fits no rule, or Kafka does not answer.
    """
    work = _Import(settings, load_mapping(mapping_path), sources, Console(stderr=True))
    started = monotonic()
    with contextlib.closing(Report(report)) as told:
        asyncio.run(work.run(_sink(settings, secrets, output), told))
    work.summarise(report, monotonic() - started)
    return FAILURE if work.totals.bad else OK


class _Import:
    """One import: which file follows which rule, and what becomes of the rows.

    Raises:
        OperationError: A file cannot be read, fits no rule, or needs a side file that is not there.
    """

    def __init__(self, settings: Settings, mapping: Import, sources: Sequence[Path], console: Console) -> None:
        self.totals = Totals()
        self._settings = settings
        self._console = console
        self._mapping = mapping
        self._files = [(path, rule) for path in sources if (rule := rule_of_file(mapping, path)) is not None]
        self._tables = side_tables(mapping, sources, {name for _, rule in self._files for name in rule.joins})
        self._oldest = _oldest(settings)

    async def run(self, sinks: AbstractAsyncContextManager[Sink], report: Report) -> None:
        """Read all files, one after the other."""
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        async with sinks as sink:
            with Progress(*columns, console=self._console, transient=True) as progress:
                for path, rule in self._files:
                    await self._file(path, rule, sink, report, progress)

    async def _file(self, path: Path, rule: FileRule, sink: Sink, report: Report, progress: Progress) -> None:
        reader = RowReader(self._mapping, rule, self._settings.calendar.zone, self._tables)
        with CsvFile(path, rule.encoding, rule.delimiter) as opened:
            task = progress.add_task(path.name, total=opened.bytes_total)
            for line in opened.lines():
                try:
                    events = _events(reader, line)
                except BadRowError as error:
                    self.totals.refuse(error.reason)
                    report.add(path, line.number, error.reason, error.detail)
                else:
                    await self._publish(events, sink)
                if self.totals.rows % PROGRESS_ROWS == 0:
                    progress.update(task, completed=opened.bytes_read)
            progress.update(task, completed=opened.bytes_total)

    async def _publish(self, events: list[Event], sink: Sink) -> None:
        self.totals.rows += 1
        self.totals.skipped += not events
        for event in events:
            topic = TOPICS[event.kind]
            self.totals.events[topic] += 1
            self.totals.too_old += event.at < self._oldest
            await sink.add(self._settings.kafka.prefix + topic, event.subject, encode_event(event))

    def summarise(self, report: Path | None, seconds: float) -> None:
        """Say what became of the rows."""
        totals, settings = self.totals, self._settings
        for topic, count in sorted(totals.events.items()):
            self._say(f"{settings.kafka.prefix + topic:<24} {count:>12,}")
        self._say(
            f"{totals.rows:,} rows gave {totals.events.total():,} events in {seconds:.1f} s; "
            f"{totals.skipped:,} rows have none, {totals.bad:,} are bad."
        )
        for reason, count in totals.reasons.most_common():
            self._say(f"  {reason:<22} {count:>12,}")
        if totals.bad and report is not None:
            self._say(f"The bad rows are in {report}.")
        if totals.too_old:
            self._say(
                f"{totals.too_old:,} events are older than the retention ({settings.retention_days} days before the "
                f"clock, {settings.clock!r}): workers will refuse them. Raise retention_days, or set clock to then."
            )

    def _say(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)


def _events(reader: RowReader, line: Line) -> list[Event]:
    if line.cells is None:
        raise BadRowError("unreadable_row", line.problem)
    return reader.events(line.cells)


@asynccontextmanager
async def _sink(settings: Settings, secrets: Secrets, output: Path | None) -> AsyncIterator[Sink]:
    if output is None:
        async with Publisher(settings, secrets) as publisher:
            yield publisher
        return
    try:
        sink = FileSink(output)
    except OSError as error:
        raise OperationError(f"{output} cannot be written: {error.strerror}.") from error
    with contextlib.closing(sink):
        yield sink


def _oldest(settings: Settings) -> float:
    """Before which instant a worker refuses events; it is the newest event that decides when the clock is ``event``."""
    if settings.clock == "event":
        return float("-inf")
    now = now_us() if settings.clock == "system" else fields.instant(settings.clock, "clock")
    return now - settings.retention_days * DAY_US
