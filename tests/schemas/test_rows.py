"""Rows become events as the mapping says, or are refused whole; what can be read in two ways is not guessed."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.wire import months as month_texts

from funnelwatch.schemas import written
from funnelwatch.schemas.encode import encode_event, time_text
from funnelwatch.schemas.events import DealData, Event, Kind, Quota, RepData
from funnelwatch.schemas.mapping import Condition, Money, filled, parse, placeholders
from funnelwatch.schemas.reasons import RefusedError
from funnelwatch.schemas.rows import BadRowError, RowReader, holds, joined, missing_columns, rule_of

EUROPE = Money(decimal=",", group=".", symbols="€")
HEAD = 'source = "import/test"\nprefix = "t:"\n'
DEALS = (
    HEAD
    + """
times = ["%d.%m.%Y", "%d.%m.%Y %H:%M"]
money = { decimal = ",", group = ".", symbols = "€" }
[[joins]]
name = "people"
key = "no"
columns = ["mail"]
[[files]]
name = "deals"
[[files.events]]
type = "deal.created"
subject = "Nr"
id = { template = "{Nr}/{Status}" }
time = "Datum"
[files.events.data]
rep_id = { join = "people", key = "Wer", column = "mail", prefix = "" }
stage = { column = "Status", map = { offen = "Open" }, absent = ["-"] }
amount = "Summe"
currency = { constant = "EUR" }
pipeline = { column = "Art", map = { GTXPro = "GTX Pro" } }
[[files.events]]
type = "deal.won"
when = [{ column = "Status", is = ["ok", "won"] }, { column = "Summe", above = 1000 }]
subject = "Nr"
time = "Datum"
"""
)
ROW = {"Nr": "7", "Datum": "3.2.2026", "Wer": "1", "Status": "offen", "Summe": "1.234,50 €", "Art": "GTXPro"}
PEOPLE = {"people": joined([{"no": "1", "mail": "ann@x"}, {"no": "2", "mail": ""}], "no")}


def reader(text=DEALS, zone="Europe/Berlin"):
    mapping = parse(text)
    return RowReader(mapping, mapping.files[0], zone, PEOPLE)


def test_a_row_becomes_the_events_of_its_rule():
    (event,) = reader().events(ROW)

    assert event == Event(
        kind=Kind.DEAL,
        type="deal.created",
        id="7/offen",
        source="import/test",
        subject="t:7",
        at=1_770_073_200_000_000,
        data=DealData(rep_id="ann@x", stage="Open", amount=12_345_000, currency="EUR", pipeline="GTX Pro"),
    )


def test_one_row_gives_several_events_if_their_conditions_hold():
    found = reader().events(ROW | {"Status": "ok"})

    assert [event.type for event in found] == ["deal.created", "deal.won"]
    assert [event.type for event in reader().events(ROW | {"Status": "ok", "Summe": "1.000,00"})] == ["deal.created"]


def test_what_is_absent_says_nothing():
    (event,) = reader().events(ROW | {"Wer": " ", "Status": "-", "Summe": "", "Art": "other"})

    assert event.data == DealData(currency="EUR", pipeline="other")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"Nr": " "}, "missing_attribute"),
        ({"Nr": "a\tb"}, "bad_id"),
        ({"Nr": "x" * 300}, "bad_id"),
        ({"Nr": "\udcff"}, "bad_id"),
        ({"Datum": ""}, "missing_attribute"),
        ({"Datum": "31.2.2026"}, "bad_time"),
        ({"Datum": "2026-02-03"}, "bad_time"),
        ({"Summe": "1.5"}, "bad_amount"),
        ({"Summe": "viel"}, "bad_amount"),
        ({"Summe": "0,00001"}, "bad_amount"),
        ({"Wer": "3"}, "not_joined"),
    ],
)
def test_a_bad_row_makes_no_event_at_all(change, reason):
    with pytest.raises(BadRowError) as raised:
        reader().events(ROW | {"Status": "ok"} | change)

    assert raised.value.reason == reason


def test_rows_that_are_equal_are_numbered_and_numbered_the_same_again():
    first, second = reader(), reader()
    rows = [ROW | {"Status": "ok"}, ROW | {"Status": "won"}, ROW | {"Status": "ok"}]
    ids = [[event.id for event in first.events(row)][1] for row in rows]

    assert len(set(ids)) == 3
    assert ids == [[event.id for event in second.events(row)][1] for row in rows]


@pytest.mark.parametrize(
    ("formats", "text", "expected"),
    [
        (["%Y-%m-%d"], "2026-07-01", "2026-06-30T22:00:00Z"),
        (["%m/%d/%Y %H:%M"], "7/1/2026 9:05", "2026-07-01T07:05:00Z"),
        (["%d %b, %Y %H:%M:%S"], "15 Apr, 2021 00:03:00", "2021-04-14T22:03:00Z"),
        (["%d/%m/%Y %I:%M %p"], "01/02/2026 11:30 PM", "2026-02-01T22:30:00Z"),
        (["%Y-%m-%d %H:%M:%S%z"], "2026-07-01 00:00:00+0330", "2026-06-30T20:30:00Z"),
        (["iso"], "2026-07-01T00:00:00.25-05:00", "2026-07-01T05:00:00.250000Z"),
        (["iso"], "2026-07-01", "2026-06-30T22:00:00Z"),
        (["unix"], "1770073200", "2026-02-02T23:00:00Z"),
        (["unix_ms"], "1770073200123", "2026-02-02T23:00:00.123000Z"),
        (["jalali %Y/%m/%d"], "۱۴۰۵/۰۹/۰۱", "2026-11-21T23:00:00Z"),
        (["%d-%m-%Y", "%m/%d/%Y"], "02-01-2026", "2026-01-01T23:00:00Z"),
        (["%d/%m/%Y", "%m/%d/%Y"], "2/2/2026", "2026-02-01T23:00:00Z"),
        (["%Y-%m-%d %H:%M"], "2026-03-29 02:30", "2026-03-29T01:30:00Z"),
    ],
)
def test_times_are_read_in_their_format_and_zone(formats, text, expected):
    assert written.Times(formats, written.ZoneInfo("Europe/Berlin")).instant(text) == expected


@pytest.mark.parametrize(
    ("formats", "text", "part"),
    [
        (["%d/%m/%Y", "%m/%d/%Y"], "2/1/2026", "two ways"),
        (["%Y-%m-%d"], "2026-13-01", "no time"),
        (["unix"], "9" * 30, "no time"),
        (["jalali %Y-%m-%d"], "1405-12-31", "no time"),
    ],
)
def test_times_that_cannot_be_known_are_refused(formats, text, part):
    with pytest.raises(written.RefusedError, match=part):
        written.Times(formats, written.ZoneInfo("UTC")).instant(text)


@pytest.mark.parametrize(
    ("text", "money", "expected"),
    [
        ("$22,700.00", Money(), "22700.00"),
        ("1,234,567", Money(), "1234567"),
        ("€ 1.234,5", EUROPE, "1234.5"),
        ("(5.25)", Money(), "-5.25"),
        ("\u22125", Money(), "-5"),
        ("12 345,67", Money(decimal=",", group=" "), "12345.67"),
        ("۱۲٬۳۴۵٫۵", Money(), "12345.5"),
    ],
)
def test_money_is_read_as_it_is_written(text, money, expected):
    assert written.amount(text, money) == expected


@pytest.mark.parametrize("text", ["1,5", "1,2345", ",500", "12,34,567"])
def test_groups_that_are_no_thousands_are_refused(text):
    with pytest.raises(written.RefusedError, match="thousands"):
        written.amount(text, Money())


@pytest.mark.parametrize(("text", "expected"), [("Yes", True), ("TRUE", True), ("0", False), ("n", False)])
def test_truth_is_read_in_words(text, expected):
    assert written.flag(text) is expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (Condition("c", is_="5"), True),
        (Condition("c", is_=("4", "5")), True),
        (Condition("c", not_="5"), False),
        (Condition("c", present=True), True),
        (Condition("d", present=True), False),
        (Condition("d", present=False), True),
        (Condition("c", above=5), False),
        (Condition("c", above=4, below=6), True),
        (Condition("d", above=0), False),
        (Condition("e", below=0), False),
    ],
)
def test_conditions_look_at_one_column(condition, expected):
    assert holds(condition, {"c": " 5 ", "d": "", "e": "x"}, Money()) is expected


@given(month_texts, st.integers(0, 10**9))
def test_a_row_may_set_the_quota_of_a_month(month, amount):
    text = (
        HEAD
        + """
