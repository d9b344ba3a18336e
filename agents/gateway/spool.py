"""What must survive a restart of the gateway: events Kafka has not got, and events whose person nobody knows yet.

SQLite with a write-ahead log, synchronised to disk at every commit. All calls are made on one thread of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from funnelwatch.agents.errors import OperationError

NAME: Final = "gateway.sqlite"
LOCK_SECONDS: Final = 2.0
WAL_BYTES_MAX: Final = 64 * 1024 * 1024
"""To which size the write-ahead log is cut back."""

NOTES_AT_ONCE: Final = 500
"""Keys in one question: SQLite has a limit."""
WANTED_MAX: Final = 1_000_000
"""Objects to fetch, of all sources."""

_SEPARATOR: Final = "\x1f"

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS spool (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, subject TEXT NOT NULL, event BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS unknown (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT NOT NULL, id TEXT NOT NULL, person TEXT NOT NULL,
    outgoing BLOB NOT NULL, UNIQUE (source, id)
);
CREATE INDEX IF NOT EXISTS unknown_person ON unknown (person);
CREATE TABLE IF NOT EXISTS wanted (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, what BLOB NOT NULL, UNIQUE (name, what)
);
CREATE TABLE IF NOT EXISTS refused (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, at INTEGER NOT NULL, reason TEXT NOT NULL,
    detail TEXT NOT NULL, method TEXT NOT NULL, url TEXT NOT NULL, headers TEXT NOT NULL, body BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS seen (name TEXT PRIMARY KEY, at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS note (name TEXT NOT NULL, key TEXT NOT NULL, text TEXT NOT NULL, PRIMARY KEY (name, key));
"""

Result = TypeVar("Result")


class Message(msgspec.Struct, frozen=True):
    """One event on its way: topic with its prefix, the entity, and the CloudEvent as JSON."""

    topic: str
    subject: str
    event: bytes


class Kept(msgspec.Struct, frozen=True):
    """An event whose person is unknown: its identity, by what the vendor knows the person, the event as JSON."""

    source: str
    id: str
    person: tuple[str, ...]
    outgoing: bytes


class FullError(Exception):
    """There is no room. Nothing was written."""


