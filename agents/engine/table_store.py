"""What lies in one partition's RocksDB: rows by entity id, and beside them a few marks.

Marks have a NUL in their key; entity ids have no control characters, so the two never meet. All of one call is one
RocksDB write batch: a crash leaves all or nothing of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import rocksdict
from faust.stores.rocksdb import RocksDBOptions

Row = bytes | None
"""A row as stored; None: there is none."""

CHANGELOG_OFFSET: Final = b"__faust\0offset__"
"""This disk holds every changelog record up to here. Faust's key: recovery starts from it."""
_SOURCE: Final = b"__source\0"
"""+ topic: the highest source offset this disk has ever folded. It never goes back."""
_OUTDATED: Final = b"__outdated\0"
"""+ entity id: the last changelog record of this row is not the row, so that it has to be written again."""
_MARKS: Final = (b"__faust\0", b"__source\0", b"__outdated\0")

WRITE_BUFFER_BYTES: Final = 4 << 20
WRITE_BUFFERS_MAX: Final = 2
FILE_BYTES: Final = 16 << 20
BLOCK_CACHE_BYTES: Final = 4 << 20
"""Per partition of a table, as the next ones. Faust's default is 2 GiB for each."""
OPEN_FILES_MAX: Final = 64
BLOOM_BITS: Final = 10
"""Per key: one in a hundred reads of a row that is not there goes to a file for nothing; with Faust's 3 it is one in
four, and every new entity is such a read."""
MEMTABLE_BLOOM_SHARE: Final = 0.1
"""The same for what is not in a file yet, as a share of the write buffer."""
UNPACKED_LEVELS: Final = 2
"""Levels of files that are not compressed: they are read and written anew so often that it costs more than reading."""
LEVELS: Final = 7


class StoreOptions(RocksDBOptions):  # type: ignore[misc]  # Faust is untyped
    """How a partition's RocksDB is opened."""

    def __init__(self) -> None:
        super().__init__(use_rocksdict=True, target_file_size_base=FILE_BYTES)

    def as_options(self) -> rocksdict.Options:
        """In place of Faust's, which knows few of these."""
        options = rocksdict.Options(raw_mode=True)
        options.create_if_missing(True)
        options.set_max_open_files(OPEN_FILES_MAX)
        options.set_write_buffer_size(WRITE_BUFFER_BYTES)
        options.set_max_write_buffer_number(WRITE_BUFFERS_MAX)
        options.set_target_file_size_base(FILE_BYTES)
        options.set_memtable_whole_key_filtering(True)
        options.set_memtable_prefix_bloom_ratio(MEMTABLE_BLOOM_SHARE)
        options.set_allow_concurrent_memtable_write(False)  # there is one writer, and it costs some
        none, lz4 = rocksdict.DBCompressionType.none(), rocksdict.DBCompressionType.lz4()
        options.set_compression_per_level([none] * UNPACKED_LEVELS + [lz4] * (LEVELS - UNPACKED_LEVELS))
        blocks = rocksdict.BlockBasedOptions()
        blocks.set_bloom_filter(BLOOM_BITS, block_based=False)
        blocks.set_block_cache(rocksdict.Cache(BLOCK_CACHE_BYTES))
        options.set_block_based_table_factory(blocks)
        return options


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
