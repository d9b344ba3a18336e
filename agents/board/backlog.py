"""Notes of the workers that were read from Redis and are not taken in yet.

Redis cuts a subscriber off who does not read (32 MB wait, or 8 MB for a minute, by default). Whoever then reads all
shards as a whole does not read notes meanwhile, is cut off again, and never catches up: so notes are read all the time,
and wait here.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from contextlib import suppress
from typing import Final

WAITING_BYTES_MAX: Final = 64 * 1024 * 1024
"""More notes than this are dropped, all of them: the numbers of those that follow tell what to read as a whole."""

log = logging.getLogger(__name__)


class Backlog:
    """A bounded queue of notes."""

    def __init__(self, bytes_max: int = WAITING_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._some = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, note: bytes) -> None:
        """Keep a note; if there are too many, the others are dropped."""
        if self._bytes + len(note) > self._bytes_max and self._waiting:
            log.warning(
                "%d notes of the workers are dropped, they come faster than they can be taken in; their shards are "
                "read as a whole.",
                len(self._waiting),
            )
            self._waiting.clear()
            self._bytes = 0
        self._waiting.append(note)
        self._bytes += len(note)
        self._some.set()

    async def take(self, seconds: float) -> bytes | None:
        """The oldest note; None if none comes within so long."""
        if not self._waiting:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._some.wait()
        if not self._waiting:
            return None
        note = self._waiting.popleft()
        self._bytes -= len(note)
        if not self._waiting:
            self._some.clear()
        return note

    def put_back(self, notes: list[bytes]) -> None:
        """Notes that were taken, to be taken again before those that wait."""
        if notes:
            self._waiting.extendleft(reversed(notes))
            self._bytes += sum(map(len, notes))
            self._some.set()
