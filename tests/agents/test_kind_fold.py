"""The compiled fold comes to the same as the twin: rows, cells, links, and what became of every message."""

from __future__ import annotations

import json
from datetime import date
from random import Random

import pytest
from hypothesis import event as note
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from support import strategies, wire
from support.lives import links, lives
from support.mangling import ODD
from support.messages import Record
from support.organisation import CONTEXT
from support.two_folds import Both

from funnelwatch.schemas.codec import Limits
from funnelwatch.schemas.encode import BATCH_HEADERS, HEADERS, encode_batch, encode_event, envelope
from funnelwatch.schemas.events import Event, Kind
from funnelwatch.streams import compiled
from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.compiled import KINDS
from funnelwatch.streams.context import Context
from funnelwatch.streams.links import Link
from funnelwatch.streams.links import encode as encode_link
from funnelwatch.streams.simulator import Floor, demo_settings
from funnelwatch.streams.simulator.demo import TEHRAN_CALENDAR
from funnelwatch.streams.sketch import bin_of, bin_starts

TEHRAN = Context(replace(demo_settings(), calendar=TEHRAN_CALENDAR, currency="IRR"), Calendar(TEHRAN_CALENDAR))
HOUR_US = 3_600_000_000


@pytest.mark.parametrize("context", [CONTEXT, TEHRAN], ids=["UTC", "Tehran"])
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60)
@given(data=st.data())
def test_histories_in_any_chunks_come_to_the_same(kind, context, data):
    both = Both(kind, context, home=data.draw(st.sampled_from([None, (0, 1), (1, 3)])))
    life = data.draw(lives(kind))
    life += [data.draw(st.sampled_from(life)) for _ in range(data.draw(st.integers(0, 4)))]
    if data.draw(st.booleans()):
        both.age(data.draw(strategies.instants()))
    while life:
        size = data.draw(st.integers(1, 12))
        chunk, life = life[:size], life[size:]
        again = data.draw(st.booleans())
        if data.draw(st.integers(0, 3)):
            both.take(map(encode_event, chunk), again=again, headers=data.draw(st.sampled_from([(), HEADERS])))
        else:
            both.take([encode_batch(chunk)], again=again, headers=data.draw(st.sampled_from([(), BATCH_HEADERS])))
        if kind in {Kind.DEAL, Kind.LEAD} and data.draw(st.booleans()):
            both.take(map(encode_link, data.draw(st.lists(links(kind), max_size=6))), again=again, of_links=True)
        if data.draw(st.integers(0, 5)) == 0:
            both.age(data.draw(strategies.instants()))
    note("compiled" if both.compiled.compiled_items else "twin")


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60)
@given(data=st.data())
def test_whatever_can_be_written_is_read_alike(kind, data):
    """Any text, any instant, any amount; bounds on both; ids of all scripts."""
    both = Both(kind, CONTEXT)
    some = data.draw(st.lists(wire.events_of(kind), min_size=1, max_size=5))
    limits = Limits(
        data.draw(st.none() | wire.instants),
        data.draw(st.none() | wire.instants),
        data.draw(st.sampled_from([600, 9_999])),
    )
    as_text = data.draw(st.booleans())
    values = [json.dumps(envelope(one), ensure_ascii=as_text).encode() for one in some]
    both.take(values, limits)
    both.take([b"[" + b" ,\n".join(values) + b"]"], limits)


def mangled(value, random):
    """A message with something wrong, or only unusual, about it."""
    told = json.loads(value)
    members = told["data"]
    odd = [*ODD, 1.5, "1.50", 12, "12.34567", "0012", "irt", "EUR", "2026-11-27T10:00:00.1234567+00:00", "@x", "a@b"]
    odd += ["2026-11-27t10:00:00z", "2026-02-29T10:00:00Z", "2026-11-27T24:00:00Z", "2026-11-27T10:00:00+24:00", 1e3]
    for _ in range(random.randint(0, 2)):
        place = random.choice([told, members])
        name = random.choice([*place, "unheard-of", "amount", "talk_seconds", "stage", "data_base64"])
        place[name] = random.choice(odd)
    text = json.dumps(told, ensure_ascii=random.random() < 0.5, indent=random.choice([None, None, 1]))
    for _ in range(random.choice([0, 0, 1, 2])):
        place = random.randrange(len(text))
        text = (
            text[:place]
            + random.choice(["", '"', "\\", "\\u0041", "}", "{", ",", "1", " ", "\x7f", "\t", "é"])
            + text[place + random.randint(0, 1) :]
        )
    return text.encode("utf-8", "surrogatepass")


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60)
@given(data=st.data())
def test_whatever_is_wrong_with_a_message_both_say_the_same(kind, data):
    both = Both(kind, CONTEXT)
    random = Random(data.draw(st.integers(0, 2**32)))
    values = [encode_event(one) for one in data.draw(lives(kind))]
    both.take([mangled(value, random) if random.random() < 0.5 else value for value in values])
    both.take([b"[" + b",".join(mangled(value, random) for value in values[:3]) + b"]", b"[]", b" [ ] ", b"", None])


