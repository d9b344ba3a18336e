"""How long changed cells wait for others before Redis is told."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from support.organisation import CONTEXT, SETTINGS

from funnelwatch.agents.engine.judging import Judge
from funnelwatch.agents.engine.publisher import (
    BEHIND_SECONDS,
    COALESCE_HEAVY_SECONDS,
    COALESCE_LIGHT_SECONDS,
    coalesce_seconds,
)
from funnelwatch.agents.engine.shards import Shards
from funnelwatch.streams.folds import FOLDS

AT = 1_793_000_000_000_000
BEHIND = st.floats(-1.0, 1e6)


@given(BEHIND, BEHIND)
def test_the_later_events_are_folded_the_longer_the_next_round_waits_within_bounds(some, more):
    short, long = coalesce_seconds(min(some, more)), coalesce_seconds(max(some, more))

    assert COALESCE_LIGHT_SECONDS <= short <= long <= COALESCE_HEAVY_SECONDS


def test_what_is_folded_as_it_comes_waits_for_a_moment_and_a_backlog_for_the_longest():
    assert coalesce_seconds(0.1) == COALESCE_LIGHT_SECONDS
    assert coalesce_seconds(BEHIND_SECONDS) == COALESCE_HEAVY_SECONDS


def test_a_round_that_was_late_is_not_late_again_for_having_had_more_to_send():
    """At any wait that a round can have had, events folded as they came leave the next one shorter."""
    for hundredths in range(1, 26):
        waited = hundredths / 100
        assert coalesce_seconds(waited) < waited


def test_how_late_events_were_folded_is_told_once():
    shards = Shards(SETTINGS, CONTEXT, FOLDS, Judge(SETTINGS), lambda: AT, is_compiled=False)

    assert shards.take_behind_seconds() == 0.0

    shards.folded(AT - 300_000, AT)
    shards.folded(AT - 2_000_000, AT)
    shards.folded(AT, AT)

    assert shards.changed.is_set()
    assert shards.take_behind_seconds() == 2.0
    assert shards.take_behind_seconds() == 0.0
