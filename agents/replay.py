"""Publishing files of events: NDJSON, ``.gz`` too, each line one structured CloudEvents event or an array of them."""

from __future__ import annotations

import contextlib
import gzip
import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final

import msgspec
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from funnelwatch.agents.clock import monotonic
from funnelwatch.agents.errors import OperationError
from funnelwatch.agents.publisher import Publisher
from funnelwatch.agents.resume import Resume
from funnelwatch.schemas.events import TOPICS, TYPES
from funnelwatch.schemas.settings import Secrets, Settings

PROBLEMS_SHOWN: Final = 20
PROGRESS_LINES: Final = 2_000
"""The bar is moved after so many lines."""
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
    bytes: int = 0
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
    summary = Summary()
    done = Resume(resume)
    started = monotonic()
    async with contextlib.AsyncExitStack() as stack:
        publisher = None
        if not dry_run:
            publisher = await stack.enter_async_context(
                Publisher(settings, secrets, compression=compression, pack=pack)
            )
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        progress = stack.enter_context(Progress(*columns, console=console, transient=True))
        for path in files:
            await _publish_file(path, settings.kafka.prefix, publisher, summary, progress=progress, done=done)
        if publisher is not None:
            await publisher.flush()
            summary.messages = publisher.messages
    summary.seconds = monotonic() - started
    return summary


async def _publish_file(
    path: Path, prefix: str, publisher: Publisher | None, summary: Summary, *, progress: Progress, done: Resume
) -> None:
    with _readable(path), path.open("rb") as raw:
        size = os.fstat(raw.fileno()).st_size
        task = progress.add_task(path.name, total=size)
        lines: BinaryIO | gzip.GzipFile = gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw
        number = known = done.lines(path, size)
        summary.passed_over += sum(1 for _ in islice(lines, known))
        for number, line in enumerate(lines, known + 1):
            for event in _events(line.strip(), f"{path}:{number}", summary):
                try:
                    topic, subject = address(event)
                except ValueError as error:  # msgspec's errors are ValueErrors
                    summary.refuse(f"{path}:{number}", str(error))
                    continue
                summary.published[topic] += 1
                summary.bytes += len(event)
                if publisher is not None:
                    await publisher.add(prefix + topic, subject, event)
            if number % PROGRESS_LINES == 0:
                progress.update(task, completed=raw.tell())
            if publisher is not None and number % LINES_PER_NOTE == 0:
                await publisher.flush()
                done.note(path, number, size)
        if publisher is not None:
            await publisher.flush()
            done.note(path, number, size)
        progress.update(task, completed=raw.tell())


def _events(line: bytes, where: str, summary: Summary) -> list[bytes]:
    if not line.startswith(b"["):
        return [line] if line else []
    try:
        return [bytes(event) for event in _decode_array(line)]
    except msgspec.MsgspecError as error:
        summary.refuse(where, str(error))
        return []


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (gzip.BadGzipFile, EOFError) as error:
        raise OperationError(
            f"{path} is not a whole gzip file ({error}); events before the damage were read."
        ) from error
    except FileNotFoundError as error:
        raise OperationError(f"{path} does not exist.") from error
    except (IsADirectoryError, PermissionError) as error:
        raise OperationError(f"{path} cannot be read: {error.strerror}.") from error
