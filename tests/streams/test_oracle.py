"""The oracle against figures worked out by hand."""

from __future__ import annotations

import pytest
from support.story import Story, instant

from funnelwatch.schemas.document import Change, Closes, Counted, Left
from funnelwatch.schemas.events import Benchmarks, Quota
from funnelwatch.schemas.settings import (
    BenchmarkSettings,
    CalendarSettings,
    LeadSettings,
    PipelineSettings,
    Rate,
    Settings,
    StageSettings,
)
from funnelwatch.streams.oracle import report

HOUR = 3_600.0
STAGES = (StageSettings("New", 8.0), StageSettings("Offer", 16.0), StageSettings("Deal", None))
SETTINGS = Settings(
    pipelines=(PipelineSettings("default", STAGES),),
    leads=LeadSettings(new_hours=4.0),
    benchmarks=BenchmarkSettings(outreach_per_day=2.0, conversion_rate=0.5),
)
NOW = instant("2026-03-18 13:00")  # a Wednesday; the month began on a Sunday


@pytest.fixture
def story():
    return Story()


def judged(story, settings=SETTINGS, now=NOW):
    return report(settings, story.events, now)


def test_without_events_and_without_a_clock_there_is_no_now():
    with pytest.raises(ValueError, match="no event was taken"):
        report(SETTINGS, [])


def test_now_is_the_newest_event_unless_told(story):
    story("deal.created d1", "2026-03-02 09:00", rep_id="ann")
    story("deal.created d2", "2026-03-01 09:00", rep_id="ann")

    assert report(SETTINGS, story.events).organisation.as_of == "2026-03-02T09:00:00+00:00"


def test_a_deal_walks_through_its_stages(story):
    story("deal.created d1", "2026-03-02 09:00", rep_id="ann", stage="New", amount=100)
    story("deal.assigned d1", "2026-03-02 12:00", rep_id="bob")
    story("deal.stage_changed d1", "2026-03-03 11:00", rep_id="cid", stage="Offer")
    story("deal.won d1", "2026-03-04 09:30", stage="Closed Won", amount=120.5)
    reps = judged(story).reps
    bob, cid = reps["bob"].windows["mtd"], reps["cid"].windows["mtd"]

    assert reps["ann"].windows["mtd"].created == 1
    assert reps["ann"].windows["mtd"].flow["default"]["New"].entered == 1
    assert bob.flow["default"]["New"].left == Left(forward=1)
    assert bob.flow["default"]["New"].working.median_seconds == 10 * HOUR
    assert bob.flow["default"]["New"].wall.mean_seconds == 26 * HOUR
    assert cid.flow["default"]["Offer"].left == Left(won=1)
    assert (cid.won, cid.won_amount, cid.advances) == (1, {"EUR": "120.5"}, 2)
    assert cid.cycle.median_seconds == 16.5 * HOUR
    assert set(cid.flow["default"]) == {"Offer"}


def test_a_closing_label_is_a_stage_only_for_a_deal_that_has_none(story):
    story("deal.lost d1", "2026-03-02 09:00", rep_id="ann", stage="Closed Lost", lost_reason="price", amount=7)
    story("deal.created d2", "2026-03-02 09:00", rep_id="ann", stage="New")
    story("deal.lost d2", "2026-03-02 10:00", stage="Closed Lost")
    month = judged(story).reps["ann"].windows["mtd"]

    assert month.lost_by_stage == {"Closed Lost": Counted(1, {"EUR": "7"}), "New": Counted(1, {"EUR": "0"})}
    assert month.lost_by_reason == {"price": Counted(1, {"EUR": "7"}), "": Counted(1, {"EUR": "0"})}
    assert set(month.flow["default"]) == {"New"}


def test_a_win_that_was_reopened_is_none_and_counts_where_it_is_won_again(story):
    story("deal.won d1", "2026-02-10 10:00", rep_id="ann", stage="New", amount=5)
    story("deal.reopened d1", "2026-03-02 10:00")
    story("deal.won d1", "2026-03-04 10:00")
    sales = judged(story).reps["ann"].sales

    assert sales.prev_month == Closes(0, 0, {}, {})
    assert sales.mtd == Closes(1, 0, {"EUR": "5"}, {})


