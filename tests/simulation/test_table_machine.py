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

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from support.changelog_world import Broker, SimulatedWorker

KEYS = [b"d1", b"d2", b"d3"]
WORKERS = 3
few = st.integers(0, 2)


class TableMachine(RuleBasedStateMachine):
    """One partition; three workers, of which one owns it and one may be paused."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.disks = Path(tempfile.mkdtemp(prefix="table-machine-"))
        self.patch = patch("faust.stores.rocksdb.gc", SimpleNamespace(collect=lambda: 0))  # slow, and told by hand
        self.patch.start()
        self.broker = Broker()
        self.workers: list[SimulatedWorker] = []
        self.paused: SimulatedWorker | None = None

    def do(self, step):
        return self.loop.run_until_complete(step)

    @initialize()
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

    @rule(events=st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(list(b"abcdefgh"))), min_size=1, max_size=9))
    def arrive(self, events) -> None:
        self.broker.source += events

    @rule(times=st.integers(1, 3))
    def fold(self, times) -> None:
        for _ in range(times):
            self.do(self.owner.fold())

    @rule(batches=st.integers(1, 3))
    def acknowledge(self, batches) -> None:
        self.do(self.owner.deliver(batches))

    @rule()
    def commit(self) -> None:
        self.do(self.owner.commit())

    @rule(chunks=st.integers(1, 3))
    def fold_and_commit(self, chunks) -> None:
        for _ in range(chunks):
            for step in (self.owner.fold, self.owner.settle, self.owner.commit):
                self.do(step())

    # -- faults

    @rule(arrived=few)
    def crash_and_go_on(self, arrived) -> None:
        """A supervisor starts it again, on its disk."""
        self.call(self.owner.crash, arrived=arrived)
        self.do(self.owner.take_over())

    @rule(arrived=few, wiped=st.booleans(), heir=few)
    def crash(self, arrived, wiped, heir) -> None:
        self.call(self.owner.crash, arrived=arrived, wiped=wiped)
        self.owner = self.others()[heir % len(self.others())]
        self.do(self.owner.take_over())

    @rule(arrived=few, recovered=st.integers(0, 6))
    def crash_in_recovery(self, arrived, recovered) -> None:
        self.call(self.owner.crash, arrived=arrived)
        self.do(self.owner.take_over(records_max=recovered))
        self.call(self.owner.crash)
        self.do(self.owner.take_over())

    @precondition(lambda self: self.paused is None)
    @rule(heir=few)
    def pause(self, heir) -> None:
        self.paused = self.owner
        self.owner = self.others()[heir % len(self.others())]
        self.do(self.owner.take_over())

    @precondition(lambda self: self.paused is not None)
    @rule(batches=few)
    def the_paused_one_goes_on(self, batches) -> None:
        self.do(self.paused.fold())
        self.do(self.paused.commit())
        self.do(self.paused.deliver(batches))

    @precondition(lambda self: self.paused is not None)
    @rule(back=st.booleans())
    def the_paused_one_learns_of_it(self, back) -> None:
        awake, self.paused = self.paused, None
        self.do(awake.settle())
        if back:
            self.owner.is_open = False
            self.owner.table._open_partitions.clear()
            self.owner = awake
            self.do(awake.take_over())
        else:
            self.call(awake.crash)

    @precondition(lambda self: self.paused is None)
    @rule()
    def compact(self) -> None:
        """Not while a stranger's records may be unknown to the owner: that is what the compaction lag is for."""
        self.do(self.owner.settle())
        opening = self.owner.table._open_partitions.get(0)
        if opening is not None and opening.through == self.broker.end - 1:
            self.broker.compact()

    # -- what holds

    @invariant()
    def the_figures_are_those_of_the_rows(self) -> None:
        if self.workers and self.owner.is_open:
            assert self.owner.figures.rows == dict(self.owner.table.rows(0))

    @invariant()
    def nothing_is_invented(self) -> None:
        if self.workers and self.owner.is_open:
            truth = self.broker.truth()
            assert all(set(row) <= set(truth.get(key, b"")) for key, row in self.owner.table.rows(0))

    def teardown(self) -> None:
        try:
            if self.workers:
                self._end()
        finally:
            self.patch.stop()
            self.loop.close()
            shutil.rmtree(self.disks, ignore_errors=True)

    def _end(self) -> None:
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


TestTableMachine = TableMachine.TestCase
TestTableMachine.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