@settings(max_examples=200)
@given(st.integers(1_899, 2_201), st.data())
def test_an_instant_is_the_same_in_any_zone_and_to_any_digit(year, data):
    both = Both(Kind.CALL, CONTEXT)
    day, clock = data.draw(st.dates(date(year, 1, 1), date(year, 12, 31))), data.draw(st.times())
    digits = data.draw(st.integers(0, 6))
    fraction = f".{clock.microsecond:06d}"[: digits + 1] if digits else ""
    minutes = data.draw(st.integers(-1_439, 1_439))
    offset = data.draw(
        st.sampled_from(["Z", f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"])
    )
    text = f"{day}T{clock:%H:%M:%S}{fraction}{offset}"
    value = encode_event(Event(Kind.CALL, "call.completed", "e1", "pbx", "c1", 0, strategies.CallData(started_at=1)))
    told = json.loads(value) | {"time": text}
    told["data"]["started_at"] = text
    seen = both.take([json.dumps(told).encode()])

    assert seen["applied"] == 1
    if 1_902 < year < 2_197 and abs(minutes) < 900:
        assert both.compiled.compiled_items == 1


def test_twice_the_same_member_is_read_as_the_twin_reads_it():
    both = Both(Kind.DEAL, CONTEXT)
    value = encode_event(Event(Kind.DEAL, "deal.won", "e1", "crm", "d1", 0, strategies.DealData(rep_id="ada")))
    both.take([value.replace(b'"id"', b'"id":"e0","id"'), value.replace(b'"rep_id"', b'"rep_id":"bob","rep_id"')])


@pytest.mark.parametrize(
    "headers",
    [
        (("content-type", b"application/cloudevents+json; charset=utf-8"),),
        (("Content-Type", b"application/cloudevents+avro"),),
        (("content-type", b"application/json"), ("ce_id", b"1")),
        (("CE_type", b"deal.won"),),
        (("trace", b"1"),),
    ],
)
def test_headers_decide_the_mode_for_both(headers):
    both = Both(Kind.DEAL, CONTEXT)
    both.take(
        [encode_event(Event(Kind.DEAL, "deal.won", "e1", "crm", "d1", 0, strategies.DealData()))], headers=headers
    )


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=4)
@given(data=st.data())
def test_more_than_an_entity_may_have_is_refused_alike(kind, data):
    both = Both(kind, CONTEXT)
    first = data.draw(strategies.events(kind))
    many = [encode_event(replace(first, id=f"n{number}", at=first.at + number)) for number in range(998)]
    both.take(many)
    both.take([encode_event(one) for one in data.draw(lives(kind))])
    if kind in {Kind.DEAL, Kind.LEAD}:
        told = [
            Link(kind, "x", Kind.CALL, f"c{number}", "touch", first.at + number if number % 3 else None, 1, first.at)
            for number in range(600)
        ]
        for begin in range(0, 600, 100):
            both.take(map(encode_link, told[begin : begin + 100]), of_links=True)


def test_a_damaged_row_is_nobodys_guess():
    both = Both(Kind.CALL, CONTEXT)
    value = encode_event(Event(Kind.CALL, "call.completed", "e1", "pbx", "c1", 0, strategies.CallData()))
    for damaged in (b"", b"\x93\x90\x90", b"\xc1", b"\x93\x91\x90\x90\x90"):
        for side in (both.compiled, both.twin):
            side.rows[b"c1"] = damaged
            with pytest.raises(ValueError, match=r"."):
                side.take([Record("topic", 0, 0, None, value)])


@pytest.mark.parametrize("context", [CONTEXT, Context(demo_settings(), Calendar(demo_settings().calendar)), TEHRAN])
def test_all_that_a_floor_publishes_is_ordinary(context):
    """If it were not, everything would still be right, but slow."""
    now = strategies.START_US
    events = Floor.with_history(7, now, context.settings, days=9, reps=6)[1]
    for kind in KINDS:
        both = Both(kind, context)
        values = [one.value for one in events if one.kind is kind]
        for begin in range(0, len(values), 97):
            both.take(values[begin : begin + 97])
        assert both.compiled.compiled_items == len(values) > 0


def test_what_was_compiled_knows_rows_and_members_as_they_are_now():
    """Else it would not be used: change `native/src` with them, and build it (``uv sync``)."""
    assert compiled._native is None or compiled.is_installed()


def test_every_bin_begins_where_the_next_shorter_duration_is_in_another():
    starts = bin_starts(10**13)

    assert [bin_of(start) for start in starts] == list(range(len(starts)))
    assert all(bin_of(start - 1) == number - 1 for number, start in enumerate(starts))
