"""A table of call detail records in MySQL or MariaDB, read as it grows: what FreePBX and Issabel write.

Such a table has no number that grows: a row is written when its call ends, and says when that began, on a local clock
that is set back once a year. So what is looked at are the calls that ended lately, and those of which a row more is
there than when they were read are read again, whole. Where that is remembered is the end of the latest call; calls that
are read twice after a restart are repeats.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import msgspec

from funnelwatch.agents.errors import OperationError

CALLS_MAX: Final = 10_000
"""Calls that are looked at at a time; so many do not end in one second."""
KNOWN_MAX: Final = 200_000
"""Calls that are known again."""
PORTION: Final = 500
"""Calls whose rows are fetched at a time."""
ROWS_MAX: Final = 10_000
"""Rows of a portion."""
OVERLAP: Final = timedelta(hours=2)
"""How far behind the latest end is looked again: a clock that is set back gives an hour twice."""
LONGEST: Final = timedelta(days=1)
"""A call that took longer is not found."""
PORT: Final = 3306
CONNECT_SECONDS: Final = 10
ANSWER_SECONDS: Final = 60
_COLUMN: Final = "`{}`"
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)

Told = tuple[int, str]
"""How many rows a call had, and when its last one ended: if either is another, the call is read again."""


class Account(msgspec.Struct, frozen=True):
    """Where the database is and who reads it. The repr shows no password."""

    host: str
    port: int
    user: str
    password: str
    database: str
    tls: bool = False

    def __repr__(self) -> str:
        return f"Account({self.user}@{self.host}:{self.port}/{self.database})"

    @classmethod
    def of(cls, address: str, password: str, *, tls: bool) -> Account:
        """Of an address like ``mysql://funnelwatch@127.0.0.1:3306/asteriskcdrdb``, which `asterisk` has checked."""
        parts = urlsplit(address)
        user, database = unquote(parts.username or ""), unquote(parts.path.strip("/"))
        return cls(parts.hostname or "", parts.port or PORT, user, password, database, tls)