class Spool:
    """The file. ``events``, ``bytes``, ``unknown`` and ``wanting`` say how much is in it.

    Raises:
        OperationError: The folder cannot be used, or another gateway uses it.
    """

    def __init__(self, folder: Path, bytes_max: int, unknown_max: int) -> None:
        self._bytes_max = bytes_max
        self._unknown_max = unknown_max
        self._path = folder / NAME
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # it holds what vendors say of people
            self._lock = (folder / "gateway.lock").open("w", encoding="utf-8")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._db = sqlite3.connect(self._path, timeout=LOCK_SECONDS, isolation_level=None, check_same_thread=False)
            self._open()
        except (OSError, sqlite3.Error) as error:
            raise OperationError(
                f"The gateway cannot use {self._path} ({error}): name a folder of its own with gateway.data_dir; if "
                "another gateway runs with it, stop that one."
            ) from error
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spool")

    def _open(self) -> None:
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            f"journal_size_limit = {WAL_BYTES_MAX}",
            "auto_vacuum = INCREMENTAL",
        ):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.executescript(_SCHEMA)
        self.events, self.bytes = self._one("SELECT count(*), coalesce(sum(length(event)), 0) FROM spool")
        (self.unknown,) = self._one("SELECT count(*) FROM unknown")
        (self.wanting,) = self._one("SELECT count(*) FROM wanted")

    def _one(self, query: str, *values: Any) -> Any:
        return self._db.execute(query, values).fetchone()

    async def _do(self, work: Callable[..., Result], *arguments: Any) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)

    def _commit(self, work: Callable[[], Result]) -> Result:
        """Do ``work`` in one transaction, on disk when it returns.

        Raises:
            FullError: The disk is full, or cannot be written.
        """
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                result = work()
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
        except sqlite3.OperationalError as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise FullError(str(error)) from error
        return result

    async def commit(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Do some work in one transaction, on disk when it returns.

        Raises:
            FullError: The disk is full, or cannot be written.
        """
        return await self._do(lambda: self._commit(lambda: work(self._db)))

    async def read(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Read something."""
        return await self._do(lambda: work(self._db))

    def kept_refused(self) -> tuple[int, int]:
        """How many refused deliveries are kept, and the bytes of their bodies; to be called before anything else."""
        count, size = self._one("SELECT count(*), coalesce(sum(length(body)), 0) FROM refused")
        return count, size

    # --- events for Kafka ---

    async def append(self, messages: Sequence[Message]) -> None:
        """Write events behind those that are there; on disk when it returns.

        Raises:
            FullError: There is no room.
        """
        size = sum(len(message.event) for message in messages)
        if self.bytes + size > self._bytes_max:
            raise FullError(
                f"{self.bytes} bytes of events wait for Kafka; gateway.spool_bytes_max is {self._bytes_max}"
            )
        self.events += len(messages)
        self.bytes += size
        try:
            await self._do(self._append, messages)
        except BaseException:
            self.events -= len(messages)
            self.bytes -= size
            raise

    def _append(self, messages: Sequence[Message]) -> None:
        rows = [(message.topic, message.subject, message.event) for message in messages]
        insert = "INSERT INTO spool (topic, subject, event) VALUES (?, ?, ?)"
        self._commit(lambda: self._db.executemany(insert, rows))

    async def oldest(self, count: int) -> tuple[int, list[Message]]:
        """The oldest events that are there, and the number of the last of them."""
        return await self._do(self._oldest, count)

    def _oldest(self, count: int) -> tuple[int, list[Message]]:
        rows = self._db.execute(
            "SELECT seq, topic, subject, event FROM spool ORDER BY seq LIMIT ?", (count,)
        ).fetchall()
        return (rows[-1][0] if rows else 0), [Message(*row[1:]) for row in rows]

    async def remove(self, through: int, messages: Sequence[Message]) -> None:
        """Forget the events up to a number, which were those."""
        await self._do(self._remove, through)
        self.events -= len(messages)
        self.bytes -= sum(len(message.event) for message in messages)

    def _remove(self, through: int) -> None:
        self._commit(lambda: self._db.execute("DELETE FROM spool WHERE seq <= ?", (through,)))
        self._db.execute("PRAGMA incremental_vacuum(1000)").fetchall()

    # --- events of unknown people ---

    async def keep(self, events: Sequence[Kept]) -> None:
        """Keep events until their person is known; one that is kept already is not kept twice.

        Raises:
            FullError: There is no room.
        """
        if self.unknown + len(events) > self._unknown_max:
            raise FullError(
                f"{self.unknown} events of unknown people are kept; gateway.unknown_events_max is {self._unknown_max}"
            )
        self.unknown += await self._do(self._keep, events)

    def _keep(self, events: Sequence[Kept]) -> int:
        rows = [(event.source, event.id, _SEPARATOR.join(event.person), event.outgoing) for event in events]
        insert = "INSERT OR IGNORE INTO unknown (source, id, person, outgoing) VALUES (?, ?, ?, ?)"
        return self._commit(lambda: self._db.executemany(insert, rows).rowcount)

    async def people(self) -> list[tuple[tuple[str, ...], int]]:
        """The unknown people by all that is known of them, with how many events are kept of each."""
        return await self._do(lambda: _people(self._db))

    async def kept_of(self, person: tuple[str, ...], count: int) -> list[tuple[int, bytes]]:
        """Some of the kept events of a person, oldest first, with their numbers."""
        query = "SELECT seq, outgoing FROM unknown WHERE person = ? ORDER BY seq LIMIT ?"
        return await self._do(lambda: self._db.execute(query, (_SEPARATOR.join(person), count)).fetchall())

    async def release(self, numbers: Iterable[int]) -> None:
        """Forget kept events: they are published."""
        rows = [(number,) for number in numbers]
        delete = "DELETE FROM unknown WHERE seq = ?"
        self.unknown -= await self._do(lambda: self._commit(lambda: self._db.executemany(delete, rows).rowcount))

    # --- objects to fetch, and what pollers must remember ---

    async def want(self, name: str, objects: Iterable[bytes]) -> None:
        """Note objects that the poller of a source shall fetch.

        Raises:
            FullError: There is no room.
        """
        rows = [(name, what) for what in objects]
        if self.wanting + len(rows) > WANTED_MAX:
            raise FullError(f"{self.wanting} objects wait to be fetched; at most {WANTED_MAX} are noted")
        insert = "INSERT OR IGNORE INTO wanted (name, what) VALUES (?, ?)"
        self.wanting += await self._do(lambda: self._commit(lambda: self._db.executemany(insert, rows).rowcount))

    async def wanted(self, name: str, count: int) -> list[tuple[int, bytes]]:
        """Objects that a source shall fetch, oldest first, with their numbers."""
        query = "SELECT seq, what FROM wanted WHERE name = ? ORDER BY seq LIMIT ?"
        return await self._do(lambda: self._db.execute(query, (name, count)).fetchall())

    async def fetched(self, numbers: Iterable[int]) -> None:
        """Forget objects: they were fetched."""
        rows = [(number,) for number in numbers]
        delete = "DELETE FROM wanted WHERE seq = ?"
        self.wanting -= await self._do(lambda: self._commit(lambda: self._db.executemany(delete, rows).rowcount))

    async def note(self, name: str, key: str, text: str) -> None:
        """Remember a text of a source, such as how far its poller has come.

        Raises:
            FullError: There is no room.
        """
        await self.note_all(name, {key: text})

    async def note_all(self, name: str, texts: Mapping[str, str]) -> None:
        """Remember some texts of a source at once, by their keys.

        Raises:
            FullError: There is no room.
        """
        rows = [(name, key, text) for key, text in texts.items()]
        insert = "INSERT OR REPLACE INTO note (name, key, text) VALUES (?, ?, ?)"
        await self._do(lambda: self._commit(lambda: self._db.executemany(insert, rows)))

    async def noted_of(self, name: str, keys: Sequence[str]) -> dict[str, str]:
        """Which of some texts were remembered, by their keys."""
        return await self._do(lambda: dict(self._notes(name, keys)))

    def _notes(self, name: str, keys: Sequence[str]) -> Iterator[tuple[str, str]]:
        for start in range(0, len(keys), NOTES_AT_ONCE):
            some = keys[start : start + NOTES_AT_ONCE]
            query = f"SELECT key, text FROM note WHERE name = ? AND key IN ({', '.join('?' * len(some))})"  # noqa: S608  (only question marks)
            yield from self._db.execute(query, (name, *some)).fetchall()

    async def noted(self, name: str, key: str) -> str | None:
        """A text that was remembered; None if there is none."""
        row = await self._do(lambda: self._one("SELECT text FROM note WHERE name = ? AND key = ?", name, key))
        return None if row is None else str(row[0])

    # --- when sources were last heard ---

    async def saw(self, seen: dict[str, int]) -> None:
        """Remember when sources were last heard, in µs since the epoch."""
        insert = "INSERT OR REPLACE INTO seen (name, at) VALUES (?, ?)"
        await self._do(lambda: self._commit(lambda: self._db.executemany(insert, list(seen.items()))))

    def seen(self) -> dict[str, int]:
        """When sources were last heard; to be called before anything else."""
        return dict(self._db.execute("SELECT name, at FROM seen").fetchall())

    def close(self) -> None:
        """Finish what is under way and close the file."""
        self._thread.shutdown(wait=True)
        self._db.close()
        self._lock.close()


def waiting(folder: Path) -> list[tuple[tuple[str, ...], int]]:
    """The unknown people of a gateway, whether it runs or not.

    Raises:
        OperationError: The file cannot be read.
    """
    path = folder / NAME
    if not path.exists():
        return []
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=LOCK_SECONDS)) as opened:
            return _people(opened)
    except sqlite3.Error as error:
        raise OperationError(f"{path} cannot be read: {error}.") from error


def notes_of(folder: Path, name: str, beginning: str) -> dict[str, str]:
    """What a source's poller has noted under keys with a beginning, whether the gateway runs or not.

    Raises:
        OperationError: The file cannot be read.
    """
    path = folder / NAME
    if not path.exists():
        return {}
    query = "SELECT key, text FROM note WHERE name = ? AND substr(key, 1, ?) = ?"
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=LOCK_SECONDS)) as opened:
            return dict(opened.execute(query, (name, len(beginning), beginning)).fetchall())
    except sqlite3.Error as error:
        raise OperationError(f"{path} cannot be read: {error}.") from error


def _people(opened: sqlite3.Connection) -> list[tuple[tuple[str, ...], int]]:
    rows = opened.execute("SELECT person, count(*) FROM unknown GROUP BY person ORDER BY 2 DESC").fetchall()
    return [(tuple(person.split(_SEPARATOR)), count) for person, count in rows]
