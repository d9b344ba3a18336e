"""The steps of a table's life in orders that Hypothesis chooses, and shortens when one of them is wrong.

Delivery, fold, changelog, acknowledgement, commit, rebalance, recovery, crash, lost disk, pause, compaction: at any
time the owner's figures are those of its rows, and in the end the changelog alone has every event.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.changelog_world import Broker, SimulatedWorker

KEYS = [b"d%02d" % number for number in range(40)]
"""Many, so that few rows are written a second time: a later event of the same entity heals what was lost."""
WORKERS = 3
few = st.integers(0, 2)
arrivals = st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(list(b"abc"))), max_size=7)


class OneTable:
    """One partition; three workers, of which one owns it and one may be paused."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.disks = Path(tempfile.mkdtemp(prefix="table-orders-"))
        self.patch = patch("faust.stores.rocksdb.gc", SimpleNamespace(collect=lambda: 0))  # slow, and told by hand
        self.patch.start()
        self.broker = Broker()
        self.workers: list[SimulatedWorker] = []
        self.paused: SimulatedWorker | None = None

    def do(self, step):
        return self.loop.run_until_complete(step)

    def begin(self) -> None:
        async def build() -> list[SimulatedWorker]:
            return [SimulatedWorker(self.broker, self.disks / str(number)) for number in range(WORKERS)]

        self.workers = self.do(build())
        self.owner = self.workers[0]
        self.do(self.owner.take_over())

    def others(self) -> list[SimulatedWorker]:
        return [worker for worker in self.workers if worker is not self.paused]

    def call(self, step, *arguments, **named) -> None:
        async def called() -> None:
            step(*arguments, **named)

        self.do(called())

    # -- work

    def work(self, events, chunks, batches, commits) -> None:
        self.broker.source += events
        for _ in range(chunks):
            self.do(self.owner.fold())
        self.do(self.owner.deliver(batches))
        if commits:
            self.do(self.owner.commit())

    # -- faults

    def crash(self, arrived, wiped, heir) -> None:
        """Most often a supervisor starts it again; what it had sent arrives in part."""
        self.call(self.owner.crash, arrived=arrived, wiped=wiped and heir > 0)
        if heir > 1:
            self.owner = next(worker for worker in self.others() if worker is not self.owner)
        self.do(self.owner.take_over())

    def crash_in_recovery(self, arrived, recovered) -> None:
        self.call(self.owner.crash, arrived=arrived)
        self.do(self.owner.take_over(records_max=recovered))
        self.call(self.owner.crash)
        self.do(self.owner.take_over())

    def pause(self, heir) -> None:
        if self.paused is not None:
            return
        self.paused = self.owner
        self.owner = self.others()[heir % len(self.others())]
        self.do(self.owner.take_over())

    def the_paused_one_goes_on(self, batches) -> None:
        if self.paused is None:
            return
        self.do(self.paused.fold())
        self.do(self.paused.commit())
        self.do(self.paused.deliver(batches))

    def the_paused_one_learns_of_it(self, back) -> None:
        if self.paused is None:
            return
        awake, self.paused = self.paused, None
        self.do(awake.settle())
        if back:
            self.owner.is_open = False
            self.owner.table._open_partitions.clear()
            self.owner = awake
            self.do(awake.take_over())
        else:
            self.call(awake.crash)

    def compact(self) -> None:
        """Not while a stranger's records may be unknown to the owner: that is what the compaction lag is for."""
        if self.paused is not None:
            return
        self.do(self.owner.settle())
        opening = self.owner.table._open_partitions.get(0)
        if opening is not None and opening.through == self.broker.end - 1:
            self.broker.compact()

    # -- what holds

    def the_figures_are_those_of_the_rows(self) -> None:
        if self.owner.is_open:
            assert self.owner.figures.rows == dict(self.owner.table.rows(0))

    def nothing_is_invented(self) -> None:
        if self.owner.is_open:
            truth = self.broker.truth()
            assert all(set(row) <= set(truth.get(key, b"")) for key, row in self.owner.table.rows(0))

    def close(self) -> None:
        self.patch.stop()
        self.loop.close()
        shutil.rmtree(self.disks, ignore_errors=True)

    def end(self) -> None:
        if self.paused is not None:
            self.the_paused_one_learns_of_it(back=False)
        while self.broker.committed < len(self.broker.source):
            for step in (self.owner.fold, self.owner.settle, self.owner.commit):
                self.do(step())
        truth = self.broker.truth()

        assert dict(self.owner.table.rows(0)) == truth
        for worker in self.workers:
            worker.close()
        for name in ("uncompacted", "compacted"):
            fresh = self.do(self._recovered(self.disks / name))
            assert fresh == truth, f"from the changelog alone, {name}"
            self.broker.compact()

    async def _recovered(self, disk: Path) -> dict[bytes, bytes]:
        fresh = SimulatedWorker(self.broker, disk)
        await fresh.take_over()
        rows = dict(fresh.table.rows(0))
        fresh.close()
        return rows


steps = st.one_of(
    st.tuples(st.just("work"), arrivals, few, st.integers(0, 4), st.booleans()),
    st.tuples(st.just("crash"), few, st.booleans(), few),
    st.tuples(st.just("crash_in_recovery"), few, st.integers(0, 6)),
    st.tuples(st.just("pause"), few),
    st.tuples(st.just("the_paused_one_goes_on"), few),
    st.tuples(st.just("the_paused_one_learns_of_it"), st.booleans()),
    st.tuples(st.just("compact")),
)
"""Lists of these, and no state machine of Hypothesis: that leaves out most kinds of steps in most runs."""


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(steps, min_size=8, max_size=25))
def test_in_whatever_order_rows_are_those_of_the_events_and_the_changelog_alone_has_them(run):
    table = OneTable()
    try:
        table.begin()
        for name, *arguments in run:
            getattr(table, name)(*arguments)
            table.the_figures_are_those_of_the_rows()
            table.nothing_is_invented()
        table.end()
    finally:
        table.close()
