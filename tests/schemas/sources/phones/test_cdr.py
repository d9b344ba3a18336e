"""Call detail records: the documentation's own examples, each of which is one call however many rows it has."""

from __future__ import annotations

import csv
import io
from random import Random

import pytest
from support.samples import PAYLOADS, payload
from support.samples_phones import CDR, MASTER, options, posted, text

from funnelwatch.schemas.reasons import RefusedError
from funnelwatch.schemas.sources.phones.asterisk import SYSTEM

EXAMPLES = "asterisk/cdr_examples.md.txt"
ALICE_OUTSIDE = options("asterisk", extensions=("200-399", "8*", "member*", "9*"))
TYPO = {"2013-04-13:12:08": "2013-03-04 13:12:08", "2013-03-4 13:03:20": "2013-03-04 13:03:20"}
"""Two times that the documentation gets wrong."""


def examples():
    """Title to rows, of the tables in the documentation."""
    found, title, header = {}, "", []
    for line in payload(EXAMPLES).decode().splitlines():
        if line.startswith("## "):
            title = line[3:]
        elif line.startswith("| clid"):
            header = [cell.strip() for cell in line.strip("|").split("|")]
        elif line.startswith("|") and not line.startswith("| ---"):
            cells = [cell.strip().replace("\\", "") for cell in line[1:-1].split("|")]
            row = dict(zip(header, cells, strict=False))
            found.setdefault(title, []).append({name: TYPO.get(value, value) for name, value in row.items()})
    return found


def translated(rows, settings=ALICE_OUTSIDE):
    return SYSTEM.translate(posted(rows), settings)


@pytest.mark.skipif(not (PAYLOADS / EXAMPLES).exists(), reason="the payloads are not beside this checkout")
@pytest.mark.parametrize(
    ("title", "calls"),
    [
        ("Unanswered “Inbound” Call", [("no_answer", 0, "500")]),
        ("Single Party", [("no_answer", 0, "8500")]),
        ("Basic Call", [("connected", 112, "200")]),
        ("Unanswered Dial", [("no_answer", 0, "200")]),
        ("Core Attended Transfer to Channel", [("connected", 85, "200")]),
        ("SIP Protocol Attended Transfer", [("connected", 100, "300"), None]),
        ("Three Way Call", [("connected", 110, "200")]),
        ("SIP Attended Transfer", [("connected", 60, "200")]),
        ("Call Park", [("connected", 70, "300")]),
        ("Call Queue - Example 1", [("connected", 120, "800")]),
        ("Call Queue - Example 2", [("connected", 100, "800")]),
        ("Conference Call", [("connected", 230, "1000")]),
    ],
)
def test_a_documented_example_is_as_many_calls_as_there_were(title, calls):
    rows = examples()[title.replace("“", '"').replace("”", '"')]
    settings = options("asterisk", extensions=("200-399", "500", "800", "8500", "1000"))

    found = translated(rows, settings)

    told = [
        (one.data["outcome"], one.data["talk_seconds"], one.rep[-1].removeprefix("ext:"))
        if hasattr(one, "data")
        else None
        for one in found
    ]
    assert told == calls


@pytest.mark.skipif(not (PAYLOADS / EXAMPLES).exists(), reason="the payloads are not beside this checkout")
def test_a_day_of_transfers_and_queues_is_two_calls():
    """Eleven of the twelve rows have one ``linkedid``; Bob and Charlie, who talk meanwhile, are colleagues."""
    rows = examples()["A Complex Example"]

    found = translated(rows)

    assert [getattr(one, "reason", None) or one.type for one in found] == ["call.completed", "internal_call"]
    assert found[0].subject == "asterisk:Asterisk-01-1362424276.2"


@pytest.mark.skipif(not (PAYLOADS / EXAMPLES).exists(), reason="the payloads are not beside this checkout")
def test_the_order_of_the_rows_is_nothing():
    random = Random(1)
    for rows in examples().values():
        expected = translated(rows)
        for _ in range(5):
            shuffled = random.sample(rows, len(rows))
            assert sorted(map(repr, translated(shuffled))) == sorted(map(repr, expected))


