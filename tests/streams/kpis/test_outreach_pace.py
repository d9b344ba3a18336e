"""KPI 4: what counts as outreach, and how it compares with the benchmark."""

from __future__ import annotations

from datetime import date

import pytest

from funnelwatch.schemas.document import OutreachPace
from funnelwatch.schemas.settings import CalendarSettings
from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.kpis.outreach import done, outreach, outreach_figures, pace, recent_attainment, recent_days
from funnelwatch.streams.kpis.parts import Index

CALENDAR = Calendar(CalendarSettings())
MONDAY = date(2026, 11, 23).toordinal()


def call(count=1, *, direction="outbound", cold=0, outcome="no_answer"):
    return {("call", direction, cold, outcome): count}


@pytest.mark.parametrize(
    ("calls", "cold", "drops"),
    [
        (call(cold=1), 1, 0),
        (call(cold=0), 0, 0),
        (call(cold=1, direction="inbound"), 0, 0),
        (call(cold=1, outcome="voicemail_drop"), 0, 1),
        (call(cold=0, outcome="voicemail_drop"), 0, 1),
        (call(cold=1, outcome="voicemail"), 1, 0),
        (call(cold=1, direction="inbound", outcome="voicemail_drop"), 0, 0),
    ],
)
def test_a_call_is_at_most_one_kind_of_outreach(calls, cold, drops):
    found = outreach_figures(Index(calls))

    assert (found.call, found.voicemail_drop, found.total) == (cold, drops, cold + drops)


def test_only_cold_emails_are_outreach():
    found = outreach_figures(Index({("email", 1): 3, ("email", 0): 4, ("reply",): 2}))

    assert (found.email, found.total, found.emails, found.replies) == (3, 3, 7, 2)


def test_the_connect_rate_is_of_outbound_calls_and_talk_time_of_all():
    sums = call(3) | call(1, outcome="connected") | call(5, direction="inbound", outcome="connected")
    found = outreach_figures(Index(sums | {("talk_ms", "outbound"): 1_500, ("talk_ms", "inbound"): 2_000}))

    assert (found.outbound_calls, found.inbound_calls, found.connected_calls) == (4, 5, 1)
    assert (found.connect_rate, found.talk_seconds) == (0.25, 3.5)


def test_without_outbound_calls_there_is_no_connect_rate():
    assert outreach_figures(Index(call(direction="inbound", outcome="connected"))).connect_rate is None


def test_pace_is_done_against_the_working_days_elapsed():
    assert pace(30, 40.0, 1.5) == OutreachPace(30, 60.0, 0.5)


def test_before_any_working_time_nothing_is_expected_and_nothing_attained():
    assert pace(3, 40.0, 0.0) == OutreachPace(3, 0.0, None)


def test_without_a_benchmark_there_is_only_what_was_done():
    assert pace(3, None, 1.0) == OutreachPace(3, None, None)


def test_recent_days_are_the_last_five_whole_working_days_before_today():
    assert recent_days(MONDAY, CALENDAR) == [MONDAY - 3, MONDAY - 4, MONDAY - 5, MONDAY - 6, MONDAY - 7]
    assert recent_days(MONDAY + 2, CALENDAR) == [MONDAY + 1, MONDAY, MONDAY - 3, MONDAY - 4, MONDAY - 5]


def test_fewer_than_five_working_days_in_ninety_are_none():
    seldom = Calendar(CalendarSettings(working_days=()))

    assert recent_days(MONDAY, seldom) == []


def test_support_is_needed_below_the_ratio_and_not_at_it():
    days = {MONDAY - 3: call(7, cold=1), MONDAY - 4: {("email", 1): 7}, MONDAY: call(90, cold=1)}
    recent = recent_attainment(lambda day: done(days.get(day, {})), recent_days(MONDAY, CALENDAR), 4.0)

    assert recent == 0.7
    assert outreach({}, 4.0, recent, 0.7).needs_support is False
    assert outreach({}, 4.0, recent, 0.71).needs_support is True


@pytest.mark.parametrize("per_day", [None, 0.0])
def test_without_a_benchmark_nobody_needs_support(per_day):
    recent = recent_attainment(lambda _: 0, recent_days(MONDAY, CALENDAR), per_day)

    assert recent is None
    assert outreach({}, per_day, recent, 0.7).needs_support is None
