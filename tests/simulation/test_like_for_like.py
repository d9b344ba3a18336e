"""The like-for-like cutoff by look-up and by bisection of the working time are the same instant."""

from __future__ import annotations

from random import Random

import pytest
from support.generator import CALENDARS, DAY_US, MINUTE_US

from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.oracle.periods import Periods

YEAR_2026_US = 1_767_225_600_000_000


@pytest.mark.parametrize("number", range(len(CALENDARS)))
def test_both_cutoffs_are_the_same_in(number):
    calendar, random = Calendar(CALENDARS[number]), Random(number)
    for _ in range(60):
        month = calendar.month_start(calendar.day(YEAR_2026_US + random.randrange(700 * DAY_US)))
        start, end = calendar.day_start(month), calendar.day_start(calendar.next_month_start(month))
        before = calendar.day_start(calendar.month_start(month - 1))
        whole_previous_month = calendar.working_us(before, start)
        for now in (
            start,
            end - 1,
            random.randrange(start, end),
            calendar.day_start(calendar.day(random.randrange(start, end))) + 9 * 60 * MINUTE_US,
            *_around_the_end_of(whole_previous_month, start, end, calendar),
        ):
            assert Periods(calendar, now, 800).cutoff() == calendar.previous_cutoff(now), now


def _around_the_end_of(worked, start, end, calendar):
    """The instants at which this month has as much working time as the whole previous one, and its neighbours."""
    low, high = start, end
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if calendar.working_us(start, middle) >= worked else (middle + 1, high)
    return [now for now in (low - 1, low, low + 1) if start <= now < end]
