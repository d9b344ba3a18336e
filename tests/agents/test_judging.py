"""The setting ``clock`` decides what is too old or too far ahead, and by which instant figures age."""

from __future__ import annotations

import msgspec
import pytest

from funnelwatch.agents.engine.judging import DAY_US, Judge
from funnelwatch.schemas.codec import Limits
from funnelwatch.schemas.reasons import RefusedError
from funnelwatch.schemas.settings import Settings

NOW = 1_790_000_000_000_000
FIXED = 1_767_225_600_000_000
"""2026-01-01T00:00:00Z."""


def judge(clock: str) -> Judge:
    return Judge(msgspec.structs.replace(Settings(), clock=clock, retention_days=10))


@pytest.mark.parametrize(
    ("clock", "limits"),
    [
        ("system", Limits(future_us_max=NOW + DAY_US, past_us_min=NOW - 10 * DAY_US)),
        ("event", Limits(future_us_max=NOW + DAY_US, past_us_min=None)),
        ("2026-01-01T00:00:00Z", Limits(future_us_max=FIXED + DAY_US, past_us_min=FIXED - 10 * DAY_US)),
    ],
)
def test_what_is_taken_depends_on_the_clock(clock, limits):
    assert judge(clock).limits(NOW) == limits


@pytest.mark.parametrize(
    ("clock", "now", "forget_before"),
    [
        ("system", NOW, NOW - 10 * DAY_US),
        ("event", 7, 7 - 10 * DAY_US),
        ("2026-01-01T00:00:00Z", FIXED, FIXED - 10 * DAY_US),
    ],
)
def test_cells_age_by_the_clock_that_figures_are_judged_by(clock, now, forget_before):
    """An event may be a day ahead of a fixed clock; what lies a day before that clock is still shown."""
    assert judge(clock).shard_now(NOW, 7) == now
    assert judge(clock).forget_before(NOW, 7) == forget_before


def test_without_an_event_nobody_can_say_how_late_it_is():
    assert judge("event").shard_now(NOW, None) is None
    assert judge("event").forget_before(NOW, None) is None


def test_a_clock_that_is_no_instant_is_refused():
    with pytest.raises(RefusedError, match="clock is no RFC 3339 instant"):
        judge("yesterday")
