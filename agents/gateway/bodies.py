"""Reading a request's body within limits of size, memory and time, also when it is packed."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable
from typing import Any, Final

from funnelwatch.agents.gateway.limits import FREE_BODY_BYTES, Room

Receive = Callable[[], Awaitable[Any]]

DRAIN_BYTES_MAX: Final = 16 * 1024 * 1024
DRAIN_SECONDS: Final = 1.0
_GZIP: Final = 31
_ZLIB: Final = 15
_RAW: Final = -15


class BodyError(Exception):
    """A body that is not taken: the status to answer with, a stable reason code, and whether all of it was read."""

    def __init__(self, status: int, reason: str, *, whole: bool = True) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.whole = whole


class GoneError(Exception):
    """The caller went away: nobody is left to answer."""


async def read(receive: Receive, announced: str, bytes_max: int, seconds: float, room: Room) -> bytes:
    """The body of a request as it was sent.

    Args:
        receive: Of the ASGI request.
        announced: Its content-length, empty if none was sent.
        bytes_max: A larger one is refused, before it is read if it is announced.
        seconds: The caller has so long to send it.
        room: Memory that it must find beyond the part that is free.

    Raises:
        BodyError: It is too large or too slow, or there is no room.
        GoneError: The caller went away.
    """
    if announced.isdecimal() and int(announced[:20]) > bytes_max:
        raise BodyError(413, "too_large", whole=False)
    chunks: list[bytes] = []
    size = taken = 0
    try:
        async with asyncio.timeout(seconds):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    raise GoneError
                chunk = message.get("body", b"")
                whole = not message.get("more_body", False)
                size += len(chunk)
                if size > bytes_max:
                    raise BodyError(413, "too_large", whole=whole)
                if size > FREE_BODY_BYTES:
                    needed = size - max(FREE_BODY_BYTES, size - len(chunk))
                    if not room.take(needed):
                        raise BodyError(503, "no_room", whole=whole)
                    taken += needed
                chunks.append(chunk)
                if whole:
                    return b"".join(chunks)
    except TimeoutError:
        raise BodyError(408, "too_slow", whole=False) from None
    finally:
        room.give_back(taken)


async def drained(receive: Receive) -> bool:
    """Read what is left of a body that is not wanted, up to a limit, and drop it. Whether that was all of it.

    An answer that is sent before the body is read gets lost when the connection is closed: the system resets it.
    """
    left = DRAIN_BYTES_MAX
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            while left > 0:
                message = await receive()
                if message["type"] != "http.request":
                    return False
                if not message.get("more_body", False):
                    return True
                left -= len(message.get("body", b""))
    except TimeoutError:
        pass
    return False


def unpacked(body: bytes, encoding: str, bytes_max: int) -> bytes:
    """A body as it was before it was packed for the way; never more than ``bytes_max`` of it is made.

    Raises:
        BodyError: It is packed in a way that is not read, is damaged, or is too large.
    """
    encoding = encoding.strip().lower()
    if encoding in {"", "identity"}:
        return body
    if encoding in {"gzip", "x-gzip"}:
        return _inflated(body, _GZIP, bytes_max)
    if encoding == "deflate":
        try:
            return _inflated(body, _ZLIB, bytes_max)
        except BodyError as error:
            if error.reason != "damaged":
                raise
            return _inflated(body, _RAW, bytes_max)
    raise BodyError(415, "unknown_encoding")


def _inflated(body: bytes, window_bits: int, bytes_max: int) -> bytes:
    unpacker = zlib.decompressobj(window_bits)
    try:
        found = unpacker.decompress(body, bytes_max + 1)
    except zlib.error:
        raise BodyError(400, "damaged") from None
    if len(found) > bytes_max:
        raise BodyError(413, "too_large")
    if not unpacker.eof or unpacker.unused_data:
        raise BodyError(400, "damaged")
    return found
