"""Tables and their changelog through crashes, lost disks, pauses and compaction: the rows stay those of the events.

A failure names its seed: run that one alone with ``-k 'seed17-'``; run more with ``FUNNELWATCH_SEEDS=500``.
"""

from __future__ import annotations

import os
import random
from types import SimpleNamespace

import pytest
from support.changelog_world import Broker, SimulatedWorker

SEEDS = int(os.environ.get("FUNNELWATCH_SEEDS", "25"))
STEPS = 60
KEYS = [b"d1", b"d2", b"d3", b"d4"]
LETTERS = b"abcdefghijklmnopqrstuvwxyz"


@pytest.fixture
def broker():
    return Broker()


@pytest.fixture
def disks(tmp_path_factory):
    return tmp_path_factory.mktemp("disks")


@pytest.fixture(autouse=True)
def without_collections(monkeypatch):
    """Faust collects garbage by hand at every rebalance, which takes longer than all the rest here."""
    monkeypatch.setattr("faust.stores.rocksdb.gc", SimpleNamespace(collect=lambda: 0))


async def finish(broker: Broker, worker: SimulatedWorker) -> None:
    """All events are folded, acknowledged and committed."""
    while broker.committed < len(broker.source):
        await worker.fold()
        await worker.settle()
        await worker.commit()


async def from_the_changelog_alone(broker: Broker, disk) -> dict[bytes, bytes]:
    fresh = SimulatedWorker(broker, disk)
    await fresh.take_over()
    rows = dict(fresh.table.rows(0))
    fresh.close()
    return rows


class Fire:
    """A run of random steps on three workers, of which one owns the partition and another may be paused."""

    def __init__(self, seed: int, broker: Broker, disks) -> None:
        self.random = random.Random(seed)
        self.broker = broker
        self.workers = [SimulatedWorker(broker, disks / str(number)) for number in range(3)]
        self.owner = self.workers[0]
        self.paused: SimulatedWorker | None = None

    async def run(self) -> None:
        await self.owner.take_over()
        steps = [self.arrive] * 5 + [self.fold] * 6 + [self.deliver] * 6 + [self.commit] * 3
        steps += [self.crash, self.crash, self.die_in_recovery, self.pause, self.wake, self.zombie_writes, self.compact]
        for _ in range(STEPS):
            await self.random.choice(steps)()
        if self.paused is not None:
            await self.wake()
        await finish(self.broker, self.owner)

    async def arrive(self) -> None:
        for _ in range(self.random.randrange(1, 5)):
            self.broker.source.append((self.random.choice(KEYS), self.random.choice(LETTERS)))

    async def fold(self) -> None:
        await self.owner.fold()

    async def deliver(self) -> None:
        await self.owner.deliver(self.random.randrange(1, 3))

    async def commit(self) -> None:
        await self.owner.commit()

    async def crash(self) -> None:
        """The owner dies; it, or another with a disk of its own, goes on."""
        self.owner.crash(arrived=self.random.randrange(3), wiped=self.random.random() < 0.3)
        idle = [worker for worker in self.workers if worker is not self.paused]
        self.owner = self.random.choice(idle)
        await self.owner.take_over()

    async def die_in_recovery(self) -> None:
        self.owner.crash(arrived=self.random.randrange(2))
        await self.owner.take_over(records_max=self.random.randrange(6))
        self.owner.crash()
        await self.owner.take_over()

    async def pause(self) -> None:
        """The owner stands still with batches on their way, and another takes over."""
        if self.paused is None:
            self.paused = self.owner
            self.owner = self.random.choice([worker for worker in self.workers if worker is not self.paused])
            await self.owner.take_over()

    async def zombie_writes(self) -> None:
        """The paused one wakes up and does not know yet that it owns nothing."""
        if self.paused is not None:
            await self.paused.fold()
            await self.paused.commit()
            await self.paused.deliver(self.random.randrange(3))

    async def wake(self) -> None:
        """The paused one learns of it, and is given the partition back or not."""
        if self.paused is None:
            return
        awake, self.paused = self.paused, None
        await awake.settle()
        if self.random.random() < 0.5:
            self.owner.is_open = False
            self.owner.table._open_partitions.clear()
            self.owner = awake
            await awake.take_over()
        else:
            awake.crash()

    async def compact(self) -> None:
        """Not while somebody is paused or a repair is under way: that is what the lag is for."""
        if self.paused is None and not self.owner.table._repairs and not self.owner.producer.waiting:
            await self.owner.settle()
            if self.repaired():
                self.broker.compact()

    def repaired(self) -> bool:
        """Whether the owner knows everything that is in the changelog: a stranger's records show at its next batch."""
        opening = self.owner.table._open_partitions.get(0)
        return opening is not None and opening.through == self.broker.end - 1


@pytest.mark.parametrize("seed", range(SEEDS), ids=lambda seed: f"seed{seed}-")
async def test_whatever_happens_the_rows_are_those_of_the_events_and_the_changelog_alone_has_them(seed, broker, disks):
    fire = Fire(seed, broker, disks)
    await fire.run()
    truth = broker.truth()

    assert dict(fire.owner.table.rows(0)) == truth
    assert fire.owner.figures.rows == truth
    for worker in fire.workers:
        worker.close()
    assert await from_the_changelog_alone(broker, disks / "fresh") == truth
    broker.compact()
    assert await from_the_changelog_alone(broker, disks / "fresh after compaction") == truth


