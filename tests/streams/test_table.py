"""The merged table against sums made from scratch, in any order of messages."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from funnelwatch.schemas.events import Kind
from funnelwatch.schemas.settings import Rate, Settings
from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.cells import (
    MINUTE_US,
    AdvanceCell,
    CallRecording,
    CloseCell,
    DayCell,
    ItemCell,
    LostDeal,
    MinuteCell,
    OpenDeal,
    OpenLead,
    RepRecord,
)
from funnelwatch.streams.table import Table

SETTINGS = Settings()
CALENDAR = Calendar(SETTINGS.calendar)
DAY = 739_900
DEALS, CALLS, REPS = (Kind.DEAL, 0), (Kind.CALL, 1), (Kind.REP, 0)
SHARDS = (DEALS, (Kind.DEAL, 1), CALLS, REPS)

WON, CALLED, TALK = ("won", "default", "EUR"), ("call", "outbound", 1, "connected"), ("talk_ms", "outbound")

OPEN = OpenDeal("default", "New", "EUR", 10_000, 1, 2, 3, 4, None, None)
LEAD = OpenLead("new", 1, 2, None, 3, None)
LOST = LostDeal(5, "default", "New", "price", "EUR", None)


def recording(deal_id=None):
    return CallRecording(7, "https://pbx.example/1", deal_id, "connected", 60_000)


def record(*teams, **other):
    """A rep's record; ``teams`` as (day on whose noon it was set, team)."""
    history = tuple((CALENDAR.day_start(day) + 12 * 60 * MINUTE_US, team) for day, team in teams)
    fields = {"name": None, "manager": None, "active": True, "removed": False, "zone": None}
    fields |= {"quotas": {}, "outreach_per_day": None, "conversion_rate": None}
    return RepRecord(teams=history, **(fields | other))


def minute(day, of_day=600):
    return CALENDAR.day_start(day) // MINUTE_US + of_day


def rep_cell(rep):
    return ItemCell(rep, "rep", rep)


@pytest.fixture
def table():
    return Table(SETTINGS, CALENDAR)


# Sums

reps = st.sampled_from(["", "ada", "bob"])
days = st.integers(DAY, DAY + 2)
sums = st.dictionaries(st.sampled_from([WON, CALLED, TALK]), st.integers(-2, 3), max_size=3)
teams = st.lists(st.tuples(days, st.sampled_from(["north", "south", ""])), max_size=3).map(
    lambda history: tuple(sorted(history, key=lambda entry: entry[0]))
)


@st.composite
def cells(draw, shard):
    """A cell of a shard with a value; an entity, so an item, is in one shard only."""
    rep, day = draw(reps), draw(days)
    kind = draw(st.sampled_from(["day", "minute", "close", "advance", "item", "rep"]))
    if shard == REPS:
        name = draw(st.sampled_from(["ada", "bob"]))
        return rep_cell(name), record(*draw(teams), removed=draw(st.booleans()))
    if kind == "day":
        return DayCell(rep, day), draw(sums)
    if kind == "minute":
        return MinuteCell(rep, minute(day, draw(st.integers(0, 1_439)))), draw(sums)
    if kind == "close":
        return CloseCell(rep, minute(day)), draw(sums)
    if kind == "advance":
        return AdvanceCell(rep), draw(st.integers(1, 9))
    name = f"{shard}{draw(st.integers(1, 2))}"
    item = draw(st.sampled_from([OPEN, LEAD, recording(), recording("d1")]))
    return ItemCell(rep, item.__struct_config__.tag, name), item


@st.composite
def messages(draw):
    """(shard, what it replaces everything with, or what it changes)."""
    shard = draw(st.sampled_from(SHARDS))
    said = dict(draw(st.lists(cells(shard), max_size=4)))
    if draw(st.booleans()):
        return shard, said, None
    gone = draw(st.lists(cells(shard).map(lambda pair: pair[0]), max_size=2))
    return shard, None, said | dict.fromkeys(gone)


