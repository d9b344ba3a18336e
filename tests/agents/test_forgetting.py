"""The sweep over old rows goes on at once where it finds much, and takes its time where it finds little."""

from __future__ import annotations

from funnelwatch.agents.engine.forgetting import IDLE_SECONDS, Sweep


def went(sweep: Sweep, rows: int, found: int, *, at_end: bool = False) -> float:
    """How long after a step the next one is due."""
    sweep.after = None if at_end else b"key"
    sweep.went(rows, found, 1_000.0)
    return sweep.due - 1_000.0


def test_where_nothing_is_old_the_sweep_rests():
    sweep = Sweep()

    assert [went(sweep, 200, 0) for _ in range(3)] == [IDLE_SECONDS] * 3


def test_where_a_hundredth_is_old_the_sweep_goes_on_also_over_stretches_without():
    sweep = Sweep()

    assert went(sweep, 200, 150) == 0
    assert [went(sweep, 200, 0) for _ in range(70)] == [0] * 70
    assert went(sweep, 1_000, 0) == IDLE_SECONDS


def test_a_new_sweep_begins_at_the_pace_of_the_last_one_and_forgets_it_by_and_by():
    sweep = Sweep()
    assert went(sweep, 1_000, 500, at_end=True) == 0

    paces = [went(sweep, 1_000, 0, at_end=True) for _ in range(12)]

    assert paces[0] == 0
    assert paces[-1] == IDLE_SECONDS
