from hypothesis import given
from hypothesis import strategies as st

from funnelwatch.schemas.settings import CalendarSettings
from funnelwatch.streams.ages import Ages
from funnelwatch.streams.calendar import DAY_US, Calendar

CALENDAR = Calendar(CalendarSettings(zone="Europe/Berlin"))
NOW = 1_795_000_000_000_000

instants = st.integers(NOW - 900 * DAY_US, NOW + 5 * DAY_US)


@given(st.lists(st.tuples(instants, st.lists(instants, max_size=5)), min_size=1, max_size=4))
def test_ages_are_working_time_whenever_they_are_asked_for(questions):
    ages = Ages(CALENDAR)

    for now, since in questions:
        assert ages.working_us(since, now) == [CALENDAR.working_us(at, now) for at in since]
