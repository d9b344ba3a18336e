"""Importing files: what is read is told, what is bad is reported by line, and the rest goes on."""

from __future__ import annotations

import csv
import gzip
import json

import pytest

from funnelwatch.agents.errors import OperationError
from funnelwatch.agents.exports import load_mapping
from funnelwatch.agents.importer import run
from funnelwatch.schemas.problems import ConfigurationError
from funnelwatch.schemas.settings import CalendarSettings, Secrets, Settings

SETTINGS = Settings(clock="2026-12-01T00:00:00Z", calendar=CalendarSettings(zone="Asia/Tehran"))
MAPPING = """
source = "import/x"
[[joins]]
name = "people"
key = "no"
columns = ["mail"]
[[files]]
name = "deals"
[[files.events]]
type = "deal.won"
when = [{ column = "state", is = "won" }]
subject = "id"
id = { template = "{id}/won" }
time = "at"
[files.events.data]
rep_id = { join = "people", key = "who", column = "mail" }
amount = "amount"
"""
HEADER = "id,at,state,who,amount\n"
PEOPLE = "no,mail\n1,ann\n"


@pytest.fixture
def imported(tmp_path, capsys):
    """Imports texts by name; gives the exit code, the events, the reported rows and what was said."""

    def go(mapping=MAPPING, settings=SETTINGS, **texts):
        rules, output, bad = tmp_path / "mapping.toml", tmp_path / "out.ndjson", tmp_path / "bad.csv"
        rules.write_text(mapping)
        sources = []
        for name, text in texts.items():
            sources.append(tmp_path / name.replace("_", "."))
            sources[-1].write_bytes(text if isinstance(text, bytes) else text.encode())
        code = run(settings, Secrets(), rules, sources, output=output, report=bad)
        events = [json.loads(line) for line in output.read_bytes().splitlines()]
        rows = list(csv.DictReader(bad.read_text("utf-8").splitlines())) if bad.exists() else []
        return code, events, [(row["line"], row["reason"]) for row in rows], capsys.readouterr().err

    return go


def test_good_rows_become_events_and_the_code_is_0(imported):
    code, events, bad, said = imported(deals_csv=HEADER + "7,2026-11-01,won,1,5\n8,,open,1,\n", people_csv=PEOPLE)

    assert (code, bad) == (0, [])
    assert [(event["subject"], event["time"], event["data"]) for event in events] == [
        ("7", "2026-10-31T20:30:00Z", {"rep_id": "ann", "amount": "5"})
    ]
    assert "2 rows gave 1 events" in said
    assert "1 rows have none, 0 are bad" in said


def test_bad_rows_are_reported_by_line_and_the_others_go_on(imported):
    text = HEADER + (
        '7,2026-11-01,won,1,"5\n"\n'
        "8,soon,won,1,5\n"
        "\n"
        "9,2026-11-01,won\n"
        "10,2026-11-01,won,2,5\n"
        '11,2026-11-01,won,1,"1,5"\n'
        "12,2026-11-01,won,1,5\n"
    )
    code, events, bad, said = imported(deals_csv=text, people_csv=PEOPLE)

    assert code == 1
    assert [event["subject"] for event in events] == ["7", "12"]
    assert bad == [("4", "bad_time"), ("6", "unreadable_row"), ("7", "not_joined"), ("8", "bad_amount")]
    assert "4 are bad" in said
    assert "bad.csv" in said


def test_bytes_that_are_no_text_spoil_their_row_only(imported):
    text = (HEADER + "X,2026-11-01,won,1,5\n8,2026-11-01,won,1,5\n").encode().replace(b"X", b"\xff")
    code, events, bad, _ = imported(deals_csv=text, people_csv=PEOPLE)

    assert (code, [event["subject"] for event in events], bad) == (1, ["8"], [("2", "bad_id")])


def test_a_quotation_mark_that_is_never_closed_does_not_stop_the_import(imported):
    text = HEADER + '7,2026-11-01,won,1,"' + "x" * 300_000 + "\n8,2026-11-01,won,1,5\n"
    code, events, bad, _ = imported(deals_csv=text, people_csv=PEOPLE)

    assert (code, [event["subject"] for event in events], bad[0]) == (1, ["8"], ("2", "unreadable_row"))


def test_compressed_files_and_a_byte_order_mark_are_read(imported):
    packed = gzip.compress(("\ufeff" + HEADER + "7,2026-11-01,won,1,5\r\n").encode())
    code, events, _, _ = imported(deals_csv_gz=packed, people_csv=PEOPLE)

    assert (code, len(events)) == (0, 1)


def test_events_that_workers_would_refuse_are_pointed_out(imported):
    _, _, _, said = imported(deals_csv=HEADER + "7,2016-11-01,won,1,5\n", people_csv=PEOPLE)

    assert "1 events are older than the retention (800 days" in said


@pytest.mark.parametrize(
    ("texts", "part"),
    [
        ({"deals_csv": "id,at,state,who\n"}, "lacks the columns amount"),
        ({"deals_csv": HEADER}, "side file 'people' is missing"),
        ({"deals_csv": ""}, "is empty"),
        ({"deals_csv": "id,at,state,who,amount,id\n1,2,3,4,5,6\n", "people_csv": PEOPLE}, "names the columns id twice"),
        ({"deals_csv_gz": gzip.compress(HEADER.encode() * 99)[:40], "people_csv": PEOPLE}, "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_imported_is_one_clear_error(imported, texts, part):
    with pytest.raises(OperationError, match=part):
        imported(**texts)


def test_a_source_that_is_not_there_is_one_clear_error(tmp_path):
    with pytest.raises(OperationError, match="No such file"):
        run(SETTINGS, Secrets(), tmp_path.joinpath("crm").relative_to(tmp_path), [tmp_path / "none.csv"])


def test_a_mapping_that_ships_is_known_by_its_name(tmp_path):
    assert load_mapping(tmp_path.joinpath("crm").relative_to(tmp_path)).source == "import/maven-crm"
    with pytest.raises(ConfigurationError, match="that ship: convergehub, convergehub_webhook, crm, olist, zoho"):
        load_mapping(tmp_path / "crm")
