"""Documents assembled from cells, against figures worked out by hand."""

from __future__ import annotations

from datetime import date

import msgspec
import pytest
from support.story import instant

from funnelwatch.schemas.document import Closes, OutreachPace, StageNow
from funnelwatch.schemas.events import Kind
from funnelwatch.schemas.settings import (
    BenchmarkSettings,
    CalendarSettings,
    LeadSettings,
    PipelineSettings,
    Rate,
    RepOverride,
    Settings,
    StageSettings,
)
from funnelwatch.streams.calendar import DAY_US, Calendar
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
from funnelwatch.streams.documents import Documents, RepRow
from funnelwatch.streams.kpis.coaching import RECORDINGS_MAX
from funnelwatch.streams.sketch import bin_of
from funnelwatch.streams.subjects import UnknownSubjectError
from funnelwatch.streams.table import Table

EUR = 10_000
HOUR = 3_600.0
HOUR_US = 3_600_000_000
NOW = instant("2026-11-18 13:00")  # a Wednesday, in the middle of the working day; the month began on a Sunday
TODAY = date(2026, 11, 18).toordinal()
STAGES = (StageSettings("New", 8.0), StageSettings("Offer", 16.0), StageSettings("Deal"))
SETTINGS = Settings(
    name="Acme",
    pipelines=(PipelineSettings("default", STAGES), PipelineSettings("empty", ())),
    leads=LeadSettings(new_hours=4.0),
    benchmarks=BenchmarkSettings(outreach_per_day=10.0, conversion_rate=0.5),
    retention_days=100,
)


class Floor:
    """A table with cells told briefly. Days are 2026-11-18 or as given; amounts are in whole money."""

    def __init__(self, settings=SETTINGS):
        self.table = Table(settings, Calendar(settings.calendar))
        self.documents = Documents(settings, self.table)
        self._cells = {}

    def put(self, cell, value):
        self._cells[cell] = value
        self.table.replace((Kind.DEAL, 0), self._cells)

    def day(self, rep, sums, day=TODAY):
        self.put(DayCell(rep, day), sums)

    def rep(self, rep, team="north", **fields):
        record = {"name": None, "manager": None, "active": True, "removed": False, "zone": None, "quotas": {}}
        record |= {"outreach_per_day": None, "conversion_rate": None, "teams": ((0, team),) if team else ()}
        self.put(ItemCell(rep, "rep", rep), RepRecord(**(record | fields)))

    def deal(self, rep, name, *, stage="New", entered=NOW, **fields):
        deal = OpenDeal("default", stage, "EUR", 100 * EUR, entered, entered, entered, entered, None, None)
        self.put(ItemCell(rep, "open_deal", name), msgspec.structs.replace(deal, **fields))

    def recording(self, rep, name, *, at=NOW, deal_id=None, talk_ratio=None):
        call = CallRecording(at, f"https://pbx.example/{name}", deal_id, "connected", 90_500, talk_ratio)
        self.put(ItemCell(rep, "recording", name), call)

    def lost(self, rep, name, closed_at):
        self.put(ItemCell(rep, "lost_deal", name), LostDeal(closed_at, "default", "New", "", "EUR", None))


def won(deals, amount, currency="EUR"):
    return {("won", "default", currency): deals, ("won_amount", "default", currency): amount * EUR}


def lost(deals):
    return {("lost", "default", "EUR", "New", "price"): deals}


@pytest.fixture
def floor():
    return Floor()


# Who there is


def test_a_rep_nobody_knows_has_no_document(floor):
    with pytest.raises(UnknownSubjectError, match="no rep 'ada' is listed"):
        floor.documents.rep("ada", NOW)
    with pytest.raises(UnknownSubjectError, match="no team 'north' is listed"):
        floor.documents.team("north", NOW)


@pytest.mark.parametrize("nobody", ["rep", "team"])
def test_nobody_is_neither_a_rep_nor_a_team(floor, nobody):
    floor.day("", won(1, 5))

    with pytest.raises(UnknownSubjectError):
        getattr(floor.documents, nobody)("", NOW)
    assert floor.documents.organisation(NOW).windows["today"].won == 1


