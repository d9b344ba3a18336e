"""Asterisk's CSV of call detail records, read as it grows.

The rows of one call stand near each other, not together: with each new row those of its call that came shortly before
are read again, so that a call is always told whole. Only the place up to which was read is remembered.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from funnelwatch.agents.errors import OperationError
from funnelwatch.schemas.reasons import RefusedError
from funnelwatch.schemas.sources.contract import SourceOptions
from funnelwatch.schemas.sources.phones import cdr

BEFORE_BYTES: Final = 512 * 1024
"""How far back the other rows of a call are looked for: hours of records of a busy exchange."""
PIECE_BYTES: Final = 1024 * 1024
"""New bytes that are read at a time."""


class Place(msgspec.Struct, frozen=True):
    """Up to where a file was read: which file it was, and how many bytes."""

    file: str = ""
    offset: int = 0


class Piece(msgspec.Struct, frozen=True):
    """The rows of all calls that have a new one, and the place after them; ``unreadable`` lines were left out.

    ``size`` is how many bytes the file has.
    """

    rows: list[dict[str, str]]
    place: Place
    unreadable: int = 0
    size: int = 0


def read(path: Path, place: Place, options: SourceOptions) -> Piece:
    """The calls of the next rows. At the end of the file the place does not move.

    A file that was put in the place of the one read before (``logrotate``) is read from its beginning.

    Raises:
        OperationError: The file cannot be read.
    """
    try:
        with path.open("rb") as opened:
            status = os.fstat(opened.fileno())
            file = f"{status.st_dev}:{status.st_ino}"
            offset = place.offset if place.file == file and place.offset <= status.st_size else 0
            begin = max(0, offset - BEFORE_BYTES)
            opened.seek(begin)
            before = opened.read(offset - begin)
            new = opened.read(PIECE_BYTES)
    except OSError as error:
        raise OperationError(f"The records {path} cannot be read: {error.strerror}.") from error
    whole = new[: new.rfind(b"\n") + 1]
    after = Place(file, offset + len(whole))
    if not whole:
        return Piece([], after, size=status.st_size)
    if begin:
        before = before[before.find(b"\n") + 1 :]
    return msgspec.structs.replace(_piece(before, whole, after, _header(path, options)), size=status.st_size)


def _piece(before: bytes, new: bytes, after: Place, options: SourceOptions) -> Piece:
    fresh, unreadable = _rows(new, options)
    wanted = {identity for row in fresh if (identity := _call_of(row))}
    known, _ = _rows(before, options) if wanted else ([], 0)
    return Piece([row for row in known if _call_of(row) in wanted] + fresh, after, unreadable)


def _header(path: Path, options: SourceOptions) -> SourceOptions:
    """The options with the columns of the file's own header, if it has one: pieces in the middle have none."""
    with path.open("rb") as opened:
        first = opened.readline(cdr.FIELD_CHARS_MAX).decode("utf-8-sig", "replace")
    names = [cell.strip().lower() for cell in next(csv.reader(io.StringIO(first)), [])]
    if not {"src", "dst"} <= set(names):
        return options
    return msgspec.structs.replace(options, options={**options.options, "columns": tuple(names)})


def _rows(text: bytes, options: SourceOptions) -> tuple[list[dict[str, str]], int]:
    """The rows of some lines and how many lines are none: one broken line does not cost the others."""
    try:
        return cdr.rows_of_csv(text, options), 0
    except RefusedError:
        found: list[dict[str, str]] = []
        unreadable = 0
        for line in text.splitlines(keepends=True):
            try:
                found += cdr.rows_of_csv(line, options)
            except RefusedError:
                unreadable += 1
        return found, unreadable


def _call_of(row: Mapping[str, str]) -> str:
    return row.get("linkedid", "").strip() or row.get("uniqueid", "").strip()
