"""A shard is up to date as of the last instant at which nothing that Kafka had was missing."""

from __future__ import annotations

import pytest

from funnelwatch.agents.engine.progress import (
    BACKLOG_EVENTS,
    BACKLOG_QUIET_US,
    BACKLOG_US,
    SAMPLES_MAX,
    Position,
    Progress,
)

DEALS, LINKS = ("crm.deals", 0), ("links", 0)
SECOND = 1_000_000


@pytest.fixture
def positions():
    return {}


@pytest.fixture
def progress(positions):
    return Progress(lambda: positions)


def test_before_the_broker_answered_nobody_can_say(progress, positions):
    positions[DEALS] = Position(None, 0, None)
    progress.sample(SECOND)

    assert progress.current_us(DEALS) == 0


def test_an_empty_partition_is_up_to_date(progress, positions):
    positions[DEALS] = Position(0, 0, 0)
    progress.sample(SECOND)

    assert progress.current_us(DEALS) == SECOND


def test_under_steady_load_it_is_up_to_date_as_of_the_end_that_is_folded(progress, positions):
    """The end is never reached, and yet all that was there two seconds ago is in."""
    for second in range(1, 6):
        positions[DEALS] = Position(second * 1_000, (second - 2) * 1_000, None)
        progress.sample(second * SECOND)

    assert progress.current_us(DEALS) == 3 * SECOND


def test_a_backlog_is_not_up_to_date_until_it_is_read(progress, positions):
    for second in range(1, 1_000):
        positions[DEALS] = Position(1_000_000, second * 1_000, None)
        progress.sample(second * SECOND)
        assert progress.current_us(DEALS) == 0
    positions[DEALS] = Position(1_000_000, 1_000_000, None)
    progress.sample(1_000 * SECOND)

    assert progress.current_us(DEALS) == 1_000 * SECOND
    assert len(progress._ends[DEALS]) <= SAMPLES_MAX


def test_an_offset_that_is_no_record_holds_nothing_up(progress, positions):
    """A transaction's marker at the end: it is never folded, and there is nothing to wait for."""
    positions[DEALS] = Position(11, 10, 11)
    progress.sample(SECOND)
    assert progress.current_us(DEALS) == 0

    progress.sample(2 * SECOND)

    assert progress.current_us(DEALS) == 2 * SECOND


def test_history_that_is_told_is_a_backlog_although_it_is_read_at_once(progress, positions):
    positions[DEALS] = Position(0, 0, 0)
    progress.sample(SECOND)
    positions[DEALS] = Position(500, 500, 500)
    now = 10 * BACKLOG_US
    progress.folded(DEALS, BACKLOG_EVENTS, now - BACKLOG_US - 1, now, now)
    progress.sample(now)
    assert progress.current_us(DEALS) == SECOND

    progress.sample(now + BACKLOG_QUIET_US)

    assert progress.current_us(DEALS) == now + BACKLOG_QUIET_US


@pytest.mark.parametrize(("events", "age_us"), [(BACKLOG_EVENTS - 1, 2 * BACKLOG_US), (BACKLOG_EVENTS, BACKLOG_US)])
def test_a_few_late_events_are_no_history(progress, positions, events, age_us):
    positions[DEALS] = Position(500, 500, 500)
    now = 10 * BACKLOG_US
    progress.folded(DEALS, events, now - age_us, now, now)
    progress.sample(now)

    assert progress.current_us(DEALS) == now


def test_of_several_partitions_the_last_one_counts_and_a_lost_one_is_forgotten(progress, positions):
    positions |= {DEALS: Position(5, 5, 5), LINKS: Position(9, 9, 9)}
    progress.sample(SECOND)
    positions[LINKS] = Position(20, 9, None)
    progress.sample(2 * SECOND)
    assert progress.current_us(DEALS, LINKS) == SECOND

    del positions[LINKS]
    progress.sample(3 * SECOND)

    assert progress.current_us(DEALS, LINKS) == 0
    assert progress.current_us(DEALS) == 3 * SECOND
