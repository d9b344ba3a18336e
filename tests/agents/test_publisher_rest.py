"""How long changed cells wait for others before Redis is told."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from funnelwatch.agents.engine.publisher import (
    COALESCE_HEAVY_SECONDS,
    COALESCE_LIGHT_SECONDS,
    HEAVY_CELLS,
    coalesce_seconds,
)


@given(st.integers(0, 10**7), st.integers(0, 10**7))
def test_the_more_was_sent_the_longer_the_next_round_waits_within_bounds(some, more):
    short, long = coalesce_seconds(min(some, more)), coalesce_seconds(max(some, more))

    assert COALESCE_LIGHT_SECONDS <= short <= long <= COALESCE_HEAVY_SECONDS


def test_a_light_load_waits_for_a_moment_and_a_backlog_for_the_longest():
    assert coalesce_seconds(200) == COALESCE_LIGHT_SECONDS
    assert coalesce_seconds(HEAVY_CELLS) == COALESCE_HEAVY_SECONDS
