"""What is kept between two documents never shows: they are those of somebody who has just come."""

from __future__ import annotations

from datetime import date

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from funnelwatch.schemas.events import Kind
from funnelwatch.schemas.settings import BenchmarkSettings, PipelineSettings, Settings, StageSettings
from funnelwatch.streams import recall
from funnelwatch.streams.calendar import DAY_US, Calendar
from funnelwatch.streams.cells import (
    MINUTE_US,
    CallRecording,
    CloseCell,
    DayCell,
    ItemCell,
    LostDeal,
    MinuteCell,
    RepRecord,
)
from funnelwatch.streams.documents import Documents
from funnelwatch.streams.table import Table

SETTINGS = Settings(
    pipelines=(PipelineSettings("default", (StageSettings("New", 8.0), StageSettings("Old", 8.0))),),
    benchmarks=BenchmarkSettings(outreach_per_day=2.0),
    retention_days=75,
)
CALENDAR = Calendar(SETTINGS.calendar)
TODAY = date(2026, 11, 18).toordinal()
NOON = CALENDAR.day_start(TODAY) + DAY_US // 2
SHARD, CALLS = (Kind.DEAL, 0), (Kind.CALL, 0)

reps = st.sampled_from(["", "ada", "bob"])
calls = st.sampled_from(["c1", "c2"])
days = st.sampled_from([-80, -74, -60, -30, -29, -18, -17, -7, -2, -1, 0, 1])
measures = st.sampled_from(
    [
        ("won", "default", "EUR"),
        ("lost", "default", "EUR", "New", ""),
        ("work", "default", "New", 700),
        ("work", "default", "Old", 800),
        ("cycle", 650),
        ("lead", "qualified"),
        ("lead", "converted"),
        ("email", 1),
        ("call", "outbound", 1, "connected"),
        ("created", "default"),
        ("advance", "default"),
        ("touch", 650),
        ("entered", "default", "New"),
        ("entered", "default", "Old"),
        ("left", "default", "New", "won"),
        ("work_us", "other", "New"),
        ("wall", "@leads", "new", 700),
        ("entered", "@leads", "new"),
    ]
)
sums = st.dictionaries(measures, st.integers(1, 9), max_size=4)


