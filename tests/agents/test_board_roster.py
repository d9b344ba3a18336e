"""Who is listed is found from what changed, and is the same as if everybody were asked anew."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from funnelwatch.agents.board.roster import ORGANISATION, Roster
from funnelwatch.schemas.events import Kind
from funnelwatch.schemas.settings import PipelineSettings, Settings, StageSettings
from funnelwatch.streams.calendar import DAY_US, Calendar
from funnelwatch.streams.catalogue import of_process
from funnelwatch.streams.cells import DayCell, ItemCell, OpenDeal, RepRecord
from funnelwatch.streams.documents import Documents
from funnelwatch.streams.exposition import Exposition
from funnelwatch.streams.samples import KpiSeries
from funnelwatch.streams.table import Table

SETTINGS = Settings(pipelines=(PipelineSettings("default", (StageSettings("New", 8.0),)),), retention_days=5)
CALENDAR = Calendar(SETTINGS.calendar)
START = 1_795_000_000_000_000
DEALS = (Kind.DEAL, 0)
DEAL = OpenDeal("default", "New", "EUR", 1, 0, 0, 0, 0, None, None)
PLACES = 2

reps = st.sampled_from(["", "ada", "bob", "eve"])


class Listing(RuleBasedStateMachine):
    """A table whose cells change while days pass."""

    def __init__(self):
        super().__init__()
        self.table = Table(SETTINGS, CALENDAR)
        self.documents = Documents(SETTINGS, self.table)
        self.series = KpiSeries(Exposition(of_process("board")), ("30d",), PLACES)
        self.roster = Roster(self.table, self.documents, self.series)
        self.now = START
        self.known = set()

    @rule(rep=reps, day=st.sampled_from([-9, -4, -1, 0]), is_there=st.booleans())
    def a_day_changes(self, rep, day, is_there):
        cell = DayCell(rep, CALENDAR.day(START) + day)
        self.table.apply(DEALS, {cell: {("created", "default"): 1} if is_there else None})

    @rule(rep=reps, is_there=st.booleans())
    def a_deal_is_opened_or_closed(self, rep, is_there):
        if rep:
            self.table.apply(DEALS, {ItemCell(rep, "open_deal", f"{rep}'s"): DEAL if is_there else None})

    @rule(rep=reps, team=st.sampled_from(["", "north", "south"]), removed=st.booleans(), is_there=st.booleans())
    def a_record_changes(self, rep, team, removed, is_there):
        if rep:
            record = RepRecord(None, None, True, removed, None, ((0, team),), {}, None, None)
            self.table.apply((Kind.REP, 0), {ItemCell(rep, "rep", rep): record if is_there else None})

    @rule(days=st.integers(1, 5))
    def days_pass(self, days):
        self.now += days * DAY_US

    @rule()
    def a_shard_is_gone(self):
        self.table.replace(DEALS, {})

    @invariant()
    def those_are_listed_who_would_be_if_everybody_were_asked(self):
        self.roster.update(self.table.take_changed(), self.table.take_changed_teams(), self.now)
        listed = set(self.roster.listed)
        expected = {("rep", row.id) for row in self.documents.reps(self.now)}
        expected |= {("team", team) for team in self.documents.teams(self.now)} | {ORGANISATION}
        assert listed == expected
        gone = set(self.roster.take_gone())
        assert gone == self.known - listed
        self.known = listed
        own = {key for key, is_own in self.roster.listed.items() if is_own and key[0] == "rep"}
        assert len(own) <= PLACES
        for key in gone:
            self.series.remove(*key)
            if key[0] == "rep":
                self.roster.free_place()


Listing.TestCase.settings = settings(max_examples=80, stateful_step_count=25, deadline=None)
TestListing = Listing.TestCase


@pytest.mark.parametrize("known_first", [True, False])
def test_places_under_the_cap_go_to_reps_with_a_record_and_a_free_one_to_who_waits(known_first):
    table = Table(SETTINGS, CALENDAR)
    series = KpiSeries(Exposition(of_process("board")), ("30d",), 1)
    roster = Roster(table, Documents(SETTINGS, table), series)
    record = RepRecord(None, None, True, False, None, (), {}, None, None)
    day = DayCell("aaa", CALENDAR.day(START))
    if known_first:
        roster.update((), (), START)  # whoever comes later is found from what changed
    table.apply(DEALS, {day: {("created", "default"): 1}})
    table.apply((Kind.REP, 0), {ItemCell("zoe", "rep", "zoe"): record})
    roster.update(table.take_changed(), (), START)

    assert (roster.listed["rep", "zoe"], roster.listed["rep", "aaa"], series.over_limit) == (True, False, 1)

    table.apply((Kind.REP, 0), {ItemCell("zoe", "rep", "zoe"): None})
    roster.update(table.take_changed(), (), START)
    for key in roster.take_gone():
        series.remove(*key)
        roster.free_place()
    roster.update((), (), START)

    assert (roster.listed["rep", "aaa"], series.over_limit) == (True, 0)
