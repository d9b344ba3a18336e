"""Asking the board and the worker how things are, without holding up the simulation."""

from __future__ import annotations

import asyncio
from typing import Final, TypeVar

import msgspec

from funnelwatch.agents.demo.accounts import Counts, counts
from funnelwatch.agents.fetch import UnreachableError, get
from funnelwatch.agents.topics import input_topic
from funnelwatch.schemas.board import Alerts, Rows
from funnelwatch.schemas.events import Kind
from funnelwatch.schemas.settings import Settings

TIMEOUT_SECONDS: Final = 3.0
OK: Final = 200

Answer = TypeVar("Answer")


class Watch:
    """Reads one worker and one board; what does not answer now is asked again the next time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topics = [input_topic(settings, kind) for kind in Kind]
        self.trouble = ""
        """Why the board has no figures now; empty if it has."""

    async def rows(self) -> Rows | None:
        """The reps, worst first; None while there are no figures."""
        return await self._board("/api/v1/reps", Rows)

    async def alerts(self) -> Alerts | None:
        """What fires now; None while there are no figures."""
        return await self._board("/api/v1/alerts", Alerts)

    async def ready(self) -> bool:
        """Whether the board's figures are whole."""
        try:
            status, _ = await self._get(self._settings.board.host, self._settings.board.port, "/readyz")
        except UnreachableError:
            return False
        return status == OK

    async def counts(self) -> Counts | None:
        """The worker's counters; None while it does not answer."""
        try:
            status, body = await self._get(self._settings.worker.host, self._settings.worker.port, "/metrics")
        except UnreachableError:
            return None
        return counts(body.decode(), self._topics) if status == OK else None

    async def _board(self, path: str, type_: type[Answer]) -> Answer | None:
        try:
            status, body = await self._get(self._settings.board.host, self._settings.board.port, path)
        except UnreachableError as error:
            self.trouble = str(error)
            return None
        if status != OK:
            self.trouble = f"the board answers {status}"
            return None
        self.trouble = ""
        return msgspec.json.decode(body, type=type_)

    async def _get(self, host: str, port: int, path: str) -> tuple[int, bytes]:
        return await asyncio.to_thread(get, host, port, path, TIMEOUT_SECONDS)