def tell(table, said, message):
    shard, everything, changes = message
    if everything is not None:
        said[shard] = dict(everything)
        table.replace(shard, everything)
        return
    held = said.setdefault(shard, {})
    for cell, value in changes.items():
        held.pop(cell, None)
        if value is not None:
            held[cell] = value
    table.apply(shard, changes)


def team_on(said, rep, day):
    """The definition, word by word."""
    known = said.get(REPS, {}).get(rep_cell(rep))
    if rep == "" or known is None or not known.teams:
        return ""
    until = [team for at, team in known.teams if at < CALENDAR.day_start(day + 1)]
    return until[-1] if until else known.teams[0][1]


def books(said, kind):
    """Sums by (level, subject) and time, made from scratch."""
    found = {}
    for held in said.values():
        for cell, value in held.items():
            if isinstance(cell, kind):
                at = cell.day if kind is DayCell else cell.minute
                day = at if kind is DayCell else CALENDAR.day_of_minute(at)
                team = team_on(said, cell.rep, day)
                for key in (("rep", cell.rep), ("team", team), ("organisation", "organisation")):
                    if key != ("team", ""):
                        found.setdefault(key, {}).setdefault(at, Counter()).update(value)
    cleaned = {
        key: {at: {m: n for m, n in sums.items() if n} for at, sums in book.items()} for key, book in found.items()
    }
    return {key: {at: sums for at, sums in book.items() if sums} for key, book in cleaned.items()}


SUBJECTS = [
    *(("rep", rep) for rep in ("", "ada", "bob")),
    ("team", "north"),
    ("team", "south"),
    ("organisation", "organisation"),
]


@settings(max_examples=150, deadline=None)
@given(st.lists(messages(), max_size=12))
def test_sums_are_those_from_scratch_after_any_messages(told):
    table, said = Table(SETTINGS, CALENDAR), {}
    for message in told:
        tell(table, said, message)

    for read, kind in ((table.days, DayCell), (table.minutes, MinuteCell), (table.closes, CloseCell)):
        expected = books(said, kind)
        assert {key: expected.get(key, {}) for key in SUBJECTS} == {key: dict(read(*key)) for key in SUBJECTS}
    by_day = books(said, DayCell)
    for key in SUBJECTS:
        months = {}
        for day, amounts in by_day.get(key, {}).items():
            months.setdefault(CALENDAR.month_start(day), Counter()).update(amounts)
        cleaned = {month: {m: n for m, n in total.items() if n} for month, total in months.items()}
        assert {month: total for month, total in cleaned.items() if total} == dict(table.months(*key))


@settings(max_examples=100, deadline=None)
@given(st.lists(messages(), max_size=12))
def test_items_and_advances_are_those_said_last(told):
    table, said = Table(SETTINGS, CALENDAR), {}
    for message in told:
        tell(table, said, message)
    everything = [(cell, value) for held in said.values() for cell, value in held.items()]

    for rep in ("", "ada", "bob"):
        own = {
            tag: {
                cell.id: value
                for cell, value in everything
                if isinstance(cell, ItemCell) and (cell.rep, cell.type) == (rep, tag)
            }
            for tag in ("open_deal", "open_lead", "recording")
        }
        advances = [value for cell, value in everything if cell == AdvanceCell(rep)]
        assert own["open_deal"] == dict(table.open_deals(rep))
        assert own["open_lead"] == dict(table.open_leads(rep))
        assert own["recording"] == dict(table.recordings(rep))
        assert max(advances, default=None) == table.last_advance(rep)


@settings(max_examples=100, deadline=None)
@given(st.lists(messages(), max_size=12))
def test_of_shards_that_are_gone_nothing_is_left(told):
    table, said = Table(SETTINGS, CALENDAR), {}
    for message in told:
        tell(table, said, message)
    for shard in SHARDS:
        table.replace(shard, {})
    table.take_changed()
    table.take_changed_teams()
    kept = {"calendar", "revision", "_tagged", "_measures", "_listed"}

    assert list(table.reps()) == []
    assert table.teams() == []
    assert {name: remains for name, value in vars(table).items() if name not in kept and (remains := left(value))} == {}


def left(value):
    """What a part of the table still holds, objects with parts taken apart."""
    if hasattr(value, "__dict__"):
        return {name: part for name, part in vars(value).items() if isinstance(part, dict | set) and part}
    return value


