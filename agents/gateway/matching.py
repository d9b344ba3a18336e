"""Calls on their way out: one that another source told of, too, goes by that one's name.

Many at a time share a transaction of the memory, in a thread of its own, so that a busy disk holds up nobody else.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from funnelwatch.agents.errors import OperationError
from funnelwatch.agents.gateway.metrics import Metrics
from funnelwatch.agents.gateway.spool import FullError
from funnelwatch.agents.sources.call_memory import CallMemory
from funnelwatch.schemas.events import Event
from funnelwatch.schemas.settings import Settings
from funnelwatch.schemas.sources import phones
from funnelwatch.streams.matching import Rules

FILE: Final = "calls.sqlite"
BATCH_EVENTS: Final = 500
"""Events that share a transaction, besides those of one delivery."""
WAITING_EVENTS_MAX: Final = 50_000
TELEPHONES: Final = frozenset(system.name for system in phones.SYSTEMS)
RECORDERS: Final = frozenset({"gong"})
"""Telephone systems that hear of calls made with another: they come after it."""

Told = tuple[Event, str]
"""An event of a call, and the other party's number as its source writes it."""


def rank(source: str) -> int:
    """Telephone systems before what records them, and both before CRMs: of ``funnelwatch/SYSTEM/NAME``."""
    system = source.split("/")[1] if source.count("/") > 1 else ""
    return 1 if system in RECORDERS else 0 if system in TELEPHONES else 2


def memory_of(settings: Settings, folder: Path) -> CallMemory:
    """The memory of calls in a gateway's data directory.

    Raises:
        OperationError: It cannot be used.
    """
    calls = settings.calls
    rules = Rules(int(calls.tolerance_seconds * 1_000_000), rank)
    return CallMemory(folder / FILE, rules, country=calls.country, days=calls.memory_days, calls_max=calls.calls_max)


class Matching:
    """Gives the events that are to be published in place of those of calls."""

    def __init__(self, memory: CallMemory, metrics: Metrics, now_us: Callable[[], int]) -> None:
        self._memory = memory
        self._metrics = metrics
        self._counted: Counter[tuple[str, str]] = Counter()
        self._renamed = 0
        self._now_us = now_us
        self._waiting: list[tuple[Sequence[Told], asyncio.Future[list[Event]]]] = []
        self._waiting_events = 0
        self._working: asyncio.Task[None] | None = None

    async def published(self, told: Sequence[Told]) -> list[Event]:
        """What is to be published because of some events of calls, in this order.

        Raises:
            FullError: It cannot be noted. Hand the same in again later.
        """
        if not told:
            return []
        if self._waiting_events + len(told) > WAITING_EVENTS_MAX:
            raise FullError(f"{self._waiting_events} events of calls wait to be noted")
        done: asyncio.Future[list[Event]] = asyncio.get_running_loop().create_future()
        self._waiting.append((told, done))
        self._waiting_events += len(told)
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work())
        return await done

    async def close(self) -> None:
        """Let what is under way end, and close the memory."""
        if self._working is not None:
            await asyncio.wait([self._working])
        self._memory.close()

    async def _work(self) -> None:
        while self._waiting:
            batch = self._batch()
            try:
                said = await asyncio.to_thread(self._memory.take_all, [group for group, _ in batch], self._now_us())
            except OperationError as error:
                for _, done in batch:
                    if not done.done():
                        done.set_exception(FullError(str(error)))
            else:
                for (_, done), events in zip(batch, said, strict=True):
                    if not done.done():
                        done.set_result(events)
                self._count()

    def _count(self) -> None:
        memory = self._memory
        self._metrics.matched(memory.matched - self._counted, memory.renamed - self._renamed)
        self._counted, self._renamed = Counter(memory.matched), memory.renamed

    def _batch(self) -> list[tuple[Sequence[Told], asyncio.Future[list[Event]]]]:
        count = events = 0
        for group, _ in self._waiting:
            count += 1
            events += len(group)
            if events >= BATCH_EVENTS:
                break
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        self._waiting_events -= events
        return batch
