"""What a worker under test is made to do: be slow, cut its chunks small, lose or hold back what it sends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from funnelwatch.agents.engine import chunk_transport
from funnelwatch.agents.engine.entity_table import EntityTable
from funnelwatch.agents.engine.fold_agent import FoldAgents
from funnelwatch.agents.engine.foreign import ForeignReader

HELD_SECONDS_MAX = 60.0


def chunk_records(most: int) -> None:
    """Chunks of so many records at most: many small steps instead of a few large ones."""
    chunk_transport.CHUNK_RECORDS_MAX = most


def fold_seconds(seconds: float) -> None:
    """Each chunk takes so much longer: instants between two chunks become easy to hit."""
    fold = FoldAgents.fold_events

    async def slowly(self: FoldAgents, *arguments: Any) -> None:
        await fold(self, *arguments)
        await asyncio.sleep(seconds)

    FoldAgents.fold_events = slowly


def lose_changelog(_: bool) -> None:
    """From SIGUSR1 on nothing that goes to a changelog arrives, or is ever acknowledged."""
    producer = EntityTable._producer
    lost = _Lost()
    signal.signal(signal.SIGUSR1, lambda *_: lost.begin())
    EntityTable._producer = property(lambda table: lost.over(producer.fget(table)))


class _Lost:
    """A producer whose batches, once it has begun, go nowhere."""

    def __init__(self) -> None:
        self._is_on = False
        self._real: Any = None

    def begin(self) -> None:
        self._is_on = True

    def over(self, real: Any) -> Any:
        self._real = real
        return self if self._is_on else real

    def create_batch(self) -> Any:
        return self._real.create_batch()

    async def send_batch(self, *_: Any, **__: Any) -> asyncio.Future[Any]:
        return asyncio.get_running_loop().create_future()


def changelog_seconds(seconds: float) -> None:
    """What goes to a changelog is on its way for so long: a kill then finds something that only the disk knows."""
    producer = EntityTable._producer
    late = _Late(seconds)
    EntityTable._producer = property(lambda table: late.over(producer.fget(table)))


class _Late:
    """A producer whose batches wait, in their order, before they go."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._real: Any = None
        self._waiting: asyncio.Queue[Any] = asyncio.Queue()
        self._sending: asyncio.Task[None] | None = None

    def over(self, real: Any) -> Any:
        self._real = real
        return self

    def create_batch(self) -> Any:
        return self._real.create_batch()

    async def send_batch(self, *arguments: Any, **named: Any) -> asyncio.Future[Any]:
        if self._sending is None:
            self._sending = asyncio.ensure_future(self._send())
        told = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait((time.monotonic() + self._seconds, arguments, named, told))
        return told

    async def _send(self) -> None:
        while True:
            due, arguments, named, told = await self._waiting.get()
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            sent = await self._real.send_batch(*arguments, **named)
            sent.add_done_callback(lambda sent, told=told: _pass_on(sent, told))


def _pass_on(sent: Any, told: Any) -> None:
    if told.done():
        return
    if sent.cancelled():
        told.cancel()
    elif sent.exception() is not None:
        told.set_exception(sent.exception())
    else:
        told.set_result(sent.result())


def hold_repairs(flag: str) -> None:
    """Another worker's records in a changelog are not looked at as long as there is a file of that name."""
    read = ForeignReader.read

    async def later(self: ForeignReader, *arguments: Any) -> Any:
        end = time.monotonic() + HELD_SECONDS_MAX
        while os.path.exists(flag) and time.monotonic() < end:  # noqa: ASYNC110, ASYNC240, PTH110  (another process' flag)
            await asyncio.sleep(0.1)
        return await read(self, *arguments)

    ForeignReader.read = later


def trace(_: bool) -> None:
    """Every delivery, seek, fold, acknowledgement and commit in the log: to see how a chunk went astray."""
    consumer = chunk_transport.ChunkConsumer
    for name in ("_note_delivery", "_forget", "_commit_offsets", "ack", "perform_seek", "_undelivered"):
        setattr(consumer, name, _traced(name, getattr(consumer, name)))
    FoldAgents.fold_events = _traced("fold_events", FoldAgents.fold_events)


def _traced(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    def said(self: Any, *arguments: Any, **named: Any) -> Any:
        sys.stderr.write(f"{time.time():.4f} {name} {' '.join(map(_short, arguments))} {_expected(self, arguments)}\n")
        result = method(self, *arguments, **named)
        return _awaited(name, arguments, result) if asyncio.iscoroutine(result) else result

    return said


async def _awaited(name: str, arguments: Any, result: Any) -> Any:
    try:
        answer = await result
    except BaseException as failure:
        sys.stderr.write(f"{time.time():.4f} {name} {' '.join(map(_short, arguments))} raised {failure!r}\n")
        raise
    sys.stderr.write(f"{time.time():.4f} {name} {' '.join(map(_short, arguments))} -> {answer}\n")
    return answer


def _expected(consumer: Any, arguments: Any) -> str:
    if arguments and hasattr(consumer, "_expected"):
        tp = getattr(arguments[0], "tp", arguments[0])
        with contextlib.suppress(TypeError):
            return f"expected {consumer._expected.get(tp)} frontier {consumer._frontier.get(tp)}"
    return ""


def _short(argument: Any) -> str:
    if isinstance(argument, list):
        first, last = argument[0], argument[-1]
        return f"{first.topic}[{first.partition}]@{first.offset}-{last.offset}" if hasattr(first, "offset") else "[…]"
    if hasattr(argument, "offset") and hasattr(argument, "generation_id"):
        return f"{argument.topic}[{argument.partition}]@{argument.offset} generation {argument.generation_id}"
    return str(argument)


HOOKS: dict[str, Callable[[Any], None]] = {
    "chunk_records": chunk_records,
    "fold_seconds": fold_seconds,
    "lose_changelog": lose_changelog,
    "changelog_seconds": changelog_seconds,
    "hold_repairs": hold_repairs,
    "trace": trace,
}