@settings(max_examples=50, deadline=None)
@given(st.lists(messages(), max_size=8), st.lists(messages(), max_size=4))
def test_whoever_is_not_named_as_changed_reads_the_same(told, more):
    table, said = Table(SETTINGS, CALENDAR), {}
    for message in told:
        tell(table, said, message)
    table.take_changed()
    before = {rep: read(table, rep) for rep in ("", "ada", "bob")}
    for message in more:
        tell(table, said, message)
    changed = table.take_changed()

    assert {rep for rep in before if before[rep] != read(table, rep)} <= changed


def read(table, rep):
    books = [{at: dict(sums) for at, sums in book("rep", rep).items()} for book in (table.days, table.minutes)]
    items = [dict(items(rep)) for items in (table.open_deals, table.open_leads, table.recordings)]
    return books, items, table.last_advance(rep), table.record(rep)


# Examples


def test_a_cell_is_an_absolute_value_and_said_twice_counts_once(table):
    table.apply(DEALS, {DayCell("ada", DAY): {WON: 2}})
    table.apply(DEALS, {DayCell("ada", DAY): {WON: 2}})
    table.apply(CALLS, {DayCell("ada", DAY): {WON: 1, CALLED: 3}})

    assert table.days("rep", "ada") == {DAY: {WON: 3, CALLED: 3}}


def test_what_the_caller_does_with_a_value_afterwards_changes_nothing(table):
    value = {WON: 2}
    table.apply(DEALS, {DayCell("ada", DAY): value})
    value[WON] = 5
    table.apply(DEALS, {DayCell("ada", DAY): value})

    assert table.days("organisation", "organisation") == {DAY: {WON: 5}}


def test_nobody_counts_for_the_organisation_alone(table):
    table.apply(DEALS, {DayCell("", DAY): {WON: 2}})

    assert table.days("organisation", "organisation") == {DAY: {WON: 2}}
    assert (list(table.reps()), table.teams()) == ([], [])


def test_a_day_counts_for_the_team_set_last_before_its_end(table):
    table.apply(DEALS, {DayCell("ada", day): {WON: 1} for day in range(DAY, DAY + 4)})
    table.apply(REPS, {rep_cell("ada"): record((DAY + 1, "north"), (DAY + 3, "south"))})

    assert sorted(table.days("team", "north")) == [DAY, DAY + 1, DAY + 2]
    assert sorted(table.days("team", "south")) == [DAY + 3]
    assert table.present_team("ada") == "south"
    assert table.team_on("ada", DAY) == "north"


def test_a_change_of_the_team_history_moves_days_minutes_and_closes(table):
    table.apply(DEALS, {DayCell("ada", DAY): {WON: 1}, MinuteCell("ada", minute(DAY)): {WON: 1}})
    table.apply(DEALS, {CloseCell("ada", minute(DAY)): {WON: 1}})
    table.apply(REPS, {rep_cell("ada"): record((DAY, "north"))})
    table.apply(REPS, {rep_cell("ada"): record((DAY - 1, "south"))})

    for book, at in ((table.days, DAY), (table.minutes, minute(DAY)), (table.closes, minute(DAY))):
        assert book("team", "north") == {}
        assert book("team", "south") == {at: {WON: 1}}
    assert table.members("north") == set()
    assert table.members("south") == {"ada"}


def test_the_team_with_an_empty_name_is_no_team(table):
    table.apply(DEALS, {DayCell("ada", DAY): {WON: 1}, DayCell("ada", DAY + 2): {WON: 1}})
    table.apply(REPS, {rep_cell("ada"): record((DAY, "north"), (DAY + 1, ""))})

    assert table.teams() == ["north"]
    assert sorted(table.days("team", "north")) == [DAY]
    assert table.present_team("ada") is None
    assert table.team_on("ada", DAY + 2) is None


