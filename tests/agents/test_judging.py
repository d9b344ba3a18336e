"""Which instant is now, as a worker takes it."""

from __future__ import annotations

import pytest
from support.story import instant

from funnelwatch.agents.engine.judging import DAY_US, Judge
from funnelwatch.schemas.settings import Settings

SYSTEM = instant("2026-11-23 15:00")
FIXED = instant("2026-03-01 12:00")
NEWEST = FIXED + DAY_US


@pytest.mark.parametrize(
    ("clock", "expected"), [("system", SYSTEM), ("event", NEWEST), ("2026-03-01T12:00:00Z", FIXED)]
)
def test_cells_age_by_the_clock_that_figures_are_judged_by(clock, expected):
    """An event may be a day ahead of a fixed clock; what lies a day before that clock is still shown."""
    assert Judge(Settings(clock=clock)).shard_now(SYSTEM, NEWEST) == expected


def test_with_the_events_own_clock_nothing_is_too_old_and_what_is_ahead_of_the_system_is_refused():
    limits = Judge(Settings(clock="event")).limits(SYSTEM)

    assert (limits.past_us_min, limits.future_us_max) == (None, SYSTEM + DAY_US)
