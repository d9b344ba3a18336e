"""Records that grow: every call is told whole, a restart goes on where it stopped, a rotated file is begun anew."""

from __future__ import annotations

import csv
import io
import sqlite3

import pytest
from support.samples_phones import CDR, MASTER, options, posted

from funnelwatch.agents.errors import OperationError
from funnelwatch.agents.sources import cdr_file, cdr_table
from funnelwatch.agents.sources.cdr_file import Place
from funnelwatch.schemas.sources.phones.asterisk import SYSTEM
from funnelwatch.schemas.sources.phones.cdr import COLUMNS

OPTIONS = options("asterisk")
LINKED = options("asterisk", columns=f"{COLUMNS},linkedid,sequence")


def line(unique="1.1", linked=None, **members):
    row = CDR | {"uniqueid": unique, "linkedid": linked or unique} | members
    text = io.StringIO()
    names = LINKED.option("columns").split(",")
    csv.writer(text, quoting=csv.QUOTE_ALL).writerow([row.get(name, "") for name in names])
    return text.getvalue().replace("\r\n", "\n")


def appended(path, text):
    with path.open("a", newline="") as opened:
        opened.write(text)


def test_new_rows_are_read_once(tmp_path):
    path = tmp_path / "Master.csv"
    appended(path, MASTER)

    first = cdr_file.read(path, Place(), OPTIONS)
    again = cdr_file.read(path, first.place, OPTIONS)

    assert [row["src"] for row in first.rows] == ["101"]
    assert (again.rows, again.place, again.size) == ([], first.place, len(MASTER))
    assert len(SYSTEM.translate(posted(first.rows), OPTIONS)) == 1


def test_a_line_that_is_being_written_waits_for_its_end(tmp_path):
    path = tmp_path / "Master.csv"
    appended(path, MASTER + MASTER[:40])

    first = cdr_file.read(path, Place(), OPTIONS)
    appended(path, MASTER[40:])
    second = cdr_file.read(path, first.place, OPTIONS)

    assert first.place.offset == len(MASTER)
    assert second.place.offset == 2 * len(MASTER)


def test_a_row_brings_the_rows_of_its_call_that_came_before(tmp_path):
    path = tmp_path / "cdr.csv"
    appended(path, line("1.1") + line("2.1"))
    first = cdr_file.read(path, Place(), LINKED)
    appended(path, line("1.2", "1.1") + line("3.1"))

    second = cdr_file.read(path, first.place, LINKED)

    assert sorted(row["uniqueid"] for row in second.rows) == ["1.1", "1.2", "3.1"]
    found = SYSTEM.translate(posted(second.rows), LINKED)
    assert sorted(one.id for one in found) == ["1.1/0002", "3.1/0001"]


def test_a_rotated_file_is_begun_anew(tmp_path):
    path = tmp_path / "cdr.csv"
    appended(path, line("1.1") + line("1.2"))
    place = cdr_file.read(path, Place(), LINKED).place
    path.rename(tmp_path / "cdr.csv.1")
    appended(path, line("2.1"))

    piece = cdr_file.read(path, place, LINKED)

    assert [row["uniqueid"] for row in piece.rows] == ["2.1"]


def test_a_file_that_was_emptied_is_begun_anew(tmp_path):
    path = tmp_path / "cdr.csv"
    appended(path, line("1.1") + line("1.2"))
    place = cdr_file.read(path, Place(), LINKED).place
    path.write_text(line("3.1"))

    assert [row["uniqueid"] for row in cdr_file.read(path, place, LINKED).rows] == ["3.1"]


def test_a_large_file_is_read_piece_by_piece_and_nothing_is_lost(tmp_path, monkeypatch):
    monkeypatch.setattr(cdr_file, "PIECE_BYTES", 1_000)
    monkeypatch.setattr(cdr_file, "BEFORE_BYTES", 700)
    path = tmp_path / "cdr.csv"
    appended(path, "".join(line(f"{number}.1") for number in range(50)))

    place, seen = Place(), []
    while (piece := cdr_file.read(path, place, LINKED)).rows:
        seen += [row["uniqueid"] for row in piece.rows]
        place = piece.place

    assert seen == [f"{number}.1" for number in range(50)]


def test_a_broken_line_costs_only_itself(tmp_path):
    path = tmp_path / "cdr.csv"
    appended(path, line("1.1") + 'a "quote" in "the" middle,"x" y\n' + line("2.1"))

    piece = cdr_file.read(path, Place(), LINKED)

    assert [row["uniqueid"] for row in piece.rows if "uniqueid" in row][-1:] == ["2.1"]
    assert piece.rows[0]["uniqueid"] == "1.1"


def test_a_header_names_the_columns_of_every_piece(tmp_path, monkeypatch):
    monkeypatch.setattr(cdr_file, "PIECE_BYTES", 600)
    path = tmp_path / "cdr.csv"
    names = list(CDR)
    text = io.StringIO()
    writer = csv.DictWriter(text, names)
    writer.writeheader()
    for number in range(5):
        writer.writerow(CDR | {"uniqueid": f"{number}.1", "linkedid": f"{number}.1"})
    path.write_text(text.getvalue())

    place, seen = Place(), []
    while (piece := cdr_file.read(path, place, OPTIONS)).rows:
        seen += [row["linkedid"] for row in piece.rows]
        place = piece.place

    assert seen == [f"{number}.1" for number in range(5)]


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(OperationError, match=r"Master\.csv cannot be read: No such file"):
        cdr_file.read(tmp_path / "Master.csv", Place(), OPTIONS)


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "master.db"
    with sqlite3.connect(path) as opened:
        opened.execute(f"CREATE TABLE cdr (AcctId INTEGER PRIMARY KEY, {', '.join(CDR)})")
    return path


def inserted(path, *rows):
    with sqlite3.connect(path) as opened:
        for row in rows:
            opened.execute(
                f"INSERT INTO cdr ({', '.join(CDR)}) VALUES ({', '.join('?' * len(CDR))})", list((CDR | row).values())
            )


def test_a_table_is_read_as_it_grows(database):
    inserted(database, {"uniqueid": "1.1", "linkedid": "1.1"}, {"uniqueid": "2.1", "linkedid": "2.1"})
    rows, after = cdr_table.read(database, "cdr", 0)
    assert [row["uniqueid"] for row in rows] == ["1.1", "2.1"]
    assert cdr_table.read(database, "cdr", after) == ([], after)
    inserted(database, {"uniqueid": "1.2", "linkedid": "1.1"})

    rows, after = cdr_table.read(database, "cdr", after)

    assert [row["uniqueid"] for row in rows] == ["1.1", "1.2"]
    (found,) = SYSTEM.translate(posted(rows), OPTIONS)
    assert (found.id, after) == ("1.1/0002", 3)


@pytest.mark.parametrize(
    ("table", "why"),
    [("nothing", "has no columns src and uniqueid"), ("cdr; DROP TABLE cdr", "is no name of a table")],
)
def test_a_table_that_is_none_is_told(database, table, why):
    with pytest.raises(OperationError, match=why):
        cdr_table.read(database, table, 0)


def test_a_database_that_is_not_there_is_told(tmp_path):
    with pytest.raises(OperationError, match="cannot be read: unable to open"):
        cdr_table.read(tmp_path / "none.db", "cdr", 0)
