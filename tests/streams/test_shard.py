"""The cells of a shard are the sum of its entities' contributions, whatever the way there."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.organisation import CALENDAR, CONTEXT
from support.read_cells import ReadCells
from support.strategies import MINUTE_US, START_US, histories
from support.two_folds import need_compiled

from funnelwatch.streams.buckets import HEAP_SLACK, Horizon, Marks, Shared, SumsByTime
from funnelwatch.streams.cells import (
    CLOSE_MEASURES,
    CLOSE_MINUTES,
    FINE_MINUTES,
    AdvanceCell,
    CallRecording,
    CloseCell,
    Contribution,
    DayCell,
    ItemCell,
    LostDeal,
    MinuteCell,
    OpenLead,
)
from funnelwatch.streams.folds import FOLDS
from funnelwatch.streams.shard import LOST_DAYS_BEYOND, ShardCells


def compiled_cells(calendar, recordings_days):
    need_compiled()
    return ReadCells(calendar, recordings_days)


of_both = pytest.mark.parametrize("cells_of", [ShardCells, compiled_cells], ids=["twin", "compiled"])

DAY_US = 24 * 60 * MINUTE_US
RECORDINGS_DAYS = 30
REPS = st.sampled_from(["ada", "bob"])
MEASURES = st.sampled_from([("won", "p", "EUR"), ("won_amount", "p", "EUR"), ("created", "p"), ("reply",)])


def instants():
    return st.integers(-200, 1).map(lambda day: START_US + day * DAY_US) | st.integers(
        START_US - 3 * DAY_US, START_US + DAY_US
    )


@st.composite
def items(draw):
    rep, at = draw(REPS), draw(instants())
    cell_type = draw(st.sampled_from(["recording", "lost_deal", "open_lead"]))
    item = {
        "recording": CallRecording(at, "https://pbx.example/1", None, None, None),
        "lost_deal": LostDeal(at, "p", "s", "", "EUR", None),
        "open_lead": OpenLead("new", at, at, None, at, None),
    }[cell_type]
    return ItemCell(rep, cell_type, draw(st.sampled_from(["1", "2"]))), item


def contributions():
    """Any, whether a fold could have made it or not."""
    keys = st.tuples(REPS, instants().map(lambda at: at // MINUTE_US), MEASURES)
    amounts = st.integers(-3, 3).filter(bool)
    return st.none() | st.builds(
        Contribution,
        sums=st.dictionaries(keys, amounts, max_size=5),
        items=st.lists(items(), max_size=2).map(dict),
        advances=st.dictionaries(REPS, instants(), max_size=2),
    )


def owned(contribution, entity):
    """The same with items that no other entity has: an item's cell carries its entity's id."""
    return contribution and Contribution(
        contribution.sums,
        {ItemCell(cell.rep, cell.type, f"{entity}/{cell.id}"): item for cell, item in contribution.items.items()},
        contribution.advances,
    )


def expected(contributions, now):
    """The cells as `streams.cells` defines them, from scratch."""
    sums = defaultdict(lambda: defaultdict(int))
    cells = {}
    for contribution in contributions:
        for (rep, minute, measure), amount in contribution.sums.items():
            sums[DayCell(rep, CALENDAR.day(minute * MINUTE_US))][measure] += amount
            if now is None or minute > now // MINUTE_US - FINE_MINUTES:
                sums[MinuteCell(rep, minute)][measure] += amount
            if measure[0] in CLOSE_MEASURES and (now is None or minute > now // MINUTE_US - CLOSE_MINUTES):
                sums[CloseCell(rep, minute)][measure] += amount
        for rep, at in contribution.advances.items():
            cells[AdvanceCell(rep)] = max(at, cells.get(AdvanceCell(rep), at))
        cells |= {cell: item for cell, item in contribution.items.items() if is_young(item, now)}
    for cell, values in sums.items():
        left = {measure: amount for measure, amount in values.items() if amount}
        if left:
            cells[cell] = left
    return cells


def is_young(item, now):
    if now is None or isinstance(item, OpenLead):
        return True
    at, days = (item.at, 0) if isinstance(item, CallRecording) else (item.closed_at, LOST_DAYS_BEYOND)
    return at // MINUTE_US + (RECORDINGS_DAYS + days) * 24 * 60 >= now // MINUTE_US


def mirror(copy, changes):
    """What a reader holds who follows the changes."""
    for cell, value in changes.items():
        if value is None:
            copy.pop(cell, None)
        else:
            copy[cell] = value


@of_both
@given(steps=st.lists(st.tuples(st.integers(0, 3), contributions()) | instants() | st.just("take"), max_size=20))
def test_cells_are_the_sum_of_the_contributions_that_stand(cells_of, steps):
    """Random entities change, time passes, a reader follows: the shard and the reader have what stands, and no more."""
    shard, standing, copy, now = cells_of(CALENDAR, RECORDINGS_DAYS), {}, {}, None
    for step in steps:
        if step == "take":
            mirror(copy, shard.take_changed())
        elif isinstance(step, int):
            shard.advance_to(step)
            now = step if now is None else max(now, step)
        else:
            entity, contribution = step[0], owned(step[1], step[0])
            shard.add(standing.get(entity), contribution)
            standing[entity] = contribution
    mirror(copy, shard.take_changed())
    cells = expected([one for one in standing.values() if one], now)

    assert shard.all_cells() == cells
    assert copy == cells
    assert not shard.is_changed


@of_both
@settings(max_examples=50)
@given(events=histories(max_size=20))
def test_events_one_by_one_come_to_what_the_entities_are_at_the_end(cells_of, events):
    shard, states, figures = cells_of(CALENDAR, RECORDINGS_DAYS), {}, {}
    for event in events:
        fold, key = FOLDS[event.kind], (event.kind, event.subject)
        state = states.setdefault(key, fold.empty())
        fold.add(state, event)
        after = fold.contribution(event.subject, state, CONTEXT)
        shard.add(figures.get(key), after)
        figures[key] = after

    assert shard.all_cells() == expected(figures.values(), None)

    for figure in figures.values():
        shard.add(figure, None)

    assert shard.all_cells() == {}


@of_both
def test_what_changed_is_told_once_and_what_vanished_as_none(cells_of):
    shard = cells_of(CALENDAR, RECORDINGS_DAYS)
    minute = START_US // MINUTE_US
    contribution = Contribution({("ada", minute, ("reply",)): 1})
    day = DayCell("ada", CALENDAR.day(START_US))
    shard.add(None, contribution)

    assert shard.take_changed() == {day: {("reply",): 1}, MinuteCell("ada", minute): {("reply",): 1}}
    assert shard.take_changed() == {}

    shard.add(contribution, None)

    assert shard.take_changed() == {day: None, MinuteCell("ada", minute): None}


@of_both
def test_a_taken_value_does_not_change_afterwards(cells_of):
    shard = cells_of(CALENDAR, RECORDINGS_DAYS)
    cell = MinuteCell("ada", START_US // MINUTE_US)
    shard.add(None, Contribution({("ada", cell.minute, ("reply",)): 1}))
    taken = shard.take_changed()
    shard.add(None, Contribution({("ada", cell.minute, ("reply",)): 1}))

    assert taken[cell] == {("reply",): 1}


@of_both
def test_minutes_expire_as_time_passes_and_time_never_runs_back(cells_of):
    shard = cells_of(CALENDAR, RECORDINGS_DAYS)
    minute = START_US // MINUTE_US
    contribution = Contribution({("ada", minute, ("won", "p", "EUR")): 1})
    shard.add(None, contribution)
    shard.take_changed()
    shard.advance_to(START_US + (FINE_MINUTES - 1) * MINUTE_US)

    assert shard.take_changed() == {}

    shard.advance_to(START_US + FINE_MINUTES * MINUTE_US)
    shard.advance_to(START_US)

    assert shard.take_changed() == {MinuteCell("ada", minute): None}

    shard.advance_to(START_US + CLOSE_MINUTES * MINUTE_US)

    assert shard.take_changed() == {CloseCell("ada", minute): None}
    assert list(shard.all_cells()) == [DayCell("ada", CALENDAR.day(START_US))]


@of_both
def test_the_last_advance_is_found_again_when_its_deal_takes_it_back(cells_of):
    shard = cells_of(CALENDAR, RECORDINGS_DAYS)
    first, second, third = (Contribution(advances={"ada": at}) for at in (3, 5, 5))
    for one in (first, second, third):
        shard.add(None, one)
    shard.take_changed()
    shard.add(second, None)

    assert shard.take_changed() == {}

    shard.add(third, None)

    assert shard.take_changed() == {AdvanceCell("ada"): 3}

    shard.add(first, None)

    assert shard.take_changed() == {AdvanceCell("ada"): None}


@of_both
def test_newest_is_the_newest_seen(cells_of):
    shard = cells_of(CALENDAR, RECORDINGS_DAYS)
    for at in (None, 5, 3):
        shard.see(at)

    assert shard.newest == 5


def test_marks_do_not_pile_up():
    marks = Marks()
    marks.add(0)
    for at in range(1_000):
        marks.add(at + 1)
        marks.remove(at)

    assert marks.latest == 1_000
    assert len(marks._heap) <= 3 + HEAP_SLACK


@given(steps=st.lists(st.tuples(st.booleans(), st.integers(0, 50))))
def test_a_horizon_gives_each_bucket_back_once_it_is_past(steps):
    horizon, given_back, taken, line = Horizon(), [], [], -1
    for moves, minute in steps:
        if moves:
            given_back += [bucket for bucket, _ in horizon.advance(minute)]
            line = max(line, minute)
        elif horizon.takes(minute):
            horizon.buckets.setdefault(minute, "bucket")
            taken.append(minute)

    assert sorted(given_back) == sorted({minute for minute in taken if minute <= line})
    assert all(minute > line for minute in horizon.buckets)


def decoded(text):
    """A measure that is a new object, as when it was decoded."""
    return tuple(text.split())


def test_equal_measures_and_reps_of_a_shard_are_one_object_as_long_as_there_are_not_too_many():
    shared = Shared(most=2)
    first, second, third = decoded("won a"), decoded("won b"), decoded("won c")

    assert [shared(one) for one in (first, second, third)] == [first, second, third]
    assert shared(decoded("won a")) is first
    assert shared(decoded("won b")) is second
    assert shared(again := decoded("won c")) is again

    sums = SumsByTime(Shared(), Shared())
    for day in (1, 2):
        (rep,) = decoded("rep")
        sums.add(rep, day, [(decoded("won a"), 1)])
    (one, _, of_one), (other, _, of_other) = sums
    assert one is other
    assert next(iter(of_one)) is next(iter(of_other))