[[files]]
name = "quotas"
[[files.events]]
type = "rep.upserted"
subject = "rep"
id = { template = "{rep}/{month}" }
time = { constant = "2026-01-01" }
quota = { month = "month", amount = "amount", currency = { constant = "EUR" }, count = "deals" }
"""
    )
    (event,) = reader(text).events({"rep": "r", "month": month, "amount": f"{amount:,}", "deals": ""})

    assert event.data == RepData(quotas={month: Quota(amount=amount * 10_000, currency="EUR")})
    assert encode_event(event)


def test_a_file_follows_the_rule_whose_columns_it_has():
    mapping = parse(
        HEAD
        + "".join(
            f'[[files]]\nname = "{name}"\n[[files.events]]\ntype = "deal.won"\nsubject = "id"\ntime = "at"\n'
            f"[files.events.data]\n{members}\n"
            for name, members in (("few", ""), ("more", 'stage = "s"'), ("other", 'rep_id = "r"\nstage = "s"'))
        )
    )
    names = [
        getattr(rule_of(mapping, header), "name", None) for header in (["id", "at"], ["s", "at", "id", "z"], ["x"])
    ]

    assert names == ["few", "more", None]
    assert missing_columns(mapping, ["id"]) == "for 'few' it lacks the columns at"


def test_two_rules_that_fit_alike_are_not_guessed():
    rule = '[[files]]\nname = "x"\n[[files.events]]\ntype = "deal.won"\nsubject = "id"\ntime = "at"\n'
    with pytest.raises(ValueError, match="equally well"):
        rule_of(parse(HEAD + rule + rule), ["id", "at"])


@given(st.dictionaries(st.sampled_from(sorted(ROW)), st.text(st.characters(), max_size=12)))
@example({"Art": "\ud800"})  # found by chance: no byte of a file decodes to it, but a row may come from elsewhere
def test_no_row_raises_anything_but_a_bad_row(change):
    try:
        found = reader().events(ROW | change)
    except BadRowError as error:
        found = []
        error.detail.encode("utf-8", "backslashreplace")
    for event in found:
        encode_event(event)
        time_text(event.at)


@pytest.mark.parametrize(
    ("template", "text"),
    [("{a.b}/{No}", "x/7"), ("{No:0>3}", "007"), ("{{{No}}}", "{7}"), ("{No.__class__}", "y"), ("plain", "plain")],
)
def test_a_template_puts_texts_together_and_reaches_into_nothing(template, text):
    assert filled(template, {"a.b": " x ", "No": "7", "No.__class__": "y"}) == text


@pytest.mark.parametrize("template", ["{No", "No}", "{No:d}", "{No:{width}}"])
def test_a_template_that_would_fail_at_a_row_is_refused_beforehand(template):
    with pytest.raises(ValueError, match=r".+"):
        placeholders(template)


def test_a_local_time_before_the_first_year_is_no_time():
    with pytest.raises(RefusedError, match="is no time"):
        written.Times(("iso",), ZoneInfo("Asia/Tehran")).instant("0001-01-01T00:00:00")
