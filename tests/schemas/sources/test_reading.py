"""What vendors write is read, or refused by name; no text of theirs is guessed at."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from funnelwatch.schemas.fields import micros
from funnelwatch.schemas.reasons import RefusedError
from funnelwatch.schemas.sources import reading
from funnelwatch.schemas.sources.contract import ForgedError, Outgoing
from funnelwatch.schemas.sources.proofs import verified_claims

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.decimals() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-11-23 10:00:00", "2026-11-23T06:30:00+00:00"),
        ("2026-11-23T10:00:00Z", "2026-11-23T10:00:00+00:00"),
        ("2015-10-05T14:42:19-0700", "2015-10-05T21:42:19+00:00"),
        ("2025-07-01T10:00:00.179851517Z", "2025-07-01T10:00:00.179851+00:00"),
        ("Mon, 16 Aug 2021 03:45:03 +0000", "2021-08-16T03:45:03+00:00"),
        ("2026-11-23", "2026-11-22T20:30:00+00:00"),
        ("۲۰۲۶-۱۱-۲۳ ۱۰:۰۰:۰۰", "2026-11-23T06:30:00+00:00"),
    ],
)
def test_times_are_read_in_any_dress_and_without_an_offset_in_the_zone(text, instant):
    assert reading.time_us(text, "Asia/Tehran", "t") == micros(datetime.fromisoformat(instant))


@pytest.mark.parametrize("value", ["", "yesterday", "1652977933", "20260101", 5, None, "9999-99-99", "x" * 100])
def test_what_is_no_time_is_refused(value):
    with pytest.raises(RefusedError):
        reading.time_us(value, "UTC", "t")


def test_a_pattern_is_tried_first():
    assert reading.time_us("07-25-2019 09:48 AM", "UTC", "t", ["%m-%d-%Y %I:%M %p"]) == micros(
        datetime.fromisoformat("2019-07-25T09:48:00+00:00")
    )


def test_numbers_are_seconds_or_milliseconds_by_the_vendors_word():
    assert reading.epoch_seconds("1652977933", "t") == reading.epoch_ms(1_652_977_933_000, "t")


@pytest.mark.parametrize(
    ("value", "text"), [("1,200.50", "1200.50"), (12, "12"), ("", None), (None, None), ("$5", "5"), ("(5)", "-5")]
)
def test_money_is_exact(value, text):
    assert reading.money(value, "amount") == text


@given(JSON)
def test_no_reader_does_anything_but_read_or_refuse(value):
    for read in (reading.money, reading.number, reading.seconds, reading.epoch_ms, reading.epoch_seconds):
        try:
            read(value, "value")
        except RefusedError:
            continue
    try:
        reading.text_of(value)
        reading.time_us(value, "UTC", "value")
    except RefusedError:
        pass


@given(st.binary() | st.text().map(str.encode))
def test_no_body_does_anything_but_be_read_or_refused(body):
    for read in (reading.json_body, reading.form_body):
        try:
            read(body)
        except RefusedError:
            continue


@given(st.text() | st.from_regex(r"[A-Za-z0-9_-]{2,20}\.[A-Za-z0-9_-]{2,20}\.[A-Za-z0-9_-]{2,20}"))
def test_no_token_but_a_signed_one_is_believed(token):
    with pytest.raises(ForgedError):
        verified_claims(token, "secret", 0)


def test_a_time_nobody_can_write_is_refused():
    out = Outgoing(type="deal.won", subject="a:1", at=10**30, id="1", source="s")

    with pytest.raises(RefusedError):
        out.event()
