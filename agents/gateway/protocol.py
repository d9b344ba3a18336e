"""uvicorn's HTTP with what it has no limits for: slow and large headers, connections in all and of one address."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from funnelwatch.schemas.settings import GatewaySettings

HEADER_BYTES_MAX: Final = 32 * 1024
LOOK_SECONDS: Final = 0.5
"""How often connections are looked over."""
_TOO_LARGE: Final = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_TOO_SLOW: Final = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class Connections:
    """All connections of a server. The protocol is made for each of them by `protocol`."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self._open: set[GuardedProtocol] = set()
        self._of_address: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._open)

    def protocol(self) -> type[asyncio.Protocol]:
        """The class that uvicorn makes one of for each connection, in place of its own."""
        return type("GuardedProtocol", (GuardedProtocol,), {"guard": self})

    def join(self, connection: GuardedProtocol, address: str) -> bool:
        """Whether there is room for one more connection."""
        limits = self._settings
        of_address = limits.connections_per_address_max
        if len(self._open) >= limits.connections_max or (of_address and self._of_address[address] >= of_address):
            return False
        self._open.add(connection)
        self._of_address[address] += 1
        return True

    def leave(self, connection: GuardedProtocol, address: str) -> None:
        """A connection is closed."""
        if connection in self._open:
            self._open.remove(connection)
            self._of_address[address] -= 1
            if not self._of_address[address]:
                del self._of_address[address]

    async def watch(self) -> None:
        """Cut off whoever takes too long for headers, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            before = loop.time() - self._settings.header_seconds
            for connection in [one for one in self._open if one.headers_since < before]:
                connection.cut(_TOO_SLOW)


class GuardedProtocol(HttpToolsProtocol):
    """One connection. ``headers_since`` is when the headers being awaited began; infinity when none are."""

    guard: Connections

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._header_bytes = 0
        self._in_headers = True
        self._is_cut = False
        self.headers_since = self.loop.time()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, or close it at once."""
        super().connection_made(transport)
        if not self.guard.join(self, self._address):
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self.guard.leave(self, self._address)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, as long as headers are not too large."""
        if self._in_headers:
            if self.headers_since == float("inf"):
                self.headers_since = self.loop.time()
            self._header_bytes += len(data)
        super().data_received(data)
        if self._in_headers and self._header_bytes > HEADER_BYTES_MAX:
            self.cut(_TOO_LARGE)

    def on_headers_complete(self) -> None:
        """The headers are there, unless they are too large; what follows is the body."""
        self._in_headers = False
        self.headers_since = float("inf")
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > HEADER_BYTES_MAX:
            self._is_cut = True
            self.cut(_TOO_LARGE)
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        if not self._is_cut:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The body is there; what follows is another request."""
        if self._is_cut:
            return
        super().on_message_complete()
        self._in_headers = True
        self._header_bytes = 0

    def cut(self, answer: bytes) -> None:
        """Answer, if nothing is being answered, and close."""
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete:
            self.transport.write(answer)
        self.transport.close()

    @property
    def _address(self) -> str:
        return self.client[0] if self.client else ""
