"""Rows of open partitions that were read or written lately, so that an entity's next event finds its row in memory.

A partition has a young and an old generation. What is found in the old one becomes young again; when the young ones of
all partitions have so many bytes, they become old and what was old is forgotten. That costs no bookkeeping per row, as
a list of the least recently used ones would, and bounds memory to two generations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from funnelwatch.agents.engine.table_store import Row

GENERATION_BYTES_MAX: Final = 16 << 20
"""Of a worker, all its partitions together; there are two generations."""
ENTRY_BYTES: Final = 200
"""About what an entry takes besides the row: its key, and its place in a dictionary."""

_UNKNOWN: Final = object()


class RowCache:
    """The memory that the partitions of a worker share.

    Args:
        bytes_max: Of a generation.
    """

    def __init__(self, bytes_max: int = GENERATION_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._young_bytes = 0
        self.generation = 0

    def partition(self) -> CachedRows:
        """An empty cache for one opening of a partition: the next opening has to begin with another one."""
        return CachedRows(self)

    def grew(self, young_bytes: int) -> None:
        """So many more bytes are young."""
        self._young_bytes += young_bytes
        if self._young_bytes > self._bytes_max:
            self._young_bytes = 0
            self.generation += 1


class CachedRows:
    """The rows of one partition that are known without asking the disk; None: there is none."""

    def __init__(self, cache: RowCache) -> None:
        self._cache = cache
        self._generation = cache.generation
        self._young: dict[bytes, Row] = {}
        self._old: dict[bytes, Row] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def find(self, keys: Sequence[bytes]) -> tuple[list[Row], list[int]]:
        """The rows of ``keys``, and the places of those that are not known."""
        self._age()
        young, old = self._young, self._old
        rows: list[Any] = [young.get(key, _UNKNOWN) for key in keys]
        unknown = []
        promoted = 0
        for place in [place for place, row in enumerate(rows) if row is _UNKNOWN]:
            key = keys[place]
            if key in old:
                row = rows[place] = young[key] = old.pop(key)
                promoted += ENTRY_BYTES + len(row or b"")
            else:
                rows[place] = None
                unknown.append(place)
        self._cache.grew(promoted)
        return rows, unknown

    def put(self, rows: Mapping[bytes, Row]) -> None:
        """These are the rows now."""
        self._age()
        self._young.update(rows)
        self._cache.grew(len(rows) * ENTRY_BYTES + sum(len(row) for row in rows.values() if row is not None))

    def _age(self) -> None:
        passed = self._cache.generation - self._generation
        if passed:
            self._old = self._young if passed == 1 else {}
            self._young = {}
            self._generation = self._cache.generation