class Board(RuleBasedStateMachine):
    """A table whose cells change while documents are asked for at moving times."""

    def __init__(self):
        super().__init__()
        self.table = Table(SETTINGS, CALENDAR)
        self.documents = Documents(SETTINGS, self.table)
        self.now = NOON

    @rule(rep=reps, day=days, said=sums)
    def a_day_changes(self, rep, day, said):
        self.table.apply(SHARD, {DayCell(rep, TODAY + day): said or None})

    @rule(rep=reps, ago=st.sampled_from([0, 59, 60, 1_440]), said=sums)
    def a_minute_changes(self, rep, ago, said):
        self.table.apply(SHARD, {MinuteCell(rep, NOON // MINUTE_US - ago): said or None})

    @rule(rep=reps, hours=st.integers(-1, 5), deals=st.integers(0, 2))
    def closes_of_the_cutoffs_day_change(self, rep, hours, deals):
        cutoff = CALENDAR.previous_cutoff(self.now) // MINUTE_US
        said = {("won", "default", "EUR"): deals} if deals else None
        self.table.apply(SHARD, {CloseCell(rep, cutoff - 60 * hours): said})

    @rule(rep=st.sampled_from(["ada", "bob"]), since=days, team=st.sampled_from(["north", "south", ""]))
    def a_rep_joins_a_team(self, rep, since, team):
        teams = ((0, "north"), (CALENDAR.day_start(TODAY + since), team))
        record = RepRecord(None, None, True, False, None, teams, {}, None, None)
        self.table.apply((Kind.REP, 0), {ItemCell(rep, "rep", rep): record})

    @rule(rep=reps, call=calls, ago=days, deal=st.sampled_from([None, "d1"]), is_there=st.booleans())
    def a_call_is_recorded_or_forgotten(self, rep, call, ago, deal, is_there):
        recording = CallRecording(NOON + ago * DAY_US, "https://pbx.example/1", deal, None, None)
        self.table.apply(CALLS, {ItemCell(rep, "recording", call): recording if is_there else None})

    @rule(rep=reps, deal=st.just("d1"), ago=st.sampled_from([-89, -80, 0]), is_there=st.booleans())
    def a_deal_is_lost_or_not_any_more(self, rep, deal, ago, is_there):
        lost = LostDeal(NOON + ago * DAY_US, "default", "New", "", "EUR", None)
        self.table.apply(SHARD, {ItemCell(rep, "lost_deal", deal): lost if is_there else None})

    @rule()
    def a_shard_is_gone(self):
        self.table.replace(SHARD, {})

    @rule(minutes=st.sampled_from([1, 60, 300, 24 * 60, 14 * 24 * 60]))
    def time_passes(self, minutes):
        self.now += minutes * MINUTE_US

    @precondition(lambda self: self.table.revision)
    @invariant()
    def documents_are_those_of_a_newcomer(self):
        newcomer = Documents(SETTINGS, self.table)
        assert all_of(newcomer, self.now) == all_of(self.documents, self.now)


def all_of(documents, now):
    found = [documents.organisation(now), *(documents.team(team, now) for team in documents.teams(now))]
    found += [documents.rep(row.id, now) for row in documents.reps(now)]
    return [msgspec.to_builtins(document) for document in found]


TestBoard = Board.TestCase
TestBoard.settings = settings(max_examples=50, stateful_step_count=20, deadline=None)


def test_a_recording_is_on_a_lost_deal_for_as_long_as_the_deal_stands_lost_and_not_for_ever():
    table = Table(SETTINGS, CALENDAR)
    documents = Documents(SETTINGS, table)
    table.apply(
        CALLS, {ItemCell("ada", "recording", "c1"): CallRecording(NOON - DAY_US, "https://pbx", "d1", None, None)}
    )

    def is_lost(now=NOON):
        of_all = [documents.rep("ada", now), documents.organisation(now)]
        (found,) = {recording.deal_lost for document in of_all for recording in document.coaching}
        return found

    assert not is_lost()
    lost = LostDeal(NOON - 89 * DAY_US, "default", "New", "", "EUR", None)
    table.apply(SHARD, {ItemCell("bob", "lost_deal", "d1"): lost})
    assert is_lost()
    assert not is_lost(NOON + 2 * DAY_US)
    assert is_lost()
    table.apply(SHARD, {ItemCell("bob", "lost_deal", "d1"): None})
    assert not is_lost()


def test_what_is_kept_has_a_limit(monkeypatch):
    monkeypatch.setattr(recall, "SUBJECTS_MAX", 3)
    monkeypatch.setattr(recall, "FIGURES_MAX", 3)
    table = Table(SETTINGS, CALENDAR)
    table.apply(SHARD, {DayCell(f"rep{number}", TODAY): {("won", "default", "EUR"): number + 1} for number in range(9)})
    documents = Documents(SETTINGS, table)
    won = [documents.rep(f"rep{number}", NOON).windows["today"].won for number in [*range(9), *range(9)]]
    kept = documents._recall

    assert won == [*range(1, 10), *range(1, 10)]
    assert max(len(kept._past), len(kept._by_day), len(kept._months)) <= 3


def test_a_stage_that_changes_today_takes_nothing_from_the_others():
    """A stage with less today than in the past had today's sojourns alone, once another one changed."""
    table = Table(SETTINGS, CALENDAR)
    documents = Documents(SETTINGS, table)
    new, old = ("work", "default", "New", 700), ("work", "default", "Old", 800)
    table.apply(SHARD, {DayCell("ada", TODAY - 3): {old: 30}, DayCell("ada", TODAY): {old: 6}})
    documents.rep("ada", NOON)
    table.apply(SHARD, {DayCell("ada", TODAY): {old: 6, new: 1}})

    (pipeline,) = documents.rep("ada", NOON).funnel.pipelines.values()

    assert (pipeline.bottleneck.stage, pipeline.bottleneck.sojourns) == ("Old", 36)
