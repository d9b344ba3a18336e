"""What a worker under test is made to do: be slow, cut its chunks small, lose what it sends."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from funnelwatch.agents.engine import chunk_transport
from funnelwatch.agents.engine.entity_table import EntityTable
from funnelwatch.agents.engine.fold_agent import FoldAgents


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
    "trace": trace,
}
