"""Two workers, one partition, two chunks: every order of steps up to a depth, and from wherever it leads to the end.

Steps are delivery and fold, what arrives in the changelog with its acknowledgement, commit, a crash with or without the
disk and with or without what was on its way, a recovery cut short, a pause with the other taking over, what the paused
one still does, its end, and compaction. Orders that lead to the same state are followed once. ``FUNNELWATCH_DEPTH=7``
goes deeper: each step more takes about three times as long.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.changelog_world import Broker, SimulatedWorker

DEPTH = int(os.environ.get("FUNNELWATCH_DEPTH", "5"))
FAULTS_MAX = 3
STATES_MAX = 100_000
CHUNKS = [(b"d1", ord("a")), (b"d2", ord("a")), (b"d3", ord("a")), (b"d1", ord("b")), (b"d4", ord("b"))]
"""Two chunks: an entity that both touch, and some that are touched once, which nothing heals later."""
MEMORY = Path("/dev/shm")
Order = tuple[str, ...]


@pytest.fixture(autouse=True)
def without_collections(monkeypatch):
    """Faust collects garbage by hand at every rebalance, which takes longer than all the rest here."""
    monkeypatch.setattr("faust.stores.rocksdb.gc", SimpleNamespace(collect=lambda: 0))


@pytest.fixture
def disks():
    folder = Path(tempfile.mkdtemp(prefix="every-order-", dir=MEMORY if MEMORY.is_dir() else None))
    yield folder
    shutil.rmtree(folder)


class World:
    """The two workers, of which one owns the partition and the other is idle or paused with what it had."""

    def __init__(self, disks: Path) -> None:
        self.broker = Broker()
        self.broker.source = list(CHUNKS)
        self.owner, self.other = (SimulatedWorker(self.broker, disks / name) for name in ("1", "2"))
        self.is_paused = False
        self.faults = 0

    async def after(self, order: Order) -> World:
        await self.owner.take_over()
        for step in order:
            self.faults += step in FAULTS
            await getattr(self, step)()
        return self

    def next_steps(self) -> Iterator[str]:
        """What can be done now and is not the same as nothing."""
        owner, may_fail = self.owner, self.faults < FAULTS_MAX
        if owner.position < len(CHUNKS):
            yield "folds"
        if owner.producer.waiting:
            yield "arrives"
        if owner.position > self.broker.committed:
            yield "commits"
        if self.is_paused:
            yield from ("paused_one_folds", "paused_one_ends")
            if self.other.producer.waiting:
                yield "paused_ones_batch_arrives"
        elif self.knows_all() and len(self.broker.changelog) > len({record.key for record in self.broker.changelog}):
            yield "is_compacted"
        if may_fail:
            yield from ("dies", "dies_and_loses_its_disk", "dies_in_recovery")
            if owner.producer.waiting:
                yield "dies_while_a_batch_arrives"
            if not self.is_paused:
                yield "pauses"

    # -- work

    async def folds(self) -> None:
        await self.owner.fold()

    async def arrives(self) -> None:
        await self.owner.deliver(1)

    async def commits(self) -> None:
        await self.owner.commit()

    # -- faults

    async def dies(self) -> None:
        self.owner.crash()
        await self.owner.take_over()

    async def dies_while_a_batch_arrives(self) -> None:
        self.owner.crash(arrived=1)
        await self.owner.take_over()

    async def dies_and_loses_its_disk(self) -> None:
        self.owner.crash(wiped=True)
        await self.owner.take_over()

    async def dies_in_recovery(self) -> None:
        self.owner.crash()
        await self.owner.take_over(records_max=1)
        await self.dies()

    async def pauses(self) -> None:
        self.is_paused = True
        self.owner, self.other = self.other, self.owner
        await self.owner.take_over()

    async def paused_one_folds(self) -> None:
        await self.other.fold()
        await self.other.commit()

    async def paused_ones_batch_arrives(self) -> None:
        await self.other.deliver(1)

    async def paused_one_ends(self) -> None:
        self.is_paused = False
        self.other.crash()

    async def is_compacted(self) -> None:
        self.broker.compact()

    def knows_all(self) -> bool:
        """No stranger's record stands in the changelog unknown to the owner: that is what the lag is for."""
        opening = self.owner.table._open_partitions.get(0)
        is_busy = self.owner.producer.waiting or self.owner.table._repairs
        return opening is not None and not is_busy and opening.through == self.broker.end - 1

    # -- what distinguishes it from others, and how it ends

    def state(self) -> tuple:
        broker = self.broker
        log = tuple((record.offset, record.key, record.value) for record in broker.changelog)
        return (log, broker.end, broker.committed, self.is_paused, *map(_state, (self.owner, self.other)))

    async def end(self, disks: Path) -> None:
        """All is folded and committed: disk, figures and changelog have it, this one before and after compaction."""
        if self.is_paused:
            await self.other.settle()
            await self.paused_one_ends()
        while self.broker.committed < len(CHUNKS):
            await self.owner.fold()
            await self.owner.settle()
            await self.owner.commit()
        truth = self.broker.truth()
        assert dict(self.owner.table.rows(0)) == truth
        assert self.owner.figures.rows == truth
        self.close()
        for name in ("uncompacted", "compacted"):
            fresh = SimulatedWorker(self.broker, disks / name)
            await fresh.take_over()
            assert dict(fresh.table.rows(0)) == truth, f"from the changelog alone, {name}"
            fresh.close()
            self.broker.compact()

    def close(self) -> None:
        for worker in (self.owner, self.other):
            for task in list(worker.table._repairs):
                task.cancel()
            worker.close()


def _state(worker: SimulatedWorker) -> tuple:
    opening = worker.table._open_partitions.get(0)
    db = worker.table.data._dbs.get(0)
    return (
        worker.position,
        worker.is_open,
        worker.generation == worker.broker.generation,
        tuple(tuple(batch.records[i][:2] for i in range(len(batch.records))) for batch, _ in worker.producer.waiting),
        () if db is None else tuple(db.items()),
        () if opening is None else (opening._next, opening._seen, tuple(opening._known.items())),
        tuple(sorted(worker.table._redelivered_through.items())),
        len(worker.table._repairs),
        () if worker.figures.rows is None else tuple(sorted(worker.figures.rows.items())),
    )


async def every_order(disks: Path) -> int:
    """Breadth first: a failure is of the shortest order that shows it. The number of states."""
    seen: set[tuple] = set()
    waiting: deque[Order] = deque([()])
    number = 0
    while waiting:
        order = waiting.popleft()
        number += 1
        folder = disks / str(number)
        world = await World(folder).after(order)
        state = world.state()
        steps = list(world.next_steps())
        if (state, world.faults) in seen:
            world.close()
        else:
            seen.add((state, world.faults))
            assert len(seen) <= STATES_MAX
            try:
                await world.end(folder)
            except AssertionError as wrong:
                raise AssertionError(f"wrong after {', '.join(order)}: {wrong}") from wrong
            if len(order) < DEPTH:
                waiting += [(*order, step) for step in steps]
        shutil.rmtree(folder)
    return len(seen)


FAULTS = {"dies", "dies_while_a_batch_arrives", "dies_and_loses_its_disk", "dies_in_recovery", "pauses"}


def test_two_workers_and_two_chunks_end_right_in_every_order_of_steps(disks):
    states = asyncio.run(every_order(disks))

    assert states > 10 * DEPTH
