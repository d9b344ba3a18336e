"""Deliveries that were believed and could not be read, kept with their bytes: after a fix they are tried again.

A gateway tries them when it starts: a new version may read what an older one could not, other options may fit.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path
from typing import Final

import msgspec

from funnelwatch.agents.errors import OperationError
from funnelwatch.agents.gateway.spool import LOCK_SECONDS, NAME, Spool
from funnelwatch.schemas.sources.contract import Delivery

BYTES_MAX: Final = 64 * 1024 * 1024
"""What is kept; then the oldest are forgotten, and counted."""
AT_A_TIME: Final = 100
WITHHELD: Final = frozenset({"authorization", "cookie", "proxy-authorization"})
"""Headers that are not written to disk: no translator reads them."""


class Refused(msgspec.Struct, frozen=True):
    """One delivery: its number, its source's name, when it came (µs), why it was refused, and itself."""

    number: int
    name: str
    at: int
    reason: str
    detail: str
    delivery: Delivery


class Refusals:
    """What is kept in a spool. ``count``, ``bytes`` and ``forgotten`` say how much."""

    def __init__(self, spool: Spool, bytes_max: int = BYTES_MAX) -> None:
        self._spool = spool
        self._bytes_max = bytes_max
        self.forgotten = 0
        self.count, self.bytes = spool.kept_refused()

    async def add(self, name: str, delivery: Delivery, reason: str, detail: str) -> None:
        """Keep a delivery, on disk when it returns.

        Raises:
            FullError: The disk is full.
        """
        headers = {key: text for key, text in delivery.headers.items() if key not in WITHHELD}
        row = (
            *(name, delivery.received_us, reason, detail),
            *(delivery.method, delivery.url, json.dumps(headers), delivery.body),
        )
        insert = (
            "INSERT INTO refused (name, at, reason, detail, method, url, headers, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        )

        def work(opened: sqlite3.Connection) -> tuple[int, int]:
            opened.execute(insert, row)
            return _shrink(opened, self.bytes + len(delivery.body) - self._bytes_max)

        gone, freed = await self._spool.commit(work)
        self.forgotten += gone
        self.count += 1 - gone
        self.bytes += len(delivery.body) - freed

    async def after(self, number: int) -> list[Refused]:
        """Some deliveries, oldest first, with numbers above one."""
        return await self._spool.read(lambda opened: _rows(opened, number, AT_A_TIME))

    async def remove(self, refused: Refused) -> None:
        """Forget a delivery: it was taken."""
        delete = "DELETE FROM refused WHERE seq = ?"
        await self._spool.commit(lambda opened: opened.execute(delete, (refused.number,)))
        self.count -= 1
        self.bytes -= len(refused.delivery.body)


def kept(folder: Path, number: int = 0, most: int = 1_000_000) -> list[Refused]:
    """The deliveries kept by a gateway, whether it runs or not, with numbers above one.

    Raises:
        OperationError: The file cannot be read.
    """
    path = folder / NAME
    if not path.exists():
        return []
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=LOCK_SECONDS)) as opened:
            return _rows(opened, number, most)
    except sqlite3.Error as error:
        raise OperationError(f"{path} cannot be read: {error}.") from error


def _shrink(opened: sqlite3.Connection, too_much: int) -> tuple[int, int]:
    """Forget the oldest until so many bytes are free. How many they were, and their bytes."""
    gone = freed = 0
    if too_much <= 0:
        return gone, freed
    for number, size in opened.execute("SELECT seq, length(body) FROM refused ORDER BY seq").fetchall():
        if freed >= too_much:
            break
        opened.execute("DELETE FROM refused WHERE seq = ?", (number,))
        gone += 1
        freed += size
    return gone, freed


def _rows(opened: sqlite3.Connection, number: int, most: int) -> list[Refused]:
    columns = "seq, name, at, reason, detail, method, url, headers, body"
    query = f"SELECT {columns} FROM refused WHERE seq > ? ORDER BY seq LIMIT ?"  # noqa: S608  (a constant)
    rows = opened.execute(query, (number, most)).fetchall()
    return [
        Refused(
            seq,
            name,
            at,
            reason,
            detail,
            Delivery(method=method, url=url, headers=json.loads(headers), body=body, received_us=at),
        )
        for seq, name, at, reason, detail, method, url, headers, body in rows
    ]
