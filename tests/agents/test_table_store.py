"""Rows and marks share a database and never meet."""

from __future__ import annotations

import pytest
import rocksdict

from funnelwatch.agents.engine import table_store
from funnelwatch.agents.engine.table_store import CHANGELOG_OFFSET, Changes


@pytest.fixture
def db(tmp_path):
    options = rocksdict.Options(raw_mode=True)
    options.create_if_missing(True)
    db = rocksdict.Rdict(str(tmp_path / "db"), options=options)
    yield db
    db.close()


def test_rows_come_in_the_order_of_their_keys_without_the_marks(db):
    changes = Changes().rows({b"b": b"2", b"a": b"1", b"\xd8\xb3": b"3", b"_": b"0"})
    changes.folded_through("crm.deals", 7).changelog_offset(8).outdated([b"a"]).write(db)

    assert list(table_store.rows(db)) == [(b"_", b"0"), (b"a", b"1"), (b"b", b"2"), (b"\xd8\xb3", b"3")]
    assert list(table_store.rows(db, after=b"a")) == [(b"b", b"2"), (b"\xd8\xb3", b"3")]


def test_none_removes_a_row(db):
    Changes().rows({b"a": b"1"}).write(db)
    Changes().rows({b"a": None}).write(db)

    assert list(table_store.rows(db)) == []


def test_marks_are_read_back(db):
    Changes().folded_through("crm.deals", 7).outdated([b"x", b"y"]).changelog_offset(41).write(db)
    Changes().current([b"x"]).write(db)

    assert table_store.folded_through(db, "crm.deals") == 7
    assert table_store.folded_through(db, "crm.leads") == -1
    assert table_store.outdated(db) == [b"y"]
    assert db.get(CHANGELOG_OFFSET) == b"41"


def test_nothing_is_outdated_in_a_new_database(db):
    assert table_store.outdated(db) == []


def test_faust_finds_the_changelog_offset_where_it_looks_for_it():
    from faust.stores.rocksdb import Store

    assert Store.offset_key == CHANGELOG_OFFSET
