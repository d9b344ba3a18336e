"""Publishing files of events: NDJSON, ``.gz`` too, each line one structured CloudEvents event or an array of them."""

from __future__ import annotations

import contextlib
import gzip
import os
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from funnelwatch.agents.blocks import blocks, line_end, pass_over
from funnelwatch.agents.clock import monotonic
from funnelwatch.agents.errors import OperationError
from funnelwatch.agents.packing import Packing, packer
from funnelwatch.agents.publisher import Publisher
from funnelwatch.agents.resume import Resume
from funnelwatch.schemas.events import TOPICS, TYPES
from funnelwatch.schemas.settings import Secrets, Settings

PROBLEMS_SHOWN: Final = 20
LINES_PER_NOTE: Final = 200_000
"""After so many it is waited until Kafka has all of them, and noted how far the file is published."""

_TOPIC_OF_TYPE: Final = {type_: TOPICS[kind] for kind, types in TYPES.items() for type_ in types}


class _Head(msgspec.Struct):
    """What decides where an event goes. A subject may be an integer, as everywhere."""

    type: str
    subject: str | int


_decode_head = msgspec.json.Decoder(_Head).decode
_decode_array = msgspec.json.Decoder(list[msgspec.Raw]).decode


class Summary(msgspec.Struct):
    """What was published, by topic (without prefix), and which lines were not."""

    published: dict[str, int] = msgspec.field(default_factory=lambda: dict.fromkeys(TOPICS.values(), 0))
    problems: list[str] = []
    unreadable: int = 0
    passed_over: int = 0
    messages: int = 0
    seconds: float = 0.0

    @property
    def events(self) -> int:
        """Events over all topics."""
        return sum(self.published.values())

    def refuse(self, where: str, why: str) -> None:
        """Count an event that has no topic; the first few are kept to be shown."""
        self.unreadable += 1
        if len(self.problems) < PROBLEMS_SHOWN:
            self.problems.append(f"{where}: {why}")


def address(event: bytes) -> tuple[str, str]:
    """The topic (without prefix) and the subject of one event.

    Raises:
        ValueError: It is no JSON object with a known type and a subject.
    """
    head = _decode_head(event)
    topic = _TOPIC_OF_TYPE.get(head.type)
    if topic is None:
        raise ValueError(f"no topic takes the type {head.type!r}")
    return topic, str(head.subject)


async def replay(
    files: Sequence[Path],
    settings: Settings,
    secrets: Secrets,
    *,
    console: Console,
    compression: str = "none",
    pack: int = 1,
    dry_run: bool = False,
    resume: Path | None = None,
) -> Summary:
    """Publish the files one after the other, in their order; with ``dry_run`` only read and count.

    ``resume`` is where it is kept how far each is published: lines it knows of are passed over.

    Raises:
        OperationError: A file cannot be read, or Kafka does not answer or does not take an event.
    """
    prefix = settings.kafka.prefix
    packing = packer(
        {type_: prefix + topic for type_, topic in _TOPIC_OF_TYPE.items()}, settings.kafka.partitions, pack
    )
    done = Resume(resume)
    started = monotonic()
    async with contextlib.AsyncExitStack() as stack:
        publisher = None
        if not dry_run:
            publisher = await stack.enter_async_context(Publisher(settings, secrets, compression=compression))
        run = _Run(packing, prefix, publisher, done)
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        progress = stack.enter_context(Progress(*columns, console=console, transient=True))
        for path in files:
            await run.take_file(path, progress)
    return run.summary(monotonic() - started)


class _Run:
    """Where lines go, and what became of them."""

    def __init__(self, packing: Packing, prefix: str, publisher: Publisher | None, done: Resume) -> None:
        self._packing = packing
        self._prefix = prefix
        self._publisher = publisher
        self._done = done
        self._summary = Summary()

    def summary(self, seconds: float) -> Summary:
        """What came of everything."""
        summary, counts = self._summary, self._packing.counts()
        summary.published = {topic: counts[self._prefix + topic] for topic in summary.published}
        summary.messages = 0 if self._publisher is None else self._publisher.messages
        summary.seconds = seconds
        return summary

    async def take_file(self, path: Path, progress: Progress) -> None:
        """Publish a file from where that is left to do."""
        with _readable(path), path.open("rb") as raw:
            size = os.fstat(raw.fileno()).st_size
            task = progress.add_task(path.name, total=size)
            known = self._done.lines(path, size)
            number = 0
            for block in blocks(gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw):
                at, passed = pass_over(block, 0, known - number)
                self._summary.passed_over += passed
                number += passed
                while at < len(block):
                    at, lines = self._take_lines(block, at, path, number)
                    number += lines
                    if number % LINES_PER_NOTE == 0:
                        await self._note(path, number, size)
                await self._send()
                progress.update(task, completed=raw.tell())
            await self._note(path, max(number, known), size)

    def _take_lines(self, block: bytes, at: int, path: Path, number: int) -> tuple[int, int]:
        """Take lines up to the next one that is noted, or that the packer left: where they end, and how many."""
        lines_max = LINES_PER_NOTE - number % LINES_PER_NOTE
        at, lines = self._packing.read(block, at, lines_max)
        if lines == lines_max or at == len(block):
            return at, lines
        end = line_end(block, at)
        self._take_line(block[at:end].strip(), f"{path}:{number + lines + 1}")
        return end, lines + 1

    def _take_line(self, line: bytes, where: str) -> None:
        for event in _events(line, where, self._summary):
            try:
                topic, subject = address(event)
            except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
                self._summary.refuse(where, str(error))
                continue
            self._packing.add(self._prefix + topic, subject.encode(), event)

    async def _send(self) -> None:
        for message in self._packing.take():
            if self._publisher is not None:
                await self._publisher.send(*message)

    async def _note(self, path: Path, number: int, size: int) -> None:
        """Wait until Kafka has everything, and keep how far that is."""
        if self._publisher is None:
            return
        self._packing.close()
        await self._send()
        await self._publisher.flush()
        self._done.note(path, number, size)


def _events(line: bytes, where: str, summary: Summary) -> list[bytes]:
    if not line.startswith(b"["):
        return [line] if line else []
    try:
        return [bytes(event) for event in _decode_array(line)]
    except (msgspec.MsgspecError, RecursionError) as error:
        summary.refuse(where, str(error))
        return []


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise OperationError(
            f"{path} is not a whole gzip file ({error}); events before the damage were read."
        ) from error
    except FileNotFoundError as error:
        raise OperationError(f"{path} does not exist.") from error
    except (IsADirectoryError, PermissionError) as error:
        raise OperationError(f"{path} cannot be read: {error.strerror}.") from error
