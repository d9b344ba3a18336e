"""What the calibration counts is what it says it counts."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from funnelwatch.schemas.codec import Limits, decode
from funnelwatch.schemas.settings import CalendarSettings, DetectorSettings
from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.calibration.curve import WITHIN_HOURS, Point, curve, pages, within_budget
from funnelwatch.streams.calibration.history import Decision, Growing, Person
from funnelwatch.streams.calibration.measure import measure, together
from funnelwatch.streams.calibration.null import Habits, floor
from funnelwatch.streams.calibration.own import TooShortError, own
from funnelwatch.streams.calibration.plot import as_svg
from funnelwatch.streams.calibration.rules import rules
from funnelwatch.streams.calibration.shape import fitted
from funnelwatch.streams.calibration.trouble import losing, stalled
from funnelwatch.streams.calibration.walk import HOUR_US, Seen, Walk
from funnelwatch.streams.simulator import Floor

CALENDAR = Calendar(CalendarSettings())
BEGIN = 1_767_571_200_000_000
SMALL = Habits(reps=20, team_size=5)


@pytest.fixture(scope="module")
def history():
    return floor(Random(1), CALENDAR, BEGIN, 7, SMALL)


def point(threshold: float, false_a_week: float) -> Point:
    return Point("r", "loss", threshold, 0, false_a_week, (0.0,) * len(WITHIN_HOURS), None)


def test_a_page_needs_the_alert_to_have_ended_before():
    assert pages([5, 4.5, 5, 3, 5], 4, 2) == 1
    assert pages([5, 1.9, 5], 4, 2) == 2
    assert pages([4.0, 4.0], 4, 2) == 0
    assert pages([0.9, 0.8, 0.9], 0.8, 0.8) == 2


@given(st.lists(st.floats(0, 10)), st.floats(2, 9))
def test_pages_are_at_most_the_times_a_threshold_is_crossed(values, threshold):
    crossed = sum(now > threshold for now in values)

    assert (pages(values, threshold, 2.0) > 0) == (crossed > 0)
    assert pages(values, threshold, 2.0) <= crossed


def test_the_budget_picks_the_lowest_threshold_from_which_on_all_are_within_it():
    found = within_budget([point(3, 1.0), point(3.5, 3.0), point(4, 2.0), point(5, 0.1)], 2.0)

    assert found is not None
    assert found.threshold == 4
    assert within_budget([point(3, 9.0), point(4, 5.0)], 2.0) is None


def test_the_same_seed_is_the_same_floor_and_another_another():
    first, same, other = (floor(Random(seed), CALENDAR, BEGIN, 3, SMALL) for seed in (5, 5, 6))

    assert first == same
    assert first != other


def test_days_grow_to_what_the_detectors_read():
    day = CALENDAR.day(BEGIN)
    morning, evening = CALENDAR.day_start(day) + 10 * HOUR_US, CALENDAR.day_start(day) + 15 * HOUR_US
    person = Person(
        "r",
        "t",
        [Decision(morning, is_lost=True, pipeline="p"), Decision(evening, is_lost=False, pipeline="p")],
        [morning, evening],
        {day},
    )
    growing = Growing(person, CALENDAR)

    assert growing.grow(evening)
    assert (growing.days[day].lost, growing.days[day].won, growing.days[day].advances) == ({"p": 1}, {}, 1)
    assert growing.last_advance == morning
    assert growing.grow(evening + 1)
    assert not growing.grow(evening + 2)
    assert (growing.days[day].won, growing.days[day].advances) == ({"p": 1}, 2)


def test_planted_trouble_begins_when_it_says_and_leaves_what_was_before():
    person = floor(Random(2), CALENDAR, BEGIN, 7, SMALL).people[0]
    lost = losing(Random(3), person, BEGIN, 1.0)
    still = stalled(person, BEGIN)
    before = [one for one in person.decisions if one.at < BEGIN]

    assert lost.decisions[: len(before)] == still.decisions[: len(before)] == before
    assert all(one.is_lost for one in lost.decisions[len(before) :])
    assert len(lost.decisions) == len(person.decisions)
    assert still.advances == [at for at in person.advances if at < BEGIN]
    assert all(one.is_lost for one in still.decisions[len(before) :])


def test_judging_again_with_nothing_planted_sees_what_was_seen(history):
    walk = Walk(history, CALENDAR, 4.0)
    person = history.people[3]
    whole = [seen for seen in walk.everybody() if seen.rep == person.rep]
    copy = Person(person.rep, person.team, list(person.decisions), list(person.advances), set(person.active))
    again = list(walk.again({person.rep: copy}, BEGIN, 1_000))

    assert again == whole
    assert max(seen.stall for seen in whole) > 0


def test_a_curve_counts_false_pages_for_500_reps_and_a_week_and_waits_in_hours():
    rule = rules(4.0, 4.0)[0]
    quiet = {"a": [seen(5.0), seen(1.0), seen(5.0)], "b": [seen(0.0)] * 3}
    planted = {"a": [seen(0.0)] * 9 + [seen(4.1)], "b": [seen(3.0)] * 10}
    (found,) = [one for one in curve(rule, quiet, planted, 14.0) if one.threshold == 4.0]

    assert (found.false_pages, found.false_a_week) == (2, 2 * 500 / 2 / 2)
    assert found.found == (0.0, 0.5, 0.5, 0.5, 0.5)
    assert found.hours == 10


def seen(loss: float) -> Seen:
    return Seen("a", 0, loss, 0.0, 0, 0, 0)


def test_a_whole_measurement_finds_more_trouble_than_it_pages_falsely(history):
    measured = measure(Random(1), history, CALENDAR, DetectorSettings(), lambda what, share: None)
    stall = {one.threshold: one for one in measured.of("funnel stalled: evidence")}

    assert measured.reps == 20
    assert stall[4.0].found == tuple(sorted(stall[4.0].found))
    assert stall[3.0].found >= stall[4.0].found
    assert stall[3.0].false_a_week >= stall[4.0].false_a_week
    twice = together([measured, measured])
    assert [one.false_a_week for one in twice.points] == [one.false_a_week for one in measured.points]
    assert twice.planted == 2 * measured.planted


@pytest.mark.parametrize(("shape", "low", "high"), [(2.0, 1.4, 3.0), (8.0, 5.0, 15.0)])
def test_the_shape_that_made_the_days_is_found_again(shape, low, high):
    habits = replace(Habits(reps=80), day_shape=shape, week_spread=0.0)
    people = floor(Random(4), CALENDAR, BEGIN, 7, habits).people
    found = fitted(people, CALENDAR)

    assert found is not None
    assert low < found < high
    assert fitted([], CALENDAR) is None


def test_an_organisations_own_past_is_read_as_its_folds_say():
    simulated, published = Floor.with_history(3, BEGIN, reps=4, days=120)
    events = [event for kind, _, value, _ in published for event in decode(kind, value, (), Limits())]
    calendar = Calendar(simulated.settings.calendar)
    found = own(events, simulated.settings, calendar)

    assert {person.rep for person in found.people} == {rep.id for rep in simulated.reps}
    assert {person.team for person in found.people} == {rep.team for rep in simulated.reps}
    assert all(len(person.decisions) > 100 and len(person.advances) > 200 for person in found.people)
    assert found.begin < found.end < BEGIN
    with pytest.raises(TooShortError, match="60 working days"):
        own(events[:50], simulated.settings, calendar)


def test_the_picture_has_every_rule_and_the_budget():
    svg = as_svg([replace(point(4, 1.0), rule="<a>"), replace(point(5, 0.0), rule="b")], 80, 2.0, "title & more")

    assert "&lt;a&gt;" in svg
    assert "budget 2" in svg
    assert "title &amp; more" in svg
