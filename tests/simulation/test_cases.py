"""Histories on which the two paths once differed, or which random ones meet too rarely."""

from __future__ import annotations

from random import Random

import pytest
from msgspec.structs import replace
from support.compare import difference
from support.floor import Floor
from support.generator import CALENDARS, DAY_US
from support.story import Story, instant

from funnelwatch.schemas.events import Kind
from funnelwatch.schemas.settings import Rate, Settings
from funnelwatch.streams.oracle import report

NOW = instant("2026-11-23 15:00")


@pytest.fixture
def story():
    return Story()


def agreed(story, now=NOW, **settings):
    """The report on which both paths agree."""
    floor = Floor(Settings(**settings), now, 2, Random(0))
    floor.publish(story.events)
    floor.settle(0.0)
    expected = report(floor.settings, story.events, now)

    assert difference(expected, floor.report()) is None
    return expected


def test_of_two_teams_set_at_one_instant_the_earlier_in_the_order_is_the_first_one_set(story):
    story("deal.created d1", "2026-11-02 09:00", rep_id="ann")
    story("rep.upserted ann", "2026-11-03 09:00", event_id="a", team="north")
    story("rep.upserted ann", "2026-11-03 09:00", event_id="b", team="south")
    teams = agreed(story).teams

    assert (teams["north"].windows["mtd"].created, teams["south"].windows["mtd"].created) == (1, 0)


@pytest.mark.parametrize("days", [799, 800])
def test_who_did_something_only_on_a_day_that_is_not_kept_is_not_listed(days, story):
    event = story("email.sent m1", "2026-11-23 15:00", rep_id="ann")
    story.events = [replace(event, at=event.at - days * DAY_US)]

    assert ("ann" in agreed(story).reps) == (days < 800)


def test_what_is_rounded_is_the_sum_of_the_day_and_not_each_deal(story):
    for number in range(4):
        pipeline = ("default", "partner")[number % 2]
        story(f"deal.won d{number}", "2026-11-03 09:00", rep_id="ann", pipeline=pipeline, amount=0.0001, currency="USD")
    documents = agreed(story, rates=(Rate("2026-01-01", "USD", "0.4"),))

    assert documents.organisation.sales.mtd.won_amount == {"EUR": "0.0002"}


@pytest.mark.parametrize("calendar", CALENDARS, ids=lambda calendar: f"{calendar.zone} {calendar.hours[0]}")
def test_an_organisation_in_which_nothing_happened_has_a_document(calendar, story):
    assert agreed(story, calendar=calendar).organisation.months == {}


def test_a_team_is_listed_as_long_as_it_has_figures_though_nobody_is_in_it_any_more(story):
    story("rep.upserted ann", "2026-10-01 09:00", team="north")
    story("deal.created d1", "2026-10-02 09:00", rep_id="ann")
    story("rep.upserted ann", "2026-10-03 09:00", team="")
    documents = agreed(story)

    assert list(documents.teams) == ["north"]
    assert documents.reps["ann"].team is None


def test_a_win_taken_back_from_a_lead_unconverts_it(story):
    story("lead.qualified l1", "2026-11-02 09:00", rep_id="ann")
    story("lead.qualified l2", "2026-11-02 09:00", rep_id="ann")
    story("deal.won d1", "2026-11-03 09:00", rep_id="ann", lead_id="l1")
    story("deal.updated d1", "2026-11-04 09:00", lead_id="l2")
    leads = agreed(story).reps["ann"].windows["mtd"].leads

    assert (leads.converted, leads.cohort_converted) == (1, 1)


def test_a_link_that_died_with_its_worker_is_told_by_the_next_one_on_an_empty_disk(story):
    story("lead.qualified l1", "2026-11-02 09:00", rep_id="ann")
    story("deal.won d1", "2026-11-03 09:00", rep_id="ann", lead_id="l1")
    floor = Floor(Settings(), NOW, 1, Random(0))
    floor.publish(story.events)
    deals = floor.partitions[Kind.DEAL, 0]
    written, links = deals._fold(0, 0, 1)
    deals.changelog.update(written)
    deals.resume("empty disk", Random(0))
    floor.settle(0.0)

    assert len(links) == 1
    assert difference(report(Settings(), story.events, NOW), floor.report()) is None