def test_a_close_of_a_closed_deal_restates_it_without_a_sojourn(story):
    story("deal.created d1", "2026-03-02 09:00", rep_id="ann", stage="New", amount=5)
    story("deal.won d1", "2026-03-02 10:00")
    story("deal.lost d1", "2026-03-03 10:00", rep_id="bob", stage="Offer", lost_reason="fraud")
    reps = judged(story).reps

    assert reps["ann"].windows["mtd"].won == 0
    assert reps["ann"].windows["mtd"].flow["default"]["New"].left == Left(won=1)
    assert reps["bob"].windows["mtd"].flow == {}
    assert reps["bob"].windows["mtd"].lost_by_stage == {"Offer": Counted(1, {"EUR": "5"})}


def test_a_repeat_with_other_content_stands_by_its_content_and_not_by_its_arrival(story):
    first = story("deal.won d1", "2026-03-02 09:00", event_id="x", rep_id="ann", amount=5)
    second = story("deal.won d1", "2026-03-02 09:00", event_id="x", rep_id="ann", amount=4)

    for events in ([first, second], [second, first]):
        assert report(SETTINGS, events, NOW).organisation.sales.mtd.won_amount == {"EUR": "4"}


def test_like_for_like_stops_at_the_same_elapsed_working_time(story):
    # until Wednesday 18 March 13:00, 12.5 working days of 8 h; February began on a Sunday, too
    story("deal.won d1", "2026-02-18 13:00:59", rep_id="ann", amount=1)
    story("deal.won d2", "2026-02-18 13:01", rep_id="ann", amount=2)
    story("deal.won d3", "2026-03-02 10:00", rep_id="ann", amount=3)
    sales = judged(story).reps["ann"].sales

    assert sales.prev_mtd.won_amount == {"EUR": "1"}
    assert sales.prev_month.won_amount == {"EUR": "3"}
    assert sales.growth == {"EUR": 2.0}
    assert sales.elapsed == 12.5 / 22


def test_a_decline_is_explained_without_a_residual(story):
    for number in range(4):
        story(f"deal.won b{number}", "2026-02-03 10:00", rep_id="ann", amount=100)
    for number in range(2):
        story(f"deal.won n{number}", "2026-03-03 10:00", rep_id="ann", amount=100)
        story(f"deal.lost l{number}", "2026-03-03 10:00", rep_id="ann", amount=100)
    change = judged(story).reps["ann"].sales.change

    assert change == {"EUR": Change(amount="-200", volume="0", win_rate="-200", deal_size="0", cause="win_rate")}


def test_quotas_are_met_by_share_and_pace(story):
    story(
        "rep.upserted ann", "2026-01-01 10:00", name="Ann", team="north", quotas={"2026-03": Quota(4_000_000, "EUR", 4)}
    )
    story("rep.upserted bob", "2026-01-01 10:00", team="north", quotas={"2026-03": Quota(1_000_000, "EUR")})
    story("rep.upserted cid", "2026-01-01 10:00", team="north", active=False, quotas={"2026-03": Quota(9, "EUR")})
    story("deal.won d1", "2026-03-03 10:00", rep_id="ann", amount=100)
    documents = judged(story)
    ann, north = documents.reps["ann"].sales, documents.teams["north"].sales

    assert (ann.quota, ann.quota_count, ann.attainment, ann.attainment_count) == (
        {"EUR": "400"},
        4,
        {"EUR": 0.25},
        0.25,
    )
    assert ann.pace == {"EUR": 0.25 / (12.5 / 22)}
    assert ann.projection == {"EUR": "176"}
    assert (north.quota, north.quota_count) == ({"EUR": "500"}, 4)


def test_leads_convert_by_word_or_by_a_won_deal_whichever_is_earlier(story):
    story("lead.created l1", "2026-03-02 09:00", rep_id="ann")
    story("lead.qualified l1", "2026-03-02 10:00")
    story("lead.accepted l1", "2026-03-03 10:00")
    story("lead.disqualified l1", "2026-03-04 10:00")
    story("lead.converted l2", "2026-03-06 10:00", rep_id="ann")
    story("deal.won d1", "2026-03-03 12:00", rep_id="bob", lead_id="l1")
    month = judged(story).reps["ann"].windows["mtd"]

    assert (month.leads.converted, month.leads.disqualified) == (2, 0)
    assert (month.leads.cohort_accepted, month.leads.cohort_converted) == (1, 1)
    assert month.lead_flow["accepted"].left == Left(won=1)
    assert month.lead_flow["accepted"].working.median_seconds == 2 * HOUR
    assert month.lead_flow["new"].left == Left(forward=1, won=1)


