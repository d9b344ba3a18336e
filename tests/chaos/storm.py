"""Row 6, the storm: most of a partition is refused, and goes on being; reading stops, moves with it, and is resumed."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

from aiokafka import AIOKafkaProducer
from arena import Arena, Broken
from chaos_worker import ChaosWorker
from poison import values_of
from row import Bench, Row

from funnelwatch.agents import topics
from funnelwatch.agents.engine.storms import PROBE_RECORDS
from funnelwatch.schemas.events import Kind

PARTITION = 1
PER_BURST = 20
BURST_SECONDS = 0.1
STORM_SECONDS = 6.0
PROBE_SECONDS = 3.0
WATCHED_SECONDS = 7.0
BEHIND = 3_000
"""Garbage that waits in the topic when reading has stopped."""
STOPPED_SECONDS_MAX = 60.0
MOVED_LETTERS_MAX = 1_000
"""How many letters may be written until whoever takes a partition over knows that it has stopped."""


def run(bench: Bench) -> str:
    rules = {
        "storm_seconds": STORM_SECONDS,
        "storm_events_min": 50,
        "storm_probe_seconds": PROBE_SECONDS,
    }
    with Arena(bench.broker, bench.folder, seed=bench.seed, size=(8, 15), changes=bench.changes, worker=rules) as arena:
        arena.ask_oracle()
        arena.start()
        arena.feed(arena.events, 40)
        garbage = Garbage(arena)
        try:
            took = arena.until(
                lambda: owner_of_stopped(arena) is not None, STOPPED_SECONDS_MAX, "the partition stopped"
            )
        finally:
            garbage.stop()
        garbage.send(BEHIND)
        grew, others = watched(arena)
        moved = move(arena)
        resumed = resume(arena)
        equal = arena.verify()
        letters = asyncio.run(values_of(arena, topics.dead_letters_topic(arena.settings)))
        if len(letters) != garbage.sent or arena.own_exits:
            raise Broken(f"{len(letters)} dead letters of {garbage.sent} bad messages; exits {arena.own_exits}")
        return (
            f"stopped {took:.1f} s after the storm began; in {WATCHED_SECONDS:.0f} s then {grew} letters of probes "
            f"while other partitions read {others:,} events; moved to another worker: {moved} letters until it stopped "
            f"there; after `dlq resume` the last of {garbage.sent:,} bad messages was a letter {resumed:.1f} s later; "
            f"{equal}"
        )


class Garbage:
    """Sends what nobody can read to one partition, in a thread of its own, until it is stopped."""

    def __init__(self, arena: Arena) -> None:
        self._settings = arena.settings
        self.sent = 0
        self._is_on = True
        self._thread = threading.Thread(target=lambda: asyncio.run(self._rage()), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._is_on = False
        self._thread.join(30)

    def send(self, count: int) -> None:
        asyncio.run(self._send(count))

    async def _rage(self) -> None:
        while self._is_on:
            await self._send(PER_BURST)
            await asyncio.sleep(BURST_SECONDS)

    async def _send(self, count: int) -> None:
        topic = topics.input_topic(self._settings, Kind.DEAL)
        async with AIOKafkaProducer(bootstrap_servers=self._settings.kafka.bootstrap[0]) as producer:
            sends = [await producer.send(topic, value=b"{nope", partition=PARTITION) for _ in range(count)]
            await asyncio.gather(*sends)
        self.sent += count


def owner_of_stopped(arena: Arena) -> ChaosWorker | None:
    """The worker that says it; None if nobody does."""
    return next((one for one in arena.workers if one.is_alive() and one.metric("funnelwatch_partition_stopped")), None)


def letters_of(arena: Arena) -> int:
    return len(asyncio.run(values_of(arena, topics.dead_letters_topic(arena.settings))))


def watched(arena: Arena) -> tuple[int, int]:
    """Nothing but probes is drained into the dead letters, other partitions go on, and it is said."""
    owner = owner_of_stopped(arena)
    why = readiness(owner) if owner else "nobody"
    if "has stopped" not in why:
        raise Broken(f"/readyz says {why!r}")
    began, letters, read = time.monotonic(), letters_of(arena), arena.read()
    arena.sleep(WATCHED_SECONDS)
    grew = letters_of(arena) - letters
    probes = 1 + int((time.monotonic() - began) / PROBE_SECONDS)
    if grew > probes * PROBE_RECORDS:
        raise Broken(f"{grew} more dead letters in {WATCHED_SECONDS:.0f} s although reading has stopped")
    others = arena.read() - read - grew
    if others <= 0:
        raise Broken("other partitions stand still, too")
    return grew, others


def move(arena: Arena) -> int:
    """Whoever gets the partition stops it, too; how many letters that cost."""
    owner = owner_of_stopped(arena)
    if owner is None:
        raise Broken("nobody has the stopped partition")
    letters = letters_of(arena)
    arena.leave(owner)
    arena.until(lambda: owner_of_stopped(arena) is not None, STOPPED_SECONDS_MAX, "stopped at its new worker")
    cost = letters_of(arena) - letters
    if cost > MOVED_LETTERS_MAX:
        raise Broken(f"{cost} letters were written until the partition was stopped at its new worker")
    arena.come_back(owner)
    return cost


def resume(arena: Arena) -> float:
    """An operator reads on; how long until everything that waited is read."""
    topic = topics.input_topic(arena.settings, Kind.DEAL)
    arena.until(lambda: owner_of_stopped(arena) is not None, STOPPED_SECONDS_MAX, "the stopped partition has a worker")
    command = ("dlq", "resume", "--topic", topic, "--for", "5m", "--config", str(arena.board.config))
    began, found = time.monotonic(), arena.board.run(*command)
    while found.returncode and time.monotonic() < began + STOPPED_SECONDS_MAX:  # it may be moving to who came back
        arena.sleep(1)
        found = arena.board.run(*command)
    if found.returncode:
        raise Broken(f"dlq resume: {found.stdout}{found.stderr}")
    arena.fed()
    arena.until(lambda: owner_of_stopped(arena) is None and is_read(arena), STOPPED_SECONDS_MAX, "everything read")
    return time.monotonic() - began


def is_read(arena: Arena) -> bool:
    running = [worker for worker in arena.workers if worker.is_alive()]
    return all(worker.is_ready() for worker in running) and not sum(
        worker.metric("funnelwatch_consumer_lag_records") for worker in running
    )


def readiness(worker: Any) -> str:
    try:
        with urlopen(f"http://127.0.0.1:{worker.settings.worker.port}/readyz", timeout=5) as answer:
            return answer.read().decode()
    except HTTPError as refused:
        return refused.read().decode()


ROW = Row(
    "storm",
    "6",
    "most of a partition is refused: reading stops, moves with it, and is resumed",
    run,
    mutations=("storms_unseen", "stops_untold", "acknowledged_unasked"),
)
