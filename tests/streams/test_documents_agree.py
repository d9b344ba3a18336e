"""Documents from merged cells are those of the batch oracle, whatever the events, their order and their chunks."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.disorder import chunked, shuffled
from support.incremental import Workers, differences
from support.organisation import SETTINGS
from support.strategies import START_US, histories

from funnelwatch.schemas.codec import UNLIMITED, decode
from funnelwatch.schemas.settings import BenchmarkSettings, LeadSettings, Rate, RepOverride
from funnelwatch.streams.calendar import DAY_US
from funnelwatch.streams.oracle import report
from funnelwatch.streams.simulator import DEMO_CALENDAR, TEHRAN_CALENDAR, Floor, demo_settings

HARSH = msgspec.structs.replace(
    SETTINGS,
    benchmarks=BenchmarkSettings(outreach_per_day=0.2, conversion_rate=0.9),
    leads=LeadSettings(new_hours=1.0, qualified_hours=0.0),
    reps={"bob": RepOverride(hours=("22:00-24:00",), working_days=("sunday", "monday"))},
    retention_days=40,
)
RATES = (Rate("2026-10-20", "IRR", "0.333333"), Rate("2026-10-28", "IRR", "7"))


def everything(workers, now):
    """All documents there are."""
    documents = workers.documents
    found = [documents.organisation(now), *(documents.team(team, now) for team in documents.teams(now))]
    return found + [documents.rep(row.id, now) for row in documents.reps(now)]


def disagreement(workers, events, now):
    """All differences between the workers' documents and the oracle's."""
    workers.publish(now)
    expected, documents = report(workers.settings, events, now), workers.documents
    found = differences(documents.organisation(now), expected.organisation, "organisation")
    for rep in expected.reps:
        found += differences(documents.rep(rep, now), expected.reps[rep], rep)
    for team in expected.teams:
        found += differences(documents.team(team, now), expected.teams[team], team)
    assert sorted(expected.reps) == [row.id for row in documents.reps(now)]
    assert sorted(expected.teams) == documents.teams(now)
    return found


@pytest.mark.parametrize("rates", [(), RATES])
@settings(max_examples=60, deadline=None)
@given(events=histories(max_size=40), data=st.data())
def test_arbitrary_events_give_the_oracles_documents(rates, events, data):
    workers = Workers(msgspec.structs.replace(HARSH, rates=rates))
    now = START_US + data.draw(st.integers(0, 45 * DAY_US))
    cut = data.draw(st.integers(0, len(events)))
    workers.take(events[:cut])
    workers.publish(START_US)
    everything(workers, START_US + data.draw(st.integers(0, 3 * DAY_US)))  # what is kept from here must not show later
    workers.take(events[cut:])

    assert disagreement(workers, events, now) == []


@pytest.mark.parametrize("calendar", [DEMO_CALENDAR, TEHRAN_CALENDAR])
def test_a_shuffled_month_of_a_sales_floor_gives_the_oracles_documents(calendar):
    now = START_US + 30 * DAY_US + 8 * 3_600_000_000
    organisation = demo_settings(calendar)
    _, published = Floor.with_history(11, now, organisation, days=35, reps=2)
    events = [event for message in published for event in decode(message.kind, message.value, [], UNLIMITED)]
    workers = Workers(organisation, partitions=3)
    for chunk in chunked(shuffled(events, 1), 1):
        workers.take(chunk)
        workers.publish(now)

    assert disagreement(workers, events, now) == []
