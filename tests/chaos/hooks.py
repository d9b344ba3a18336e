"""What a worker under test is made to do: be slow, cut its chunks small, lose what it sends."""

from __future__ import annotations

import asyncio
import signal
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


HOOKS: dict[str, Callable[[Any], None]] = {
    "chunk_records": chunk_records,
    "fold_seconds": fold_seconds,
    "lose_changelog": lose_changelog,
}