def test_a_rep_without_a_record_is_listed_while_figures_are_kept(floor):
    floor.day("old", won(1, 5), TODAY - 100)
    floor.day("new", won(1, 5), TODAY - 99)

    assert floor.documents.reps(NOW) == [RepRow("new", "new", None, None, active=True)]
    with pytest.raises(UnknownSubjectError):
        floor.documents.rep("old", NOW)


def test_a_removed_rep_is_not_listed_and_still_counts(floor):
    floor.rep("ada", removed=True, active=False, quotas={"2026-11": (5 * EUR, "EUR", 1)})
    floor.day("ada", won(1, 5))
    floor.deal("ada", "d1")

    assert floor.documents.reps(NOW) == []
    assert floor.documents.teams(NOW) == ["north"]
    team = floor.documents.team("north", NOW)
    assert (team.windows["today"].won, team.funnel.open_deals, team.sales.quota) == (1, 1, {})
    assert team.outreach.per_day is None


def test_documents_say_whom_they_are_about(floor):
    floor.rep("ada", name="Ada", manager="Mo", active=False)
    rep, team = floor.documents.rep("ada", NOW), floor.documents.team("north", NOW)
    organisation = floor.documents.organisation(NOW)

    assert (rep.level, rep.id, rep.name, rep.team, rep.manager, rep.active) == (
        "rep",
        "ada",
        "Ada",
        "north",
        "Mo",
        False,
    )
    assert (team.level, team.id, team.name, team.team, team.active) == ("team", "north", "north", None, True)
    assert (organisation.level, organisation.id, organisation.name) == ("organisation", "organisation", "Acme")
    assert rep.as_of == "2026-11-18T13:00:00+00:00"


# Windows


def test_each_window_has_the_days_it_names(floor):
    for number, day in enumerate((0, 1, 2, 3, 6, 7, 17, 18, 29, 30, 48, 49, 89, 90)):
        floor.day("ada", {("created", "default"): 1 << number}, TODAY - day)
    floor.day("ada", {("created", "default"): 1 << 20}, TODAY + 1)
    windows = floor.documents.rep("ada", NOW).windows
    seen = {
        name: sum(
            1 << n for n, day in enumerate((0, 1, 2, 3, 6, 7, 17, 18, 29, 30, 48, 49, 89, 90)) if first >= day >= last
        )
        for name, first, last in (
            ("today", 0, 0),
            ("wtd", 2, 0),
            ("7d", 6, 0),
            ("mtd", 17, 0),
            ("30d", 29, 0),
            ("90d", 89, 0),
            ("prev_month", 48, 18),
        )
    }

    assert {name: windows[name].created for name in seen} == seen


def test_minute_windows_end_with_the_minute_of_now(floor):
    minute = NOW // MINUTE_US
    for number, ago in enumerate((-1, 0, 59, 60, 1_439, 1_440)):
        floor.put(MinuteCell("ada", minute - ago), {("created", "default"): 1 << number})
    floor.rep("ada")
    windows = floor.documents.rep("ada", NOW + 59_999_999).windows

    assert (windows["1h"].created, windows["24h"].created) == (0b000110, 0b011110)


def test_months_are_those_with_something_on_a_day_that_is_kept(floor):
    floor.day("ada", won(1, 1), TODAY)
    floor.day("ada", won(1, 2), TODAY - 18)
    floor.day("ada", won(1, 4), TODAY - 99)  # 11 August
    floor.day("ada", won(1, 8), TODAY - 100)
    floor.day("ada", won(1, 16), TODAY + 1)
    months = floor.documents.rep("ada", NOW).months

    assert {label: month.won_amount["EUR"] for label, month in months.items()} == {
        "2026-08": "4",
        "2026-10": "2",
        "2026-11": "1",
    }


def test_a_retention_that_begins_within_the_month_cuts_it_at_both_ends():
    floor = Floor(msgspec.structs.replace(SETTINGS, retention_days=10))
    for number, days in enumerate((-10, -9, 0, 1)):
        floor.day("ada", {("created", "default"): 1 << number}, TODAY + days)
    found = floor.documents.rep("ada", NOW)

    assert {label: month.created for label, month in found.months.items()} == {"2026-11": 0b0110}
    assert found.windows["mtd"].created == 0b0111


