"""The demo's own receiver of pages: what a manager's pager would be."""

from __future__ import annotations

import logging
from collections import deque
from types import TracebackType
from typing import Final, Self

import msgspec
from aiohttp import web

from funnelwatch.agents.board.told import Message
from funnelwatch.agents.embedded.ports import LOOPBACK

PAGES_KEPT: Final = 1_000
MESSAGE_BYTES_MAX: Final = 16 * 1024 * 1024

log = logging.getLogger(__name__)

_decode = msgspec.json.Decoder(Message).decode


class Page(msgspec.Struct, frozen=True):
    """One alert that a message tells to fire, as its receiver reads it."""

    detector: str
    level: str
    subject: str
    severity: str
    summary: str


class Receiver:
    """Listens on loopback; ``new`` has every alert that was not told before, oldest first."""

    def __init__(self, port: int) -> None:
        self.url = f"http://{LOOPBACK}:{port}/"
        self._port = port
        self._known: set[tuple[str, ...]] = set()
        self._new: deque[Page] = deque(maxlen=PAGES_KEPT)
        self._runner: web.AppRunner | None = None
        self.received = 0
        """Alerts that were told, each once."""

    def take(self) -> list[Page]:
        """What is new since the last call."""
        found = list(self._new)
        self._new.clear()
        return found

    async def _told(self, request: web.Request) -> web.Response:
        try:
            message = _decode(await request.read())
        except msgspec.MsgspecError as error:
            return web.Response(status=400, text=f"no message of Alertmanager: {error}\n")
        for one in message.alerts:
            page = _page(one.labels, one.annotations)
            key = (page.detector, page.level, page.subject, page.severity, one.started)
            if one.status == "firing" and key not in self._known:
                self._known.add(key)
                self._new.append(page)
                self.received += 1
        return web.Response(status=204)

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=MESSAGE_BYTES_MAX)
        app.add_routes([web.post("/", self._told)])
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, LOOPBACK, self._port).start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()


def _page(labels: dict[str, str], annotations: dict[str, str]) -> Page:
    level = "rep" if "rep" in labels else "team" if "team" in labels else ""
    return Page(
        detector=labels.get("detector", labels.get("alertname", "")),
        level=level,
        subject=labels.get(level, ""),
        severity=labels.get("severity", ""),
        summary=annotations.get("description") or annotations.get("summary", ""),
    )
