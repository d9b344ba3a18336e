"""What a changelog record does to the row on disk, and how rows become records. The first two of the three rules.

1. Recovery *merges* a record with the row on disk; it never overwrites. Overwriting loses an update whenever the disk
   is ahead of the record, or when a paused worker has written an old row behind a newer one.
2. A row whose last record is not that merge is *outdated* in the changelog and has to be written again, or compaction
   would keep the stale one.

A tombstone says that a row was forgotten because all of it lay before an instant, which its header carries. It
removes a row of which that is true, and no other: a paused worker's tombstone behind a newer row removes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

from funnelwatch.agents.clock import now_us
from funnelwatch.agents.engine.table_store import Row

FORGOTTEN_BEFORE: Final = "forgotten_before_us"
Header = tuple[str, bytes]


class RowRules(Protocol):
    """How two rows of one entity become one, and when a row may be forgotten."""

    def merge_rows(self, left: bytes, right: bytes) -> bytes:
        """The row that knows all that either knows; one of the two objects if it contains the other."""

    def row_forgettable(self, row: bytes, before_us: int) -> bool:
        """Whether everything in the row lies before the instant and the entity is not open."""


class Record(Protocol):
    """A changelog record as aiokafka and Faust hand it out."""

    key: bytes
    value: bytes | None
    headers: Any


class Merged:
    """Rows after a run of records: what is known now, and which of them the changelog has right or wrong."""

    def __init__(self, known: Mapping[bytes, Row]) -> None:
        self._known = known
        self.rows: dict[bytes, Row] = dict(known)
        self.outdated: set[bytes] = set()
        self.current: set[bytes] = set()

    @property
    def changed(self) -> dict[bytes, Row]:
        """The rows that differ from those on disk."""
        return {key: row for key, row in self.rows.items() if row != self._known[key]}

    def take(self, rules: RowRules, records: Iterable[Record]) -> Merged:
        """Merge records in their order."""
        for record in records:
            key = record.key
            merged = merge_record(rules, self.rows[key], record)
            self.rows[key] = merged
            (self.current if merged == record.value else self.outdated).add(key)
            (self.outdated if merged == record.value else self.current).discard(key)
        return self


def merge_record(rules: RowRules, row: Row, record: Record) -> Row:
    """The row after one changelog record."""
    if row is None:
        return record.value
    if record.value is not None:
        return rules.merge_rows(row, record.value)
    cutoff = forgotten_before(record.headers)
    return None if cutoff is not None and rules.row_forgettable(row, cutoff) else row


def tombstone_headers(before_us: int) -> list[Header]:
    """The headers of a record that says: forgotten, for all of it lay before this instant."""
    return [(FORGOTTEN_BEFORE, str(before_us).encode())]


def forgotten_before(headers: Any) -> int | None:
    """The instant a tombstone carries; None if it carries none, and then it removes nothing."""
    pairs: Sequence[Header] = list(headers.items()) if isinstance(headers, Mapping) else list(headers or ())
    return next((int(value) for name, value in pairs if name == FORGOTTEN_BEFORE), None)


def batches(producer: Any, records: Iterable[tuple[bytes, Row]], headers: list[Header]) -> Iterator[Any]:
    """Closed record batches: a closed batch is sent without lingering, and nobody can add to it.

    Raises:
        ValueError: One record is larger than a batch may be.
    """
    now_ms = now_us() // 1_000
    batch = None
    for key, value in records:
        if batch is not None and batch.append(key=key, value=value, timestamp=now_ms, headers=headers) is None:
            batch.close()
            yield batch
            batch = None
        if batch is None:
            batch = producer.create_batch()
            if batch.append(key=key, value=value, timestamp=now_ms, headers=headers) is None:
                raise ValueError(f"a record of {key!r} has {len(value or b'')} bytes and fits into no batch")
    if batch is not None:
        batch.close()
        yield batch
