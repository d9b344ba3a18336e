"""Recovery merges rows, never overwrites them, and knows which of them the changelog has wrong."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from funnelwatch.agents.engine.changelog import Merged, batches, forgotten_before, tombstone_headers


class Record(NamedTuple):
    key: bytes
    value: bytes | None
    headers: object = ()


class Sets:
    """Rows are sets of letters; a row is forgettable if all of its letters lie before the instant (a=0, b=1, …)."""

    def merge_rows(self, left: bytes, right: bytes) -> bytes:
        merged = bytes(sorted(set(left) | set(right)))
        return left if merged == left else right if merged == right else merged

    def row_forgettable(self, row: bytes, before_us: int) -> bool:
        return all(letter - ord("a") < before_us for letter in row)


def merge(known: dict[bytes, bytes | None], *records: Record) -> Merged:
    return Merged(known).take(Sets(), records)


def test_a_record_of_a_row_nobody_has_is_the_row():
    merged = merge({b"k": None}, Record(b"k", b"ab"))

    assert (merged.rows, merged.outdated, merged.current) == ({b"k": b"ab"}, set(), {b"k"})


def test_an_old_record_behind_a_newer_row_loses_nothing_and_is_outdated():
    merged = merge({b"k": None}, Record(b"k", b"abc"), Record(b"k", b"ab"))

    assert (merged.rows, merged.outdated) == ({b"k": b"abc"}, {b"k"})


def test_a_disk_that_is_ahead_of_the_changelog_keeps_what_it_knows():
    merged = merge({b"k": b"abc"}, Record(b"k", b"ad"))

    assert (merged.changed, merged.outdated) == ({b"k": b"abcd"}, {b"k"})


def test_the_merge_written_again_makes_the_row_current():
    merged = merge({b"k": b"abc"}, Record(b"k", b"ad"), Record(b"k", b"abcd"))

    assert (merged.outdated, merged.current) == (set(), {b"k"})


def test_a_tombstone_removes_a_row_of_which_all_lies_before_its_instant():
    merged = merge({b"k": b"ab"}, Record(b"k", None, tombstone_headers(2)))

    assert (merged.changed, merged.outdated) == ({b"k": None}, set())


def test_a_paused_workers_tombstone_behind_a_newer_row_removes_nothing():
    merged = merge({b"k": b"abc"}, Record(b"k", None, tombstone_headers(2)))

    assert (merged.changed, merged.outdated) == ({}, {b"k"})


def test_a_tombstone_that_does_not_say_how_old_everything_was_removes_nothing():
    merged = merge({b"k": b"a"}, Record(b"k", None))

    assert (merged.changed, merged.outdated) == ({}, {b"k"})


@pytest.mark.parametrize("headers", [tombstone_headers(7), tuple(tombstone_headers(7)), dict(tombstone_headers(7))])
def test_the_instant_is_read_from_whatever_form_headers_have(headers):
    assert forgotten_before(headers) == 7


rows = st.text("abcdef", min_size=1, max_size=4).map(lambda text: bytes(sorted(set(text.encode()))))


@given(st.none() | rows, st.lists(rows, min_size=1, max_size=8))
def test_recovery_knows_all_that_the_disk_or_any_record_knew(disk, values):
    merged = merge({b"k": disk}, *(Record(b"k", value) for value in values))

    everything = set(disk or b"").union(*values)
    assert set(merged.rows[b"k"] or b"") == everything
    assert (b"k" in merged.outdated) == (set(values[-1]) != everything)


class Builder:
    def __init__(self, limit: int) -> None:
        self.records, self.limit, self.is_closed = [], limit, False

    def append(self, *, key, value, timestamp, headers):
        if self.is_closed or len(self.records) == self.limit or len(value or b"") > 10:
            return None
        self.records.append((key, value))
        return timestamp

    def close(self) -> None:
        self.is_closed = True


class Producer:
    def create_batch(self) -> Builder:
        return Builder(limit=2)


def test_rows_fill_closed_batches_in_their_order():
    found = list(batches(Producer(), [(b"1", b"a"), (b"2", None), (b"3", b"c")], []))

    assert [batch.records for batch in found] == [[(b"1", b"a"), (b"2", None)], [(b"3", b"c")]]
    assert all(batch.is_closed for batch in found)


def test_nothing_makes_no_batch():
    assert list(batches(Producer(), [], [])) == []


def test_a_record_that_fits_into_no_batch_is_named():
    with pytest.raises(ValueError, match=r"record of b'big' has 11 bytes"):
        list(batches(Producer(), [(b"1", b"a"), (b"big", b"x" * 11)], []))
