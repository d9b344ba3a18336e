"""One installation to break: workers and a board as processes, a Redis of its own, a floor's events, the truth."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import random
import re
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import msgspec
import redis
from chaos_worker import Changes, ChaosWorker
from mutations import OF_THE_BOARD
from nursery import Child, nursery
from prometheus_client.parser import text_string_to_metric_families
from support.compare import difference
from support.deployment import Deployment
from support.disorder import disordered
from support.worker_process import differences, expected

from funnelwatch.agents import topics
from funnelwatch.agents.board.shards import shard_key
from funnelwatch.agents.connections import kafka_admin
from funnelwatch.agents.embedded import EmbeddedKafka, EmbeddedRedis, free_ports
from funnelwatch.agents.publisher import Publisher
from funnelwatch.schemas.events import Kind
from funnelwatch.schemas.settings import BoardSettings, KafkaSettings, RedisSettings, Secrets, Settings, WorkerSettings
from funnelwatch.streams.cells import Cell, CellValue, decode_cell, decode_value
from funnelwatch.streams.simulator import Floor, Published
from funnelwatch.streams.simulator.demo import TEHRAN_CALENDAR, demo_settings

UNTIL = 1_781_000_000_000_000
CLOCK = "2026-06-09T10:13:20Z"
PARTITIONS = 4
POLL_SECONDS = 0.1
PUBLISH_EVENTS = 50
READY_SECONDS = 120.0
EQUAL_SECONDS = 240.0
MUTATED_SECONDS = 60.0
"""For a row that is expected to fail; what differs in Redis has to stand still for ``STILL_SECONDS`` besides."""
STILL_SECONDS = 15.0
ORACLE_SECONDS = 1_800.0
RESTART_SECONDS = (0.2, 3.0)
SHARDS = [(kind, partition) for kind in Kind for partition in range(PARTITIONS)]


class Broken(AssertionError):  # noqa: N818  (what a row finds, not a fault of its own)
    """The promise does not hold."""


class Arena:
    """Use it as a context manager. Whatever is asked to wait also starts workers again that left by themselves.

    Args:
        broker: The Kafka to use; names in it are this arena's own.
        folder: For disks, logs, and the events.
        seed: Fixes the floor, the disorder and every choice made by ``random``.
        size: (reps, days) of the floor: about 34 events a rep and day.
        changes: What is different in the workers.
        workers: How many worker processes.
        session_seconds: Of the consumer group.
        commit_seconds: Between commits.
        disorder: Arguments of `disordered`.
        reps_max: How many reps the board exposes.
        kafka: Settings of Kafka that are not this arena's usual ones.
        base: The organisation; the demo's by the Tehran calendar if none is given.
        events: Instead of a floor's: in the order in which they are published.
        worker: Settings of the workers that are not the default.
    """

    def __init__(
        self,
        broker: EmbeddedKafka,
        folder: Path,
        *,
        seed: int,
        size: tuple[int, int],
        changes: Changes,
        workers: int = 3,
        session_seconds: float = 6.0,
        commit_seconds: float = 1.0,
        disorder: dict[str, Any] | None = None,
        reps_max: int = 20_000,
        kafka: dict[str, Any] | None = None,
        base: Settings | None = None,
        events: Sequence[Published] | None = None,
        worker: dict[str, Any] | None = None,
    ) -> None:
        self.broker, self.folder, self.changes = broker, folder, changes
        self.random = random.Random(f"{seed}/faults")
        redis_port, board_port, *worker_ports = free_ports(2 + workers)
        prefix = f"{folder.name}."
        self.settings = msgspec.structs.replace(
            base or demo_settings(TEHRAN_CALENDAR),
            clock=CLOCK if base is None else base.clock,
            kafka=KafkaSettings(
                **{"bootstrap": (broker.bootstrap,), **(kafka or {})},
                prefix=prefix,
                group=f"{prefix}group",
                partitions=PARTITIONS,
            ),
            redis=RedisSettings(port=redis_port, prefix=prefix.rstrip(".")),
            worker=WorkerSettings(session_seconds=session_seconds, commit_seconds=commit_seconds, **(worker or {})),
            board=BoardSettings(port=board_port, reps_max=reps_max),
        )
        self.redis = EmbeddedRedis(folder / "redis", redis_port)
        self.client = redis.Redis(port=redis_port, socket_timeout=5)
        # Its configuration is checked, and a session as short as some rows want it is refused.
        of_board = msgspec.structs.replace(self.settings, worker=WorkerSettings())
        self.board = Board(of_board, folder / "board", changes)
        self.workers = [ChaosWorker(self._of_worker(number, port), changes) for number, port in enumerate(worker_ports)]
        if events is None:
            _, lived = Floor.with_history(seed, UNTIL, self.settings, reps=size[0], days=size[1])
            events = disordered(lived, seed, **(disorder or {}))
        self.events = list(events)
        self.restart_seconds = RESTART_SECONDS
        self.patience = MUTATED_SECONDS if changes.mutations else EQUAL_SECONDS
        self.own_exits: list[int] = []
        self._wanted_up: set[ChaosWorker] = set()
        self._restart_at: dict[ChaosWorker, float] = {}
        self._feed: Feed | None = None
        self._oracle: Child | None = None
        self._cells: tuple[Any, Any] = (None, None)
        self._decoded: dict[tuple[Kind, int, bytes], tuple[bytes, Cell, CellValue]] = {}
        self._kills: list[float] = []
        self.recoveries: list[float] = []
        self.standstills: list[float] = []
        self.began = time.monotonic()

    def _of_worker(self, number: int, port: int) -> Settings:
        worker = msgspec.structs.replace(self.settings.worker, data_dir=str(self.folder / f"disk{number}"), port=port)
        return msgspec.structs.replace(self.settings, worker=worker)

    def __enter__(self) -> Self:
        self.redis.start()
        self.board.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        if self._feed is not None:
            self._feed.stop()
        if self._oracle is not None and self._oracle.poll() is None:
            self._oracle.kill()
        for worker in self.workers:
            worker.end()
        with contextlib.suppress(Exception):  # a board whose end fails must not hide what the row found
            self.board.__exit__(None, None, None)
        self.client.close()
        self.redis.kill()
        with contextlib.suppress(Exception):  # the broker may be gone
            asyncio.run(_delete_topics(self.settings))

    def say(self, what: str) -> None:
        logging.getLogger("chaos").info("%6.1f s  %s: %s", time.monotonic() - self.began, self.folder.name, what)

    # -- processes

    def start(self, *workers: ChaosWorker, board: bool = True, ready: bool = True) -> None:
        """Start workers (all by default) and the board, and wait until all have partitions."""
        for worker in workers or self.workers:
            worker.start()
            self._wanted_up.add(worker)
        if board:
            self.board.start("board")
        if ready:
            self.until(self.are_ready, READY_SECONDS, "workers ready")

    def are_ready(self) -> bool:
        """Whether all who are wanted up have their partitions and publish."""
        return all(worker.is_ready() for worker in self._wanted_up)

    def kill(self, worker: ChaosWorker, *, wipe: bool = False, restart: bool = True) -> None:
        """kill -9, with a lost disk or not; it is started again a moment later."""
        self._kills.append(time.time())
        worker.kill()
        if wipe:
            worker.wipe()
        if restart:
            self._restart_at[worker] = time.monotonic() + self.random.uniform(*self.restart_seconds)
        else:
            self._wanted_up.discard(worker)
        self.say(f"kill -9 of worker {self.workers.index(worker)}{', disk wiped' if wipe else ''}")

    def leave(self, worker: ChaosWorker) -> int:
        """SIGTERM; the exit code."""
        self._wanted_up.discard(worker)
        self._restart_at.pop(worker, None)
        return worker.stop()

    def leave_for(self, worker: ChaosWorker, seconds: float) -> None:
        """SIGTERM, and started again so much later, if it has left by then."""
        worker.signal(signal.SIGTERM)
        self._restart_at[worker] = time.monotonic() + seconds

    def come_back(self, worker: ChaosWorker, seconds: float = 0.0) -> None:
        """Have it started so much later, if it does not run."""
        if worker not in self._wanted_up:
            self._wanted_up.add(worker)
            self._restart_at[worker] = time.monotonic() + seconds

    def freeze_redis(self, seconds: float) -> None:
        """Its connections stay open and nothing answers."""
        pid = self.redis.pid
        if pid is None:
            raise Broken("Redis ended by itself")
        self.say(f"Redis frozen for {seconds:.1f} s")
        os.kill(pid, signal.SIGSTOP)
        try:
            time.sleep(seconds)
        finally:
            os.kill(pid, signal.SIGCONT)

    def supervise(self) -> None:
        """What a supervisor does: start whoever left. What left by itself is counted."""
        for worker in list(self._wanted_up):
            if worker.is_alive():
                continue
            due = self._restart_at.get(worker)
            if due is None:
                self.own_exits.append(worker.returncode or 0)
                self._restart_at[worker] = time.monotonic() + self.random.uniform(*self.restart_seconds)
                self.say(f"worker {self.workers.index(worker)} left with {worker.returncode}")
            elif time.monotonic() >= due:
                del self._restart_at[worker]
                worker.start()
        self._note_recoveries()

    def _note_recoveries(self) -> None:
        """Kills in quick succession are one standstill; recovery is what the last of them took."""
        if not self._kills:
            return
        with contextlib.suppress(redis.RedisError):
            if min(self.updated_seconds()) > self._kills[-1]:
                self.recoveries.append(time.time() - self._kills[-1])
                self.standstills.append(time.time() - self._kills[0])
                self._kills.clear()

    def updated_seconds(self) -> list[float]:
        """Of every shard, until when everything that was read is in."""
        pipeline = self.client.pipeline(transaction=False)
        for kind, partition in SHARDS:
            pipeline.hget(shard_key(self.settings.redis.prefix, kind, partition, "meta"), "updated_us")
        return [int(updated or 0) / 1e6 for updated in pipeline.execute()]

    # -- waiting

    def sleep(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.supervise()
            time.sleep(POLL_SECONDS)

    def until(self, true: Callable[[], bool], seconds: float, what: str) -> float:
        """Wait; how long it took. Raises `Broken` if it does not come true."""
        began = time.monotonic()
        while not true():
            if time.monotonic() - began > seconds:
                raise Broken(f"not within {seconds:.0f} s: {what}")
            self.supervise()
            time.sleep(POLL_SECONDS)
        return time.monotonic() - began

    # -- events

    def feed(self, events: Sequence[Any], seconds: float, pieces: int | None = None) -> None:
        """Publish, evenly over so many seconds, or in so many bursts, while the test goes on."""
        self._feed = Feed(self.settings, events, seconds, -(-len(events) // pieces) if pieces else PUBLISH_EVENTS)

    @property
    def is_feeding(self) -> bool:
        return self._feed is not None and self._feed.is_running

    def fed(self) -> None:
        """Wait until all of it is published."""
        self.until(lambda: not self.is_feeding, EQUAL_SECONDS, "everything published")
        if self._feed is not None and self._feed.failure is not None:
            raise self._feed.failure

    def publish(self, events: Sequence[Any]) -> None:
        self.feed(events, 0)
        self.fed()

    def counters(self) -> dict[str, int]:
        """applied, unchanged, refused of all workers since each began."""
        found = [worker.counters() for worker in self.workers if worker.is_alive()]
        return {name: sum(one[name] for one in found) for name in ("applied", "unchanged", "refused")}

    def read(self) -> int:
        return sum(self.counters().values())

    def logged(self, pattern: str) -> int:
        """How often the workers' logs match."""
        return sum(len(re.findall(pattern, worker.logged())) for worker in self.workers)

    # -- truth

    def ask_oracle(self) -> None:
        """Begin to compute what the batch oracle says of all events, beside what goes on."""
        path = self.folder / "events.ndjson"
        path.write_bytes(b"".join(event.value + b"\n" for event in self.events))
        output, config = str(self.folder / "truth.json"), str(self.board.config)
        command = [output, "", "report", str(path), "--clock", self.settings.clock, "--config", config]
        self._oracle = nursery().start("command_entry", command, self.folder / "oracle.log")

    def forget_truth(self) -> None:
        """Events or their meaning changed: the oracle has to be asked again."""
        if self._oracle is not None and self._oracle.poll() is None:
            self._oracle.kill()
        self._oracle, self._cells = None, (None, None)

    def truth(self) -> dict[str, Any]:
        """What it says."""
        if self._oracle is None:
            self.ask_oracle()
        oracle = self._oracle
        self.until(lambda: oracle.poll() is not None, ORACLE_SECONDS, "the oracle is done")
        if oracle.returncode:
            raise Broken(f"the oracle failed: {(self.folder / 'oracle.log').read_text()}")
        found: dict[str, Any] = json.loads((self.folder / "truth.json").read_bytes())
        return found

    def cells(self) -> Any:
        """What the pure path makes of all events."""
        if self._cells[0] is not self.events:
            self._cells = (self.events, expected(self.settings, [(event.kind, event.value) for event in self.events]))
        return self._cells[1]

    def published(self) -> Any:
        """What Redis holds. What it held when it was last asked is not decoded again."""
        found: dict[Any, Any] = {}
        for kind, partition in SHARDS:
            fields = self.client.hgetall(shard_key(self.settings.redis.prefix, kind, partition, "cells"))
            if fields:
                found[kind, partition] = dict(
                    self._decode((kind, partition, field), value) for field, value in fields.items()
                )
        return found

    def _decode(self, place: tuple[Kind, int, bytes], value: bytes) -> tuple[Cell, CellValue]:
        known = self._decoded.get(place)
        if known is None or known[0] != value:
            cell = decode_cell(place[2])
            known = self._decoded[place] = (value, cell, decode_value(cell, value))
        return known[1:]

    def wrong_cells(self, wanted: Any) -> list[str]:
        try:
            return differences(wanted, self.published())
        except redis.RedisError as error:
            return [f"Redis: {error!r}"]

    def served(self, truth: dict[str, Any]) -> dict[str, Any] | None:
        """The board's documents; None while it does not answer."""
        organisation = self.board.json("/api/v1/organisation")
        if organisation is None:
            return None
        return {
            "organisation": organisation,
            "reps": {rep: self.board.json(f"/api/v1/reps/{quote(rep, safe='')}") for rep in truth["reps"]},
            "teams": {team: self.board.json(f"/api/v1/teams/{quote(team, safe='')}") for team in truth["teams"]},
        }

    def await_cells(self, wanted: Any, seconds: float | None = None) -> float:
        """Until Redis equals the pure path; how long it took.

        With a mechanism taken out, what differs has to stand still for a while: a slow machine is not wrong.
        """
        wrong, since = [""], time.monotonic()

        def is_decided() -> bool:
            nonlocal wrong, since
            found = self.wrong_cells(wanted)
            if found != wrong:
                wrong, since = found, time.monotonic()
            return not wrong or (bool(self.changes.mutations) and time.monotonic() - since > STILL_SECONDS)

        with contextlib.suppress(Broken):
            took = self.until(is_decided, seconds or EQUAL_SECONDS, "")
        if wrong:
            took = time.monotonic() - since
            raise Broken(f"{len(wrong)} cells differ, unchanged for {took:.0f} s: {wrong[:2]}; read {self.read()}")
        return took

    def verify(self) -> str:
        """Redis equals the pure path, and every document of the board the oracle's. Raises `Broken`."""
        self.fed()
        self.say("fed")
        wanted, truth = self.cells(), self.truth()
        self.await_cells(wanted)
        self.say("cells equal")
        why: list[str] = ["never asked"]

        def is_equal() -> bool:
            found = self.served(truth)
            now = (
                f"the board answers {self.board.get('/api/v1/organisation')}"
                if found is None
                else difference(truth, found)
            )
            if now and now != why[0]:
                self.say(now[:200])
            why[0] = now or ""
            return not why[0]

        try:
            self.until(is_equal, self.patience, "documents equal the oracle's")
        except Broken as broken:
            self.board.processes["board"].send_signal(signal.SIGUSR2)  # it writes into its log what it is doing
            raise Broken(f"{broken}: {why[0]}") from None
        self.say("documents equal")
        documents = 1 + len(truth["reps"]) + len(truth["teams"])
        return f"{sum(map(len, wanted.values())):,} cells and {documents} documents equal"

    def verify_changelog_alone(self) -> None:
        """All stop in order, disks are wiped, Redis is flushed: one worker has to know everything, reading no event.

        Cells may be equal before a partition whose worker was just killed has another one: its offsets are not
        committed then, and whoever reads on does right.
        """
        wanted = self.cells()
        self.until(self.is_committed, self.patience, "everything is committed")
        for worker in self.workers:
            if worker.is_alive():
                worker.signal(signal.SIGTERM)
        for worker in self.workers:
            self.leave(worker)
            worker.wipe()
        self.client.flushall()
        self.say("all stopped")
        first = self.workers[0]
        self.start(first, board=False)
        self.await_cells(wanted)
        self.say("equal from the changelog alone")
        if first.counters()["applied"]:
            raise Broken(f"the changelog lacked {first.counters()['applied']} events whose offsets are committed")

    def is_committed(self) -> bool:
        """Whether every partition of a source topic has a worker, and nothing in it waits to be committed."""
        waiting: dict[tuple[str, str], float] = {}
        for worker in self.workers:
            with contextlib.suppress(OSError):  # not there
                for family in text_string_to_metric_families(worker.page()):
                    for sample in family.samples:
                        if sample.name == "funnelwatch_consumer_lag_records":
                            place = sample.labels["topic"], sample.labels["partition"]
                            waiting[place] = max(sample.value, waiting.get(place, 0))
        topics_read = len(Kind) + 1  # and the one of links
        return len(waiting) == topics_read * self.settings.kafka.partitions and not any(waiting.values())


