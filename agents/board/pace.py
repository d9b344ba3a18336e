"""Long work on the event loop in small pieces, so that nobody waits for more than one of them."""

from __future__ import annotations

import asyncio
from typing import Final

from funnelwatch.agents import clock

SLICE_SECONDS: Final = 0.002
"""Work goes on for so long, or until what was begun is done, before others have their turn."""
REST: Final = 6.0
"""After work that took t seconds, others have the core for this many times t."""
REFRESH_REST: Final = 10.0
"""The same of documents that nobody asked for: whoever asks gets a new one at once, pages and topics wait."""


class Pace:
    """Keeps one piece of work to a share of a core; `rest` is to be awaited wherever it may be interrupted.

    Args:
        times: For how many times as long as the work took others have the core; a seventh of it at `REST`.
    """

    def __init__(self, times: float = REST) -> None:
        self._times = times
        self._began = clock.monotonic()

    async def rest(self) -> None:
        """Let others have their turn, if this one has taken long enough."""
        took = clock.monotonic() - self._began
        if took >= SLICE_SECONDS:
            await asyncio.sleep(self._times * took)
            self._began = clock.monotonic()