def test_a_correction_of_any_day_reaches_every_window(floor):
    floor.day("ada", won(1, 1), TODAY - 20)
    floor.day("ada", won(1, 1))
    before = floor.documents.rep("ada", NOW)
    floor.day("ada", won(2, 5), TODAY - 20)
    floor.day("ada", won(3, 7))
    after = floor.documents.rep("ada", NOW)

    assert (before.windows["30d"].won, before.months["2026-10"].won, before.sales.prev_month.won) == (2, 1, 1)
    assert (after.windows["30d"].won, after.months["2026-10"].won, after.sales.prev_month.won) == (5, 2, 2)
    assert after.windows["today"].won_amount == {"EUR": "7"}


def test_the_next_day_today_is_another_one(floor):
    floor.day("ada", won(1, 1))
    floor.documents.rep("ada", NOW)
    tomorrow = floor.documents.rep("ada", NOW + DAY_US)

    assert (tomorrow.windows["today"].won, tomorrow.windows["7d"].won) == (0, 1)


# Sales


def test_the_previous_month_is_cut_at_the_like_for_like_minute(floor):
    # 12 working days and 4 hours of November have passed: in October that is Monday 19th at 13:00.
    cutoff = instant("2026-10-19 13:00")
    day = date(2026, 10, 19).toordinal()
    floor.day("ada", won(1, 1), day - 1)
    floor.day("ada", won(1, 2) | lost(2) | {("created", "default"): 9}, day)
    floor.day("ada", won(1, 64), day + 1)
    floor.put(CloseCell("ada", cutoff // MINUTE_US), won(1, 2) | lost(1))
    floor.put(CloseCell("ada", cutoff // MINUTE_US + 1), lost(1))
    found = floor.documents.rep("ada", NOW).sales

    assert found.prev_mtd == Closes(2, 1, {"EUR": "3"}, {"EUR": "0"})
    assert found.prev_month == Closes(3, 2, {"EUR": "67"}, {"EUR": "0"})
    assert (found.month, found.elapsed) == ("2026-11", 12.5 / 21)


def test_the_cut_moves_within_the_day(floor):
    friday, monday = (date(2026, 10, day).toordinal() for day in (16, 19))
    floor.day("ada", won(1, 1), friday)
    floor.day("ada", won(1, 2), monday)
    floor.put(CloseCell("ada", instant("2026-10-16 16:59") // MINUTE_US), won(1, 1))
    floor.put(CloseCell("ada", instant("2026-10-19 10:00") // MINUTE_US), won(1, 2))
    found = [
        floor.documents.rep("ada", instant(f"2026-11-18 {hour}:00")).sales.prev_mtd.won_amount["EUR"]
        for hour in ("00", "09", "10", "13")
    ]

    assert found == ["1", "1", "3", "3"]


def test_a_team_is_asked_for_what_its_active_members_are_asked_for(floor):
    floor.rep("ada", quotas={"2026-11": (5 * EUR, "EUR", 2)}, outreach_per_day=7.5)
    floor.rep("bob", quotas={"2026-11": (6 * EUR, "EUR", None), "2026-12": (99 * EUR, "EUR", None)})
    floor.rep("cem", quotas={"2026-11": (1 * EUR, "USD", 3)}, active=False)
    floor.rep("dan", "south", quotas={"2026-11": (7 * EUR, "", 4)})
    team, organisation = floor.documents.team("north", NOW), floor.documents.organisation(NOW)

    assert (team.sales.quota, team.sales.quota_count, team.outreach.per_day) == ({"EUR": "11"}, 2, 17.5)
    assert (organisation.sales.quota, organisation.sales.quota_count) == ({"EUR": "18"}, 6)
    assert organisation.outreach.per_day == 27.5
    assert floor.documents.rep("cem", NOW).sales.quota == {"USD": "1"}


def test_a_quota_nobody_has_does_not_exist(floor):
    floor.rep("ada", quotas={"2026-11": (None, "EUR", None)})
    found = floor.documents.rep("ada", NOW).sales

    assert (found.quota, found.quota_count, found.attainment, found.attainment_count) == ({}, None, {}, None)


# Funnel


def test_stages_are_shown_in_order_and_then_what_is_not_configured(floor):
    floor.deal("ada", "d1", stage="Zzz")
    floor.deal("ada", "d2", stage="")
    floor.deal("ada", "d3", stage="Offer", amount=None)
    floor.deal("ada", "d4", pipeline="other", currency="USD")
    found = floor.documents.rep("ada", NOW).funnel

    assert list(found.pipelines) == ["default", "empty", "other"]
    assert list(found.pipelines["default"].stages) == ["New", "Offer", "Deal", "", "Zzz"]
    assert found.pipelines["default"].stages["Offer"] == StageNow(1, {"EUR": "0"}, 0, 16 * HOUR)
    assert found.pipelines["default"].stages["New"] == StageNow(0, {}, 0, 8 * HOUR)
    assert (found.open_deals, found.open_amount) == (4, {"EUR": "200", "USD": "100"})
    assert list(found.leads.stages) == ["new", "qualified", "accepted"]


def test_a_deal_is_overdue_only_after_the_expected_working_time(floor):
    floor.deal("ada", "d1", entered=instant("2026-11-17 13:00"))  # 8 working hours ago
    floor.deal("ada", "d2", entered=instant("2026-11-17 13:00") - 1)
    floor.deal("ada", "d3", entered=instant("2026-01-05 13:00"), stage="Deal")
    found = floor.documents.rep("ada", NOW).funnel

    assert (found.overdue_deals, found.pipelines["default"].stages["New"].overdue) == (1, 1)


def test_leads_are_overdue_by_state(floor):
    for name, hour in (("l1", 8), ("l2", 10)):
        lead = OpenLead("new", 0, instant(f"2026-11-18 {hour:02}:00"), None, 0, None)
        floor.put(ItemCell("ada", "open_lead", name), lead)

    assert floor.documents.rep("ada", NOW).funnel.leads.stages["new"] == StageNow(2, {}, 0, 4 * HOUR)
    assert floor.documents.rep("ada", NOW + 1).funnel.leads.stages["new"].overdue == 1


def test_idle_counts_from_the_last_advance_in_the_reps_own_hours():
    floor = Floor(msgspec.structs.replace(SETTINGS, reps={"ada": RepOverride(hours=("06:00-18:00",))}))
    floor.rep("ada", zone="Europe/Berlin")  # one hour ahead
    floor.deal("ada", "d1", owned_since=0)
    floor.put(AdvanceCell("ada"), instant("2026-11-17 16:00"))
    rep, team = floor.documents.rep("ada", NOW).funnel, floor.documents.team("north", NOW).funnel

    assert (rep.last_advance, rep.idle_seconds, rep.idle_wall_seconds) == (
        "2026-11-17T16:00:00+00:00",
        9 * HOUR,  # to 18:00 in Berlin, and from 06:00 to 14:00
        21 * HOUR,
    )
    assert team.idle_seconds == 5 * HOUR  # to 17:00, and from 09:00 to 13:00


def test_without_an_advance_idle_counts_from_the_earliest_owning(floor):
    floor.deal("ada", "d1", owned_since=instant("2026-11-18 10:00"))
    floor.deal("ada", "d2", owned_since=instant("2026-11-18 11:00"))

    assert floor.documents.rep("ada", NOW).funnel.idle_seconds == 3 * HOUR


def test_who_has_nothing_open_is_not_idle(floor):
    floor.rep("ada")
    floor.put(AdvanceCell("ada"), instant("2026-11-02 09:00"))
    found = floor.documents.rep("ada", NOW).funnel

    assert (found.idle_seconds, found.idle_wall_seconds) == (0.0, 0.0)
    assert found.last_advance == "2026-11-02T09:00:00+00:00"


def test_an_advance_after_now_makes_nobody_less_than_idle(floor):
    floor.deal("ada", "d1")
    floor.put(AdvanceCell("ada"), NOW + HOUR_US)
    found = floor.documents.rep("ada", NOW).funnel

    assert (found.idle_seconds, found.idle_wall_seconds) == (0.0, 0.0)


def test_velocity_is_money_per_working_day(floor):
    cycle = bin_of(16 * HOUR_US)
    floor.day("ada", won(2, 100) | won(1, 50, "USD") | lost(2) | {("cycle", cycle): 3, ("cycle_us",): 1})
    floor.deal("ada", "d1")
    floor.deal("ada", "d2")
    found = floor.documents.rep("ada", NOW).funnel.velocity

    # Two open × half won × 50 each ÷ 2 working days; in dollars nothing is open.
    assert found == {"EUR": pytest.approx(25.0, rel=0.01), "USD": 0.0}


def test_without_a_win_there_is_no_velocity(floor):
    floor.day("ada", lost(2))
    floor.deal("ada", "d1")

    assert floor.documents.rep("ada", NOW).funnel.velocity == {}


def test_wins_that_took_no_working_time_have_no_velocity(floor):
    floor.day("ada", won(1, 5) | {("cycle", -1): 1})
    floor.deal("ada", "d1")

    assert floor.documents.rep("ada", NOW).funnel.velocity == {}


def test_the_bottleneck_counts_what_ended_in_thirty_days_and_what_is_open(floor):
    floor.day("ada", {("work", "default", "New", bin_of(HOUR_US)): 4}, TODAY - 29)
    floor.day("ada", {("work", "default", "New", bin_of(HOUR_US)): 4}, TODAY - 30)
    none = floor.documents.rep("ada", NOW).funnel.pipelines["default"].bottleneck
    floor.deal("ada", "d1")
    found = floor.documents.rep("ada", NOW).funnel.pipelines["default"].bottleneck

    assert none is None
    assert (found.stage, found.sojourns) == ("New", 5)


# Conversion


def leads(qualified, accepted, converted):
    return {("lead", "qualified"): qualified, ("lead", "accepted"): accepted, ("lead", "converted"): converted}


def test_a_rep_is_compared_with_the_team_and_a_team_with_the_organisation(floor):
    floor.rep("ada")
    floor.rep("bob")
    floor.rep("cem", "south", conversion_rate=0.01)
    floor.rep("dan", None)
    floor.day("ada", leads(10, 2, 1))
    floor.day("bob", leads(10, 8, 2))
    floor.day("cem", leads(10, 8, 7))
    floor.day("dan", leads(10, 8, 1))
    documents = floor.documents

    assert documents.rep("ada", NOW).conversion["7d"].half == "acceptance"
    assert documents.team("north", NOW).conversion["7d"].half == "closing"  # 3/10 of 11/26, and 10/20 of 26/40
    assert documents.rep("dan", NOW).conversion["7d"].half == "closing"
    assert documents.rep("cem", NOW).conversion["7d"].half is None
    assert documents.rep("cem", NOW).conversion["7d"].expected == 0.01
    assert documents.organisation(NOW).conversion["7d"].half is None


def test_what_the_team_does_later_is_what_a_rep_is_compared_with(floor):
    floor.rep("ada")
    floor.rep("bob")
    floor.day("ada", leads(10, 5, 2))
    alone = floor.documents.rep("ada", NOW).conversion["mtd"].half
    floor.day("bob", leads(10, 10, 1))

    assert (alone, floor.documents.rep("ada", NOW).conversion["mtd"].half) == (None, "acceptance")


# Outreach


def test_outreach_is_expected_for_the_working_days_elapsed(floor):
    floor.rep("ada")
    floor.day("ada", {("email", 1): 10})
    found = floor.documents.rep("ada", NOW).outreach

    assert found.windows["today"] == OutreachPace(10, 5.0, 2.0)
    assert found.windows["wtd"] == OutreachPace(10, 25.0, 0.4)
    assert (found.recent_attainment, found.needs_support) == (0.0, True)


def test_whole_working_days_are_those_of_the_reps_own_calendar():
    floor = Floor(msgspec.structs.replace(SETTINGS, reps={"ada": RepOverride(working_days=("sunday",))}))
    floor.rep("ada")
    for weeks in range(6):
        floor.day("ada", {("email", 1): 10 + weeks}, date(2026, 11, 15).toordinal() - 7 * weeks)

    assert floor.documents.rep("ada", NOW).outreach.recent_attainment == (10 + 11 + 12 + 13 + 14) / 50


# Coaching


def test_recordings_on_lost_deals_come_first_then_the_newest(floor):
    floor.recording("ada", "c1", at=NOW - 3)
    floor.recording("ada", "c2", at=NOW - 1)
    floor.recording("ada", "c3", at=NOW - 9, deal_id="d1")
    floor.recording("ada", "c4", at=NOW - 1, deal_id="d2")
    floor.lost("bob", "d1", NOW - 89 * DAY_US)
    floor.lost("bob", "d2", NOW - 90 * DAY_US)
    found = floor.documents.rep("ada", NOW).coaching

    assert [(call.call_id, call.deal_lost) for call in found] == [
        ("c3", True),
        ("c2", False),
        ("c4", False),
        ("c1", False),
    ]
    assert (found[0].url, found[0].deal_id, found[0].talk_seconds) == ("https://pbx.example/c3", "d1", 90.5)


def test_a_talk_ratio_of_nothing_is_shown_and_one_that_nobody_told_is_not(floor):
    for name, ratio in (("c1", 4_350), ("c2", 0), ("c3", None)):
        floor.recording("ada", name, talk_ratio=ratio)

    assert [call.talk_ratio for call in floor.documents.rep("ada", NOW).coaching] == [0.435, 0.0, None]


def test_recordings_are_kept_for_thirty_days(floor):
    floor.recording("ada", "c1", at=NOW - 30 * DAY_US)
    floor.recording("ada", "c2", at=NOW - 30 * DAY_US + 1)

    assert [call.call_id for call in floor.documents.rep("ada", NOW).coaching] == ["c2"]


def test_there_are_no_more_recordings_than_anybody_will_hear(floor):
    for number in range(RECORDINGS_MAX + 5):
        floor.recording("ada", f"c{number:02}")
    floor.rep("ada")

    assert [call.call_id for call in floor.documents.team("north", NOW).coaching] == [
        f"c{number:02}" for number in range(RECORDINGS_MAX)
    ]


# Rates


def test_with_rates_closes_are_converted_at_their_day_what_is_open_today_and_a_quota_at_the_first():
    rates = (Rate("2026-10-30", "USD", "2"), Rate("2026-11-10", "USD", "0.5"), Rate("2026-11-18", "USD", "4"))
    floor = Floor(msgspec.structs.replace(SETTINGS, rates=rates))
    floor.rep("ada", quotas={"2026-11": (10 * EUR, "USD", None)})
    floor.day("ada", won(1, 6, "USD"), TODAY - 8)
    floor.day("ada", won(1, 8, "USD"), TODAY - 7)
    floor.day("ada", won(1, 1, "GBP"))
    floor.deal("ada", "d1", currency="USD")
    found = floor.documents.rep("ada", NOW)

    assert found.windows["mtd"].won_amount == {"EUR": "7", "GBP": "1"}  # 6 · 0.5 + 8 · 0.5
    assert found.funnel.open_amount == {"EUR": "400"}
    assert found.sales.quota == {"EUR": "20"}
    assert found.sales.attainment == {"EUR": 0.35}


def test_in_a_jalali_organisation_months_are_jalali():
    calendar = CalendarSettings(zone="Asia/Tehran", system="jalali", week_start="saturday")
    floor = Floor(msgspec.structs.replace(SETTINGS, calendar=calendar))
    floor.day("ada", won(1, 1), date(2026, 11, 22).toordinal())  # 1 Azar 1405
    floor.day("ada", won(1, 2), date(2026, 11, 21).toordinal())  # 30 Aban
    found = floor.documents.rep("ada", instant("2026-11-22 13:00", "Asia/Tehran"))

    assert {label: month.won_amount for label, month in found.months.items()} == {
        "1405-08": {"EUR": "2"},
        "1405-09": {"EUR": "1"},
    }
    assert (found.sales.month, found.windows["mtd"].won, found.windows["wtd"].won) == ("1405-09", 1, 2)