async def test_a_redelivery_split_over_two_openings_reaches_the_changelog_before_its_offset_moves(broker, disks):
    """Folded, lost on the way to the changelog, redelivered in two parts with a crash between, committed, disk lost."""
    broker.source = [(key, letter) for letter in b"abc" for key in KEYS]
    worker = SimulatedWorker(broker, disks / "1")
    await worker.take_over()
    for _ in range(4):
        await worker.fold()  # the disk knows all twelve, the changelog nothing
    worker.crash()
    await worker.take_over()
    await worker.fold()
    await worker.settle()
    await worker.commit()  # three of them
    worker.crash()
    await worker.take_over()
    await finish(broker, worker)
    worker.crash(wiped=True)
    await worker.take_over()

    assert dict(worker.table.rows(0)) == broker.truth()


async def test_an_offset_waits_for_what_its_events_put_into_the_changelog(broker, disks):
    """Folded and still on its way to the changelog when the commit comes; then the worker dies and its disk is lost."""
    broker.source = [(key, ord("a")) for key in KEYS[:3]]
    worker = SimulatedWorker(broker, disks / "1")
    await worker.take_over()
    await worker.fold()
    await worker.commit()
    worker.crash(wiped=True)
    await worker.take_over()
    await finish(broker, worker)

    assert dict(worker.table.rows(0)) == broker.truth()


async def test_what_is_acknowledged_after_an_orderly_stop_closed_the_disk_is_no_failure(broker, disks):
    """The worker left with 70 instead of the code of an orderly stop."""
    broker.source = [(key, ord("a")) for key in KEYS[:3]]
    worker = SimulatedWorker(broker, disks / "1")
    await worker.take_over()
    await worker.fold()
    died = []
    worker.app.die = lambda failure, why: died.append(why)
    worker.table.data._dbs.clear()
    await worker.deliver(1)

    assert not died
    assert broker.truth() == {record.key: record.value for record in broker.changelog}


async def test_rows_found_outdated_in_a_recovery_that_is_cut_short_are_still_written_again(broker, disks):
    """Which rows are outdated has to survive the crash that comes before they are written."""
    worker, stranger = SimulatedWorker(broker, disks / "1"), SimulatedWorker(broker, disks / "2")
    broker.source = [(b"d1", ord("a"))]
    await stranger.take_over()
    await stranger.fold()  # and is paused before the broker gets it
    broker.source += [(b"d1", ord("b")), (b"d1", ord("c"))]
    await worker.take_over()
    await finish(broker, worker)
    stranger.crash(arrived=1)  # an old row behind the newer one
    worker.crash()
    await worker.take_over(records_max=len(broker.changelog))
    worker.crash()
    await worker.take_over()
    broker.compact()

    assert [record.value for record in broker.changelog] == [b"abc"]
    stranger.close()


async def test_a_strangers_old_row_behind_ours_is_covered_without_a_restart(broker, disks):
    """The next batch of ours shows the gap; until it is repaired the persisted offset does not pass it."""
    worker, stranger = SimulatedWorker(broker, disks / "1"), SimulatedWorker(broker, disks / "2")
    broker.source = [(b"d1", ord("a"))]
    await stranger.take_over()
    await stranger.fold()
    broker.source += [(b"d1", ord("b")), (b"d1", ord("c"))]
    await worker.take_over()
    await finish(broker, worker)
    held = worker.table.persisted_offset(worker.tp)
    stranger.crash(arrived=1)
    broker.source += [(b"d2", ord("x"))]
    await worker.fold()
    await worker.deliver(1)

    assert worker.table.persisted_offset(worker.tp) == held
    await finish(broker, worker)
    assert worker.table.persisted_offset(worker.tp) == broker.end - 1
    broker.compact()
    assert {record.key: record.value for record in broker.changelog} == {b"d1": b"abc", b"d2": b"x"}
    stranger.close()


async def test_two_workers_that_are_strangers_to_each_other_stop_answering_each_other(broker, disks):
    """A paused worker that does not know yet repairs the owner's records as the owner repairs its own."""
    worker, stranger = SimulatedWorker(broker, disks / "1"), SimulatedWorker(broker, disks / "2")
    await stranger.take_over()
    await worker.take_over()
    for number in range(4):
        broker.source += [(key, ord("a") + number) for key in KEYS]
        await stranger.fold()
        await worker.fold()
    for _ in range(100):
        for one in (worker, stranger):
            await one.deliver(1)

    assert not worker.producer.waiting
    assert not stranger.producer.waiting
    assert broker.end < 100
    worker.close()
    stranger.close()


async def test_a_forgotten_row_stays_forgotten_and_a_paused_workers_tombstone_removes_nothing_new(broker, disks):
    worker, stranger = SimulatedWorker(broker, disks / "1"), SimulatedWorker(broker, disks / "2")
    broker.source = [(b"old", ord("a")), (b"new", ord("a"))]
    await stranger.take_over()
    await finish(broker, stranger)
    await stranger.forget(before_letter=1)  # both, and is paused before it sends that
    broker.source.append((b"new", ord("z")))
    await worker.take_over()
    await finish(broker, worker)
    await worker.forget(before_letter=1)
    await worker.settle()
    await stranger.deliver(1)
    broker.source.append((b"other", ord("b")))
    await finish(broker, worker)
    await worker.settle()

    assert dict(worker.table.rows(0)) == {b"new": b"az", b"other": b"b"}
    assert await from_the_changelog_alone(broker, disks / "fresh") == {b"new": b"az", b"other": b"b"}
    stranger.close()
