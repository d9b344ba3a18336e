"""Server-sent events: what changed, to every page that listens. None is waited for: one that is too slow starts again.

Format: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec

LISTENERS_MAX: Final = 200
"""Pages that may listen at a time."""
QUEUE_EVENTS_MAX: Final = 64
"""Events that may wait for one page; one more and its stream ends: it connects again and gets everything anew."""


class Full(Exception):  # noqa: N818  (it is a state of the hub, not a fault)
    """As many pages listen as may."""


class Listener:
    """The events that wait for one page."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue(QUEUE_EVENTS_MAX)
        self._behind = False

    def put(self, event: bytes) -> None:
        """Hand over an event, or give the page up if it does not read."""
        if self._behind:
            return
        try:
            self._queue.put_nowait(event)
        except asyncio.QueueFull:
            self._behind = True
            self.end()

    def end(self) -> None:
        """End the stream, whatever waits."""
        while not self._queue.empty():
            self._queue.get_nowait()
        self._queue.put_nowait(None)

    async def next(self) -> bytes | None:
        """The next event; None when the stream is over."""
        return await self._queue.get()


class Hub:
    """All pages that listen."""

    def __init__(self) -> None:
        self._listeners: set[Listener] = set()

    def __len__(self) -> int:
        return len(self._listeners)

    def join(self) -> Listener:
        """A new page.

        Raises:
            Full: There are `LISTENERS_MAX` already.
        """
        if len(self._listeners) >= LISTENERS_MAX:
            raise Full
        listener = Listener()
        self._listeners.add(listener)
        return listener

    def leave(self, listener: Listener) -> None:
        """A page that went away."""
        self._listeners.discard(listener)

    def publish(self, name: str, data: object) -> None:
        """Tell everybody."""
        if self._listeners:
            event = encode_event(name, data)
            for listener in self._listeners:
                listener.put(event)

    def close(self) -> None:
        """End all streams, so that the server can stop."""
        for listener in self._listeners:
            listener.end()


def encode_event(name: str, data: object) -> bytes:
    """One server-sent event; JSON has no line breaks, so the data is one line."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), msgspec.json.encode(data))
