from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from funnelwatch.schemas.settings import CalendarSettings
from funnelwatch.streams import ages as module
from funnelwatch.streams.ages import Ages
from funnelwatch.streams.calendar import DAY_US, Calendar
from funnelwatch.streams.sketch import bin_of

CALENDAR = Calendar(CalendarSettings(zone="Europe/Berlin"))
NOW = 1_795_000_000_000_000

instants = st.integers(NOW - 900 * DAY_US, NOW + 5 * DAY_US) | st.integers(NOW - 3_000, NOW + 3_000)


@pytest.fixture(autouse=True, params=[0, 100])
def _few(monkeypatch, request):
    """Each is looked at, or where the bins end is looked for."""
    monkeypatch.setattr(module, "FEW", request.param)


questions = st.lists(st.tuples(instants, st.lists(instants, max_size=8).map(sorted)), min_size=1, max_size=4)


@given(questions)
def test_ages_by_bin_are_those_of_each_instant_whenever_they_are_asked_for(questions):
    ages = Ages(CALENDAR)

    for now, since in questions:
        assert ages.bins(since, now) == Counter(bin_of(CALENDAR.working_us(at, now)) for at in since)


@given(questions, st.floats(0, 700 * 86_400) | st.sampled_from([0.0, 0.001, 3_600.0, 8 * 3_600.0, 40 * 3_600.0]))
def test_those_that_are_there_for_longer_are_counted_as_if_each_were_looked_at(questions, seconds):
    ages = Ages(CALENDAR)

    for now, since in questions:
        assert ages.longer(since, now, seconds) == sum(CALENDAR.working_us(at, now) / 1e6 > seconds for at in since)


def test_an_age_that_is_exactly_what_is_expected_is_not_longer():
    at = CALENDAR.working_before(NOW, 3_600_000_000)

    assert Ages(CALENDAR).longer([at], NOW, 3_600.0) == 0
    assert Ages(CALENDAR).longer([at - 1], NOW, 3_600.0) == CALENDAR.working_us(at - 1, NOW) - 3_600_000_000


@given(instants, st.integers(1, 300 * 8 * 3_600_000_000))
def test_the_last_instant_before_so_much_working_time_has_it_and_the_next_has_less(now, worked):
    at = CALENDAR.working_before(now, worked)

    assert CALENDAR.working_us(at, now) >= worked > CALENDAR.working_us(at + 1, now)