def test_a_row():
    (found,) = translated([CDR], options("asterisk", recordings="https://pbx.example/{year}/{month}/{day}/{file}"))

    assert found.data == {
        "direction": "outbound",
        "outcome": "connected",
        "started_at": "2025-11-27T09:59:40Z",
        "talk_seconds": 9.0,
        "recording_url": "https://pbx.example/2025/11/27/" + CDR["recordingfile"],
    }
    assert (found.number, found.rep, found.at) == (
        "09331112233",
        ("asterisk:101", "ext:101"),
        1_764_237_600_000_000,
    )


def test_master_csv_has_no_header_and_says_the_same():
    (by_json,), (by_csv,) = translated([CDR], options("asterisk")), SYSTEM.translate(text(MASTER), options("asterisk"))

    assert by_json.data == by_csv.data
    assert by_json.subject == by_csv.subject


def test_a_table_with_a_header_or_with_configured_columns_is_read_by_their_names():
    def written(header):
        rows = io.StringIO()
        writer = csv.writer(rows)
        if header:
            writer.writerow(CDR)
        writer.writerow(CDR.values())
        return rows.getvalue()

    expected = translated([CDR], options("asterisk"))
    assert SYSTEM.translate(text(written(header=True)), options("asterisk")) == expected
    assert SYSTEM.translate(text(written(header=False)), options("asterisk", columns=",".join(CDR))) == expected


def test_a_freepbx_table_has_calldate_and_no_end():
    row = {name: value for name, value in CDR.items() if name not in {"start", "answer", "end"}}

    (found,) = translated([row | {"calldate": CDR["start"], "cnum": "101"}], options("asterisk"))

    assert (found.data["talk_seconds"], found.data["started_at"]) == (9, "2025-11-27T09:59:40Z")
    assert found.at == 1_764_237_600_000_000


@pytest.mark.parametrize(
    ("rows", "outcome"),
    [
        ([{"disposition": "BUSY", "answer": ""}], "busy"),
        ([{"disposition": "FAILED", "answer": ""}], "failed"),
        ([{"disposition": "CONGESTION", "answer": ""}], "failed"),
        ([{"disposition": "NO ANSWER", "answer": "0000-00-00 00:00:00"}], "no_answer"),
        ([{"disposition": "BUSY", "answer": ""}, {"disposition": "NO ANSWER", "answer": ""}], "no_answer"),
        ([{"lastapp": "VoiceMail", "dstchannel": ""}], "voicemail"),
        ([{"dstchannel": ""}], "no_answer"),
    ],
)
def test_how_a_call_ended(rows, outcome):
    (found,) = translated([CDR | row for row in rows], options("asterisk"))

    assert found.data["outcome"] == outcome


def test_who_talked_longest_with_the_customer_gets_a_transferred_call():
    desk = CDR | {"src": "09331112233", "dst": "100", "dstchannel": "SIP/100-0000002b"}
    sales = desk | {
        "dst": "105",
        "dstchannel": "SIP/105-0000002c",
        "start": "2025-11-27 13:30:00",
        "answer": "2025-11-27 13:30:00",
        "end": "2025-11-27 13:40:00",
        "uniqueid": "1764237600.1",
        "sequence": "13",
    }

    (found,) = translated([desk, sales], options("asterisk"))

    assert (found.data["direction"], found.rep[-1], found.data["talk_seconds"]) == ("inbound", "ext:105", 609)


def test_a_row_more_says_it_anew_and_later_in_the_order():
    first, both = (
        translated([CDR], options("asterisk")),
        translated([CDR, CDR | {"sequence": "13"}], options("asterisk")),
    )

    assert first[0].subject == both[0].subject
    assert (first[0].at, first[0].id) < (both[0].at, both[0].id)


@pytest.mark.parametrize("sequence", ["9" * 5_000, "-1", "x", "", "۱۲"])
def test_a_sequence_that_is_no_number_is_no_trouble(sequence):
    assert len(translated([CDR | {"sequence": sequence}], options("asterisk"))) == 1


def test_names_in_another_encoding_are_no_trouble():
    body = MASTER.replace("Sara", "J\xfcrgen").encode("latin-1")

    assert len(SYSTEM.translate(text(body), options("asterisk"))) == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"start": "yesterday"}, "bad_time"),
        ({"start": ""}, "missing_attribute"),
        ({"uniqueid": "", "linkedid": ""}, "missing_attribute"),
    ],
)
def test_a_row_that_cannot_be_read_is_refused_with_its_column(change, reason):
    with pytest.raises(RefusedError) as refused:
        translated([CDR | change], options("asterisk"))

    assert refused.value.reason == reason