class Board(Deployment):
    """The board's process comes from the nursery, and may lack a mechanism."""

    def __init__(self, settings: Settings, folder: Path, changes: Changes) -> None:
        super().__init__(settings, folder)
        self._mutations = ",".join(name for name in changes.mutations if name in OF_THE_BOARD)

    def start(self, name: str) -> None:
        command = ["", self._mutations, name, "--config", str(self.config)]
        self.processes[name] = nursery().start("command_entry", command, self.folder / f"{name}.log")


class Feed:
    """Publishes in a thread of its own."""

    def __init__(self, settings: Settings, events: Sequence[Any], seconds: float, size: int) -> None:
        self._settings, self._events, self._seconds, self._size = settings, events, seconds, size
        self._stop = False
        self.failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def is_running(self) -> bool:
        return self._thread.is_alive()

    def stop(self) -> None:
        self._stop = True
        self._thread.join(10)

    def _run(self) -> None:
        try:
            asyncio.run(self._publish())
        except BaseException as failure:  # noqa: BLE001  (told to whoever waits for the feed)
            self.failure = failure

    async def _publish(self) -> None:
        began = time.monotonic()
        async with Publisher(self._settings, Secrets()) as publisher:
            for i in range(0, len(self._events), self._size):
                for event in self._events[i : i + self._size]:
                    await publisher.add(topics.input_topic(self._settings, event.kind), event.subject, event.value)
                await publisher.flush()
                if self._stop:
                    return
                ahead = began + self._seconds * (i + self._size) / len(self._events) - time.monotonic()
                await asyncio.sleep(max(0.0, ahead))


async def _delete_topics(settings: Settings) -> None:
    """A broker with the topics of hundreds of seeds is slow."""
    async with kafka_admin(settings, Secrets()) as admin:
        await admin.delete_topics([topic.name for topic in topics.wanted(settings)])