def test_a_disqualification_stands_until_something_better_is_said(story):
    story("lead.created l1", "2026-03-02 09:00", rep_id="ann")
    story("lead.disqualified l1", "2026-03-04 10:00")
    story("lead.created l2", "2026-03-02 09:00", rep_id="ann")
    story("lead.disqualified l2", "2026-03-04 10:00")
    story("lead.accepted l2", "2026-03-05 10:00")
    ann = judged(story).reps["ann"]

    assert ann.windows["mtd"].leads.disqualified == 1
    assert {state: now.open for state, now in ann.funnel.leads.stages.items()} == {
        "new": 0,
        "qualified": 0,
        "accepted": 1,
    }


def test_the_first_touch_is_the_earliest_since_creation(story):
    story("lead.created l1", "2026-03-02 09:00", rep_id="ann")
    story("call.completed c0", "2026-03-01 12:00", rep_id="bob", lead_id="l1")
    story("email.sent e1", "2026-03-03 10:00", rep_id="bob", lead_id="l1")
    story("call.completed c1", "2026-03-02 12:00", rep_id="bob", lead_id="l1")
    story("call.deleted c1", "2026-03-05 12:00")
    touched = judged(story).reps["ann"].windows["mtd"].first_touch

    assert (touched.count, touched.median_seconds) == (1, 9 * HOUR)


def test_outreach_counts_each_call_once_by_its_kind(story):
    for number, members in enumerate(
        (
            {"cold": True, "outcome": "connected", "talk_ms": 1_500},
            {"cold": True, "outcome": "voicemail_drop"},
            {"outcome": "voicemail_drop"},
            {"cold": True, "direction": "inbound", "outcome": "connected", "talk_ms": 500},
            {},
        )
    ):
        story(f"call.completed c{number}", "2026-03-18 10:00", rep_id="ann", **members)
    story("email.sent m1", "2026-03-18 10:00", rep_id="ann", cold=True)
    story("email.replied m2", "2026-03-18 10:00", rep_id="ann")
    ann = judged(story).reps["ann"]
    today = ann.windows["today"].outreach

    assert (today.call, today.voicemail_drop, today.email, today.total) == (1, 2, 1, 4)
    assert (today.outbound_calls, today.inbound_calls, today.connected_calls, today.connect_rate) == (4, 1, 1, 0.25)
    assert (today.talk_seconds, today.emails, today.replies) == (2.0, 1, 1)
    assert ann.outreach.windows["today"].expected == 1.0
    assert ann.outreach.windows["today"].attainment == 4.0
    assert (ann.outreach.recent_attainment, ann.outreach.needs_support) == (0.0, True)


def test_a_recording_has_the_rep_s_share_of_the_talking_if_it_was_told(story):
    for number, ratio in enumerate((0, 4_350, None)):
        url = f"https://gong.example/{number}"
        story(f"call.completed c{number}", "2026-03-18 10:00", rep_id="ann", recording_url=url, talk_ratio=ratio)

    assert [one.talk_ratio for one in judged(story).reps["ann"].coaching] == [0.0, 0.435, None]


def test_a_team_has_what_its_members_did_while_they_were_in_it(story):
    story("rep.upserted ann", "2026-03-01 10:00", team="north")
    story("rep.upserted ann", "2026-03-10 23:00", team="south")
    story("deal.created d1", "2026-02-02 09:00", rep_id="ann")
    story("deal.created d2", "2026-03-09 09:00", rep_id="ann")
    story("deal.created d3", "2026-03-10 09:00", rep_id="ann")
    story("deal.created d4", "2026-03-10 09:00")
    documents = judged(story)

    assert documents.teams["north"].windows["90d"].created == 2
    assert documents.teams["south"].windows["90d"].created == 1
    assert documents.organisation.windows["90d"].created == 4
    assert {name: team.funnel.open_deals for name, team in documents.teams.items()} == {"north": 0, "south": 3}


def test_a_removed_rep_is_not_listed_and_still_counts(story):
    story("rep.upserted ann", "2026-03-01 10:00", team="north")
    story("rep.removed ann", "2026-03-12 10:00")
    story("deal.created d1", "2026-03-09 09:00", rep_id="ann")
    documents = judged(story)

    assert documents.reps == {}
    assert documents.teams["north"].windows["mtd"].created == 1


