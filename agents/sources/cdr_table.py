"""A table of call detail records in SQLite, read as it grows: of ``cdr_sqlite3_custom``, or a copy of FreePBX's."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from funnelwatch.agents.errors import OperationError

ROWS_MAX: Final = 1_000
"""New rows that are read at a time."""
CALL_ROWS_MAX: Final = 5_000
"""Rows of the calls of these, new or not."""
BUSY_SECONDS: Final = 5.0

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)


def read(path: Path, table: str, after: int) -> tuple[list[dict[str, Any]], int]:
    """The rows of all calls that have a row after a number, and the number to go on after.

    Raises:
        OperationError: There is no such database or table, or it is no table of records.
    """
    if not _NAME.fullmatch(table):
        raise OperationError(f"{table!r} is no name of a table.")
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=BUSY_SECONDS)) as database:
            database.row_factory = sqlite3.Row
            columns = {row["name"].lower() for row in database.execute(f"PRAGMA table_info([{table}])")}
            identity = next((name for name in ("linkedid", "uniqueid") if name in columns), None)
            if identity is None or "src" not in columns:
                raise OperationError(f"The table {table} of {path} has no columns src and uniqueid (or linkedid).")
            new = database.execute(
                f"SELECT rowid AS number_, {identity} AS call_ FROM [{table}] WHERE rowid > ? ORDER BY rowid LIMIT ?",  # noqa: S608  (checked above)
                (after, ROWS_MAX),
            ).fetchall()
            wanted = sorted({row["call_"] for row in new if row["call_"]})
            return _rows_of(database, table, identity, wanted), max((row["number_"] for row in new), default=after)
    except sqlite3.Error as error:
        raise OperationError(f"The records {path} cannot be read: {error}.") from error


def _rows_of(database: sqlite3.Connection, table: str, identity: str, wanted: Iterable[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for one in wanted:
        rows = database.execute(f"SELECT * FROM [{table}] WHERE {identity} = ? LIMIT ?", (one, CALL_ROWS_MAX))  # noqa: S608  (checked by the caller)
        found += [dict(row) for row in rows]
    return found