def test_a_removed_rep_is_not_listed_but_remains_a_member(table):
    table.apply(REPS, {rep_cell("ada"): record((DAY, "north"), removed=True), rep_cell("bob"): record()})

    assert list(table.reps()) == ["bob"]
    assert table.members("north") == {"ada"}


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        (DayCell("ada", DAY), {WON: 1}),
        (ItemCell("ada", "open_deal", "d1"), OPEN),
        (ItemCell("ada", "open_lead", "l1"), LEAD),
        (ItemCell("ada", "recording", "c1"), recording()),
    ],
)
def test_a_rep_without_a_record_is_listed_while_there_is_anything(table, cell, value):
    table.apply(DEALS, {cell: value})
    listed = list(table.reps())
    table.apply(DEALS, {cell: None})

    assert (listed, list(table.reps())) == (["ada"], [])


def test_a_deal_that_is_lost_under_a_new_owner_is_not_forgotten_with_the_old_one(table):
    table.apply(DEALS, {ItemCell("ada", "lost_deal", "d1"): LOST})
    later = msgspec.structs.replace(LOST, closed_at=6)
    table.apply(DEALS, {ItemCell("bob", "lost_deal", "d1"): later, ItemCell("ada", "lost_deal", "d1"): None})

    assert table.lost_deals() == {"d1": later}


def test_a_lost_deal_changes_also_those_with_a_recording_on_it(table):
    table.apply(CALLS, {ItemCell("bob", "recording", "c1"): recording("d1")})
    table.take_changed()
    table.apply(DEALS, {ItemCell("ada", "lost_deal", "d1"): LOST})

    assert table.take_changed() == {"ada", "bob"}
    assert table.take_changed() == set()


def test_a_recording_that_moved_to_another_deal_no_longer_waits_for_the_first(table):
    table.apply(CALLS, {ItemCell("bob", "recording", "c1"): recording("d1")})
    table.apply(CALLS, {ItemCell("bob", "recording", "c1"): recording("d2")})
    table.take_changed()
    table.apply(DEALS, {ItemCell("ada", "lost_deal", "d1"): LOST})

    assert table.take_changed() == {"ada"}


def test_the_last_advance_is_that_of_the_shard_with_the_latest(table):
    table.apply(DEALS, {AdvanceCell("ada"): 9})
    table.apply((Kind.DEAL, 1), {AdvanceCell("ada"): 5})
    both = table.last_advance("ada")
    table.apply(DEALS, {AdvanceCell("ada"): None})

    assert (both, table.last_advance("ada")) == (9, 5)


def test_with_rates_what_is_closed_keeps_its_rep_and_day():
    table = Table(Settings(rates=(Rate("2026-01-01", "USD", "0.9"),)), CALENDAR)
    table.apply(DEALS, {DayCell("ada", DAY): {WON: 1, CALLED: 2}, CloseCell("ada", minute(DAY)): {WON: 1}})

    assert table.days("organisation", "organisation") == {DAY: {(*WON, "ada", DAY): 1, CALLED: 2}}
    assert table.closes("rep", "ada") == {minute(DAY): {(*WON, "ada", DAY): 1}}


def test_freshness_tells_changes_of_the_newest_day_from_those_of_older_ones(table):
    table.apply(DEALS, {DayCell("ada", DAY): {WON: 1}})
    table.apply(DEALS, {DayCell("ada", DAY + 1): {WON: 1}})
    first = table.freshness("rep", "ada").before(DAY + 1)
    table.apply(DEALS, {DayCell("ada", DAY + 1): {WON: 2}})
    same = table.freshness("rep", "ada").before(DAY + 1)
    table.apply(DEALS, {DayCell("ada", DAY): {WON: 2}})
    late = table.freshness("rep", "ada").before(DAY + 1)

    assert first == same < late == table.revision
    assert table.freshness("rep", "ada").before(DAY + 2) == table.revision


def test_a_book_that_was_emptied_and_filled_again_is_not_taken_for_the_old_one(table):
    table.apply(DEALS, {DayCell("ada", DAY): {WON: 1}})
    before = table.freshness("rep", "ada").before(DAY + 1)
    table.apply(DEALS, {DayCell("ada", DAY): None})
    table.apply(DEALS, {DayCell("ada", DAY - 1): {WON: 1}})

    assert table.freshness("rep", "ada").before(DAY + 1) > before