def test_the_bottleneck_is_the_stage_whose_median_is_longest_for_what_is_expected(story):
    for number in range(3):
        story(f"deal.created d{number}", "2026-03-09 09:00", rep_id="ann", stage="New")
        story(f"deal.stage_changed d{number}", "2026-03-09 11:00", stage="Offer")
    for number in range(3, 6):
        story(f"deal.created d{number}", "2026-03-09 09:00", rep_id="ann", stage="New")
    pipeline = judged(story).reps["ann"].funnel.pipelines["default"]

    assert pipeline.bottleneck.stage == "New"
    assert pipeline.bottleneck.sojourns == 6
    assert pipeline.bottleneck.median_seconds == pytest.approx(2 * HOUR, rel=0.01)
    assert (pipeline.stages["New"].overdue, pipeline.stages["Offer"].overdue) == (3, 3)


def test_nobody_is_idle_without_an_open_deal(story):
    story("deal.created d1", "2026-03-17 09:00", rep_id="ann", stage="New")
    story("deal.stage_changed d1", "2026-03-18 10:00", stage="Offer")
    story("deal.won d2", "2026-03-17 10:00", rep_id="bob")
    story("deal.created d3", "2026-03-13 16:00", rep_id="cid")
    reps = judged(story).reps

    assert {name: rep.funnel.idle_seconds / HOUR for name, rep in reps.items()} == {"ann": 3, "bob": 0, "cid": 21}
    assert {name: rep.funnel.last_advance for name, rep in reps.items()} == {
        "ann": "2026-03-18T10:00:00+00:00",
        "bob": "2026-03-17T10:00:00+00:00",
        "cid": None,
    }


def test_the_leaking_half_is_the_one_further_behind_the_team(story):
    story("rep.upserted ann", "2026-01-01 10:00", team="north", benchmarks=Benchmarks(conversion_rate=0.9))
    story("rep.upserted bob", "2026-01-01 10:00", team="north")
    for number in range(4):
        story(f"lead.qualified a{number}", "2026-03-09 09:00", rep_id="ann")
        story(f"lead.qualified b{number}", "2026-03-09 09:00", rep_id="bob")
        story(f"lead.accepted b{number}", "2026-03-10 09:00")
        story(f"lead.converted b{number}", "2026-03-11 09:00")
    story("lead.accepted a0", "2026-03-10 09:00")
    story("lead.converted a0", "2026-03-11 09:00")
    leak = judged(story).reps["ann"].conversion["mtd"]

    assert (leak.period, leak.expected, leak.half) == (0.25, 0.9, "acceptance")


def test_rates_convert_the_sum_of_each_day_at_the_rate_of_that_day(story):
    rates = (Rate("2026-01-01", "USD", "0.5"), Rate("2026-03-03", "USD", "0.8"))
    story("deal.won d1", "2026-03-02 10:00", rep_id="ann", amount=0.0001, currency="USD")
    story("deal.won d2", "2026-03-02 10:00", rep_id="ann", amount=0.0002, currency="USD")
    story("deal.won d3", "2026-03-03 10:00", rep_id="ann", amount=10, currency="USD")
    story("deal.won d4", "2026-03-03 10:00", rep_id="ann", amount=1, currency="GBP")
    settings = Settings(pipelines=SETTINGS.pipelines, rates=rates)

    assert judged(story, settings).organisation.sales.mtd.won_amount == {"EUR": "8.0002", "GBP": "1"}


def test_months_are_those_of_the_organisations_calendar():
    story = Story("Asia/Tehran")
    calendar = CalendarSettings(zone="Asia/Tehran", system="jalali", week_start="saturday")
    story("deal.created d1", "2026-03-20 23:59", rep_id="ann")  # 29 Esfand 1404
    story("deal.created d2", "2026-03-21 00:00", rep_id="ann")  # 1 Farvardin 1405
    document = report(Settings(calendar=calendar), story.events, instant("2026-03-21 12:00", "Asia/Tehran")).reps["ann"]

    assert {label: month.created for label, month in document.months.items()} == {"1404-12": 1, "1405-01": 1}
    assert (document.sales.month, document.windows["mtd"].created) == ("1405-01", 1)


def test_recordings_on_lost_deals_come_first(story):
    story("deal.lost d1", "2026-03-02 10:00", rep_id="bob")
    story("call.completed c1", "2026-03-05 10:00", rep_id="ann", deal_id="d1", recording_url="u1", outcome="connected")
    story("call.recorded c2", "2026-03-10 10:00", rep_id="ann", recording_url="u2")
    story("call.completed c3", "2026-02-10 10:00", rep_id="ann", recording_url="u3")
    recordings = judged(story).reps["ann"].coaching

    assert [(each.call_id, each.deal_lost) for each in recordings] == [("c1", True), ("c2", False)]
