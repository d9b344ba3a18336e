"""Cells derived from rows are those that their events made, whoever derives them and in whatever steps."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import event as note
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import MsgspecError
from msgspec.structs import replace
from support import strategies
from support.lives import links, lives
from support.messages import Record
from support.organisation import CONTEXT
from support.read_cells import as_read, cells_of
from support.two_folds import Side, need_compiled

from funnelwatch.agents.engine import deriving
from funnelwatch.agents.engine.deriving import Deriver
from funnelwatch.schemas.encode import encode_event
from funnelwatch.schemas.events import CallData, Event, Kind
from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.cells import AdvanceCell, Contribution
from funnelwatch.streams.compiled import KINDS
from funnelwatch.streams.context import Context
from funnelwatch.streams.folds import FOLDS
from funnelwatch.streams.links import encode as encode_link
from funnelwatch.streams.simulator import Floor, demo_settings
from funnelwatch.streams.simulator.demo import TEHRAN_CALENDAR

TEHRAN = Context(replace(demo_settings(), calendar=TEHRAN_CALENDAR, currency="IRR"), Calendar(TEHRAN_CALENDAR))
YEAR_US = 366 * 24 * 60 * strategies.MINUTE_US


def derived(kind, context, rows, *, is_compiled, now_us=None):
    """The cells of these rows, how many rows were left to the twin, and the steps that were told."""
    cells = cells_of(context, 30, is_compiled=is_compiled)
    if now_us is not None:
        cells.advance_to(now_us)
    deriver = Deriver(FOLDS[kind], context, compiled=is_compiled)
    asked = []
    one = deriver.contribution
    deriver.contribution = lambda key, row: asked.append(key) or one(key, row)

    async def run():
        return [done async for done in deriver.derive(iter(rows.items()), cells)]

    steps = asyncio.run(run())
    return cells, len(asked), steps


def side_of(kind, context, records, *, of_links=()):
    """A partition that folded these events, and then these links."""
    side = Side(kind, context, is_compiled=False)
    for number, values in enumerate((records, of_links)):
        found = [Record("topic", 0, place, None, value) for place, value in enumerate(values)]
        side.take(found, of_links=bool(number)) if found else None
    return side


def joined(parts):
    """All cells of some parts, each of them once."""
    found = {}
    for part in parts:
        assert part
        assert not part.keys() & found.keys()
        found |= part
    return found


@pytest.fixture
def small(monkeypatch):
    """Steps of few rows, and few sums that wait."""
    monkeypatch.setattr(deriving, "ROWS_PER_BATCH", 3)
    monkeypatch.setattr(deriving, "ROWS_PER_STEP", 2)
    monkeypatch.setattr(deriving, "WAITING_MAX", 30)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("context", [CONTEXT, TEHRAN], ids=["UTC", "Tehran"])
@pytest.mark.parametrize("kind", [*KINDS, Kind.REP])
@settings(max_examples=60)
@given(data=st.data())
def test_rows_come_to_the_same_by_either_fold_and_by_their_events(kind, context, data):
    need_compiled()
    rows, events = {}, []
    for number in range(data.draw(st.integers(1, 4))):
        some = [replace(one, subject=f"{one.subject}.{number}") for one in data.draw(lives(kind))]
        told = data.draw(st.lists(links(kind), max_size=6)) if kind in {Kind.DEAL, Kind.LEAD} else []
        told = [replace(one, target_id=f"{one.target_id}.{number}") for one in told]
        events += some
        rows |= side_of(kind, context, map(encode_event, some), of_links=map(encode_link, told)).rows
    now_us = data.draw(st.none() | strategies.instants())
    twin, _, _ = derived(kind, context, rows, is_compiled=False, now_us=now_us)
    compiled, left, _ = derived(kind, context, rows, is_compiled=True, now_us=now_us)
    note("twin" if left else "compiled")

    assert compiled.all_cells() == twin.all_cells()
    assert compiled.newest == twin.newest
    # and from there on an event changes them alike
    sides = [Side(kind, context, is_compiled=is_compiled) for is_compiled in (True, False)]
    more = [Record("topic", 0, 0, None, encode_event(data.draw(st.sampled_from(events))))]
    more += [Record("topic", 0, 1, None, encode_event(one)) for one in data.draw(lives(kind))[:3]]
    for side, cells in zip(sides, (compiled, twin), strict=True):
        side.rows, side.cells = dict(rows), cells
        cells.take_changed()
        side.published = cells.all_published()
        parts = cells.all_in_parts(2)
        before = cells.all_published()
        assert cells.size == sum(not isinstance(cell, AdvanceCell) for cell in as_read(before))
        side.take(more)
        assert joined(parts) == before  # as it was, though it is read only now
        assert joined(cells.all_in_parts(3)) == cells.all_published()
        cells.advance_to(strategies.START_US + YEAR_US)
        side._publish()
    assert sides[0].cells.all_cells() == sides[1].cells.all_cells()


@pytest.mark.parametrize("kind", KINDS)
def test_all_rows_of_a_floor_are_ordinary_and_come_to_what_its_events_made(kind, small):
    """If they were not, everything would still be right, but slow."""
    need_compiled()
    context = Context(demo_settings(), Calendar(demo_settings().calendar))
    events = Floor.with_history(7, strategies.START_US, context.settings, days=9, reps=6)[1]
    folded = side_of(kind, context, (one.value for one in events if one.kind is kind))
    cells, left, steps = derived(kind, context, folded.rows, is_compiled=True)

    assert left == 0
    assert steps == [*range(3, len(folded.rows), 3), len(folded.rows)]
    assert cells.all_cells() == folded.cells.all_cells() != {}


def test_what_is_past_is_kept_by_neither_fold(small):
    need_compiled()
    context = Context(demo_settings(), Calendar(demo_settings().calendar))
    now = strategies.START_US
    events = Floor.with_history(7, now, context.settings, days=9, reps=6)[1]
    for kind in (Kind.DEAL, Kind.CALL):
        rows = side_of(kind, context, (one.value for one in events if one.kind is kind)).rows
        for later in (0, YEAR_US // 12, YEAR_US // 6, YEAR_US):
            both = [derived(kind, context, rows, is_compiled=one, now_us=now + later)[0] for one in (True, False)]
            assert both[0].all_cells() == both[1].all_cells()


def test_rows_of_all_times_are_derived_and_those_of_the_usual_ones_compiled():
    """Tables of the calendar reach over so many years only; an odd row must not take them away from all others."""
    need_compiled()
    data = CallData(rep_id="ada")
    years = [-70, *[0] * 9, 5, 110]
    said = [
        Event(Kind.CALL, "call.completed", f"e{place}", "pbx", f"c{place}", strategies.START_US + year * YEAR_US, data)
        for place, year in enumerate(years)
    ]
    rows = side_of(Kind.CALL, CONTEXT, map(encode_event, said)).rows
    cells, left, _ = derived(Kind.CALL, CONTEXT, rows, is_compiled=True)

    assert left == 2
    assert cells.all_cells() == derived(Kind.CALL, CONTEXT, rows, is_compiled=False)[0].all_cells()


@pytest.mark.parametrize("is_compiled", [True, False])
@pytest.mark.parametrize("damaged", [b"", b"\xc1", b"\x93\x91\x90\x90\x90"])
def test_a_damaged_row_is_nobodys_guess(damaged, is_compiled):
    need_compiled()
    value = encode_event(Event(Kind.CALL, "call.completed", "e1", "pbx", "c1", strategies.START_US, CallData()))
    rows = side_of(Kind.CALL, CONTEXT, [value]).rows | {b"c2": damaged}

    with pytest.raises(MsgspecError):
        derived(Kind.CALL, CONTEXT, rows, is_compiled=is_compiled)


AMOUNTS = st.sampled_from([-1, 1, 63, 64, -64, -65, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**100]) | st.integers(
    -300, 300
)


@given(
    st.lists(st.tuples(st.integers(0, 400), AMOUNTS), max_size=30), st.lists(st.tuples(st.integers(0, 400), AMOUNTS))
)
def test_packed_sums_are_those_they_were_and_can_be_added_to(first, then):
    need_compiled()
    both = [cells_of(CONTEXT, 30, is_compiled=is_compiled) for is_compiled in (True, False)]
    minute = strategies.START_US // strategies.MINUTE_US
    for changes in (first, then):
        for cells in both:
            for bin_, amount in changes:
                cells.add(None, Contribution({("ada", minute, ("work", "p", "s", bin_)): amount}))
        both[0].pack()
        assert both[0].all_cells() == both[1].all_cells()
        assert both[0].take_changed() == both[1].take_changed()
        assert as_read(joined(both[0].all_in_parts(1))) == both[1].all_cells()
