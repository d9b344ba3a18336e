"""What lies in one partition's RocksDB: rows by entity id, and beside them a few marks.

Marks have a NUL in their key; entity ids have no control characters, so the two never meet. All of one call is one
RocksDB write batch: a crash leaves all or nothing of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import rocksdict

Row = bytes | None
"""A row as stored; None: there is none."""

CHANGELOG_OFFSET: Final = b"__faust\0offset__"
"""This disk holds every changelog record up to here. Faust's key: recovery starts from it."""
_SOURCE: Final = b"__source\0"
"""+ topic: the highest source offset this disk has ever folded. It never goes back."""
_OUTDATED: Final = b"__outdated\0"
"""+ entity id: the last changelog record of this row is not the row, so that it has to be written again."""
_MARKS: Final = (b"__faust\0", b"__source\0", b"__outdated\0")

STORE_OPTIONS: Final = {
    "write_buffer_size": 4 << 20,
    "max_write_buffer_number": 2,
    "target_file_size_base": 16 << 20,
    "block_cache_size": 4 << 20,
    "max_open_files": 64,
}
"""Per partition of a table. Faust's default block cache is 2 GiB for each."""


class Changes:
    """Changes to one partition, written together by `write`."""

    def __init__(self) -> None:
        self._batch = rocksdict.WriteBatch(raw_mode=True)

    def rows(self, rows: Mapping[bytes, Row]) -> Changes:
        """Set rows; None removes one."""
        for key, row in rows.items():
            if row is None:
                self._batch.delete(key)
            else:
                self._batch.put(key, row)
        return self

    def folded_through(self, topic: str, offset: int) -> Changes:
        """Note the highest source offset that is folded."""
        self._batch.put(_SOURCE + topic.encode(), str(offset).encode())
        return self

    def changelog_offset(self, offset: int) -> Changes:
        """Note up to where this disk holds the changelog."""
        self._batch.put(CHANGELOG_OFFSET, str(offset).encode())
        return self

    def outdated(self, keys: Iterable[bytes]) -> Changes:
        """Note rows that have to be written to the changelog again."""
        for key in keys:
            self._batch.put(_OUTDATED + key, b"")
        return self

    def current(self, keys: Iterable[bytes]) -> Changes:
        """Take rows off that list."""
        for key in keys:
            self._batch.delete(_OUTDATED + key)
        return self

    def write(self, db: Any) -> None:
        """Write everything in one step."""
        db.write(self._batch)


def folded_through(db: Any, topic: str) -> int:
    """The highest source offset of ``topic`` this disk has folded, -1 if none."""
    offset = db.get(_SOURCE + topic.encode())
    return -1 if offset is None else int(offset)


def rows_about(db: Any) -> int:
    """About how many rows there are: RocksDB's own estimate."""
    return int(db.property_int_value("rocksdb.estimate-num-keys") or 0)


def outdated(db: Any) -> list[bytes]:
    """The rows that have to be written to the changelog again."""
    keys = []
    for key in db.keys(from_key=_OUTDATED):
        if not key.startswith(_OUTDATED):
            break
        keys.append(key[len(_OUTDATED) :])
    return keys


def rows(db: Any, after: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
    """Rows in the order of their keys, from just behind ``after`` on."""
    entries = db.items() if after is None else db.items(from_key=after + b"\0")
    for key, row in entries:
        if not key.startswith(_MARKS):
            yield key, row