class Table:
    """One table of records, followed. Blocks: a thread's.

    Args:
        account: Whose it is.
        table: Its name.
        since: The end of the latest call that is safe, ``YYYY-MM-DD HH:MM:SS`` as the table has it.

    Raises:
        OperationError: The driver is not installed, the database does not let us in, it is no table of records.
    """

    def __init__(self, account: Account, table: str, since: str) -> None:
        if not _NAME.fullmatch(table):
            raise OperationError(f"{table!r} is no name of a table.")
        try:
            import pymysql  # noqa: PLC0415  (an extra: most sources need no database)
        except ImportError:
            raise OperationError(
                "Reading call records from MySQL needs its driver: install funnelwatch with the extra mysql."
            ) from None
        self._errors: type[Exception] = pymysql.MySQLError
        self._account, self._table = account, table
        self._through = since
        self._known: dict[str, Told] = {}
        try:
            self._connection: Any = pymysql.connect(
                host=account.host,
                port=account.port,
                user=account.user,
                password=account.password,
                database=account.database,
                charset="utf8mb4",
                autocommit=True,  # each look sees what was written until then
                connect_timeout=CONNECT_SECONDS,
                read_timeout=ANSWER_SECONDS,
                write_timeout=ANSWER_SECONDS,
                ssl=ssl.create_default_context() if account.tls else None,  # None: as the server likes, unverified
                cursorclass=pymysql.cursors.DictCursor,
            )
        except (self._errors, OSError) as error:
            raise self._trouble(error) from error
        self._begin, self._call = self._columns()

    def close(self) -> None:
        """Leave."""
        with suppress(*(self._errors, OSError)):
            self._connection.close()

    def read(self) -> tuple[list[dict[str, str]], str]:
        """The rows of calls that are new, or have a row more, and the end of the latest; no rows: there are none yet.

        The end is safe to go on from, in another process too, when the rows are.

        Raises:
            OperationError: The database does not answer.
        """
        since = _moment(self._through) - OVERLAP
        while True:
            found = self._ended(since)
            fresh = {one: told for one, told in found.items() if self._known.get(one) != told}
            if fresh:
                wanted = sorted(fresh, key=lambda one: (fresh[one][1], one))[:PORTION]
                rows = self._rows(wanted, since)
                self._note({one: fresh[one] for one in wanted})
                return rows, self._through
            after = self._later(since) if len(found) < CALLS_MAX else self._last_of(found, since)
            if after is None:
                return [], self._through
            since = after

    def _ended(self, since: datetime) -> dict[str, Told]:
        """The first calls that ended at an instant or later, within two days."""
        ended = f"MAX({self._begin} + INTERVAL `duration` SECOND)"
        rows = self._ask(
            f"SELECT {self._call} AS call_, COUNT(*) AS rows_, {ended} AS ended_ FROM `{self._table}` "  # noqa: S608  (names that were checked)
            f"WHERE {self._begin} BETWEEN %s AND %s GROUP BY call_ "
            "HAVING ended_ >= %s AND call_ <> '' ORDER BY ended_, call_ LIMIT %s",
            (since - LONGEST, since + LONGEST, since, CALLS_MAX),
        )
        return {row["call_"]: (int(row["rows_"]), str(row["ended_"])[:19]) for row in rows}

    def _rows(self, wanted: Sequence[str], since: datetime) -> list[dict[str, str]]:
        marks = ", ".join(["%s"] * len(wanted))
        rows = self._ask(
            f"SELECT * FROM `{self._table}` WHERE {self._begin} BETWEEN %s AND %s AND {self._call} IN ({marks}) "  # noqa: S608  (names that were checked)
            f"ORDER BY {self._begin} LIMIT %s",
            (since - LONGEST, since + LONGEST, *wanted, ROWS_MAX),
        )
        return [{name: "" if value is None else str(value) for name, value in row.items()} for row in rows]

    def _later(self, since: datetime) -> datetime | None:
        """When the first call began that is not among those looked at; None if there is none."""
        rows = self._ask(
            f"SELECT MIN({self._begin}) AS first_ FROM `{self._table}` WHERE {self._begin} > %s",  # noqa: S608  (names that were checked)
            (since + LONGEST,),
        )
        first = rows[0]["first_"] if rows else None
        return None if first is None else _moment(str(first)[:19])

    def _last_of(self, found: Mapping[str, Told], since: datetime) -> datetime:
        last = _moment(max(ended for _, ended in found.values()))
        if last <= since:
            raise OperationError(f"More than {CALLS_MAX:,} calls of {self._table} ended within one second, at {since}.")
        return last

    def _note(self, told: Mapping[str, Told]) -> None:
        self._known |= told
        while len(self._known) > KNOWN_MAX:
            del self._known[next(iter(self._known))]
        self._through = max(self._through, *(ended for _, ended in told.values()))

    def _columns(self) -> tuple[str, str]:
        """The column of a row's begin, and what names its call."""
        columns = {str(row["Field"]).lower() for row in self._ask(f"SHOW COLUMNS FROM `{self._table}`", ())}
        begin = next((name for name in ("calldate", "start") if name in columns), None)
        if begin is None or not {"src", "dst", "duration", "uniqueid"} <= columns:
            raise OperationError(
                f"The table {self._table} of {self._place} has not the columns calldate (or start), src, dst, duration "
                "and uniqueid."
            )
        call = "COALESCE(NULLIF(`linkedid`, ''), `uniqueid`)" if "linkedid" in columns else "`uniqueid`"
        return _COLUMN.format(begin), call

    def _ask(self, query: str, values: Sequence[object]) -> list[dict[str, Any]]:
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(query, values)
                return list(cursor.fetchall())
        except (self._errors, OSError) as error:
            raise self._trouble(error) from error

    def _trouble(self, error: Exception) -> OperationError:
        why = str(error.args[-1] if error.args else error).strip() or type(error).__name__
        return OperationError(f"The records of {self._place} cannot be read: {why}.")

    @property
    def _place(self) -> str:
        return f"{self._account.database} at {self._account.host}:{self._account.port}"


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
