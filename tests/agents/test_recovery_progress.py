"""A recovery says how far it is, how fast, and how long it still takes."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from funnelwatch.agents.engine import recovery_progress as module
from funnelwatch.agents.engine.recovery_progress import RecoveryProgress, RecoveryWatch


def test_share_pace_and_rest_are_of_what_was_read():
    progress = RecoveryProgress(100.0)
    progress.read({("deal", 0): 600_000, ("deal", 1): 300_000, ("lead", 0): 100_000})
    progress.read({("deal", 0): 350_000, ("deal", 1): 300_000})

    assert progress.line(107.0) == (
        "35 % of 1,000,000 changelog records read, 50,000 a second, about 13 s left "
        "(with the figures that are derived then: deal 27 %, lead 100 %)"
    )
    assert progress.summary(120.5) == "1,000,000 changelog records in 20.5 s"


def test_a_partition_whose_changelog_is_known_later_counts_from_then_on():
    progress = RecoveryProgress(0.0)
    progress.read({("deal", 0): 100})
    progress.read({("deal", 0): 0, ("deal", 1): 100})

    assert progress.shares() == {"deal": 0.5}


def test_figures_that_are_not_derived_yet_keep_a_table_below_a_hundred():
    progress = RecoveryProgress(0.0)
    progress.read({("deal", 0): 1_000})
    progress.derived({("deal", 0): (0, 1_000)})
    progress.read({})
    assert progress.tables() == "deal 50 %"
    progress.derived({("deal", 0): (999, 1_000)})
    assert progress.tables() == "deal 99 %"
    progress.derived({("deal", 0): (1_010, 1_000)})  # RocksDB's number is an estimate

    assert progress.tables() == "deal 100 %"


def test_when_all_is_read_the_line_is_about_the_rows_that_figures_are_still_derived_from():
    progress = RecoveryProgress(0.0)
    progress.read({("deal", 0): 600, ("deal", 1): 400})
    progress.derived({("deal", 0): (0, 600), ("deal", 1): (0, 400)})
    progress.read({})

    assert progress.line(5.0) == (
        "all 1,000 changelog records read, figures are derived: 1,000 rows left, "
        "no telling how long it takes (deal 50 %)"
    )
    progress.derived({("deal", 1): (100, 400)})  # the other one is done, and told of no more

    assert progress.line(12.0) == (
        "all 1,000 changelog records read, figures are derived: 300 rows left, 100 a second, about 3 s left (deal 78 %)"
    )


def test_before_anything_is_read_nobody_can_say_how_long_it_takes():
    progress = RecoveryProgress(0.0)
    progress.read({("deal", 0): 10})

    assert "no telling how long it takes" in progress.line(5.0)


@given(st.lists(st.dictionaries(st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 2)), st.integers(0, 99))))
def test_a_share_is_never_below_nothing_nor_above_the_whole(looks):
    progress = RecoveryProgress(0.0)
    for remaining in looks:
        progress.read(remaining)

        assert all(0 <= share <= 1 for share in progress.shares().values())


async def test_a_long_recovery_is_told_while_it_runs_and_when_it_ends_and_a_short_one_is_not(monkeypatch, caplog):
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.001)
    monkeypatch.setattr(module, "SAY_SECONDS", 0.02)
    caplog.set_level(logging.INFO)
    remaining: list = [{("deal", 0): 50}]
    watch = RecoveryWatch(lambda: remaining[0], dict)
    task = asyncio.create_task(watch.run())
    await asyncio.sleep(0.01)
    remaining[0] = None
    await asyncio.sleep(0.02)
    assert caplog.text == ""

    remaining[0] = {("deal", 0): 50}
    await asyncio.sleep(0.1)
    remaining[0] = {("deal", 0): 25}
    assert watch.text() == "deal 50 %"
    await asyncio.sleep(0.1)
    remaining[0] = None
    await asyncio.sleep(0.05)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task

    assert "Recovering: 50 % of 50 changelog records read" in caplog.text
    assert caplog.text.count("Recovered: 50 changelog records") == 1
    assert watch.text() == ""
