"""Row 12: two years of 500 reps, replayed at full speed: memory is bounded, and what is past the retention is gone.

Events are told piece by piece: simulated, written to a file in packed batches, published by ``funnelwatch replay``. The
clock is the events' own, and the retention is shorter than the history, so that state has to go while more comes. The
oracle is asked about some whole teams (all of them in the short form): a rep's document depends on the team's alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.parse import quote

import msgspec
import rocksdict
from aiokafka import AIOKafkaConsumer, TopicPartition
from arena import UNTIL, Arena, Broken
from nursery import nursery
from recovery import resident_mb
from row import Bench, Row
from support.compare import difference

from funnelwatch.agents import topics
from funnelwatch.agents.board.shards import shard_key
from funnelwatch.agents.engine import table_store
from funnelwatch.schemas.codec import UNLIMITED, decode
from funnelwatch.schemas.events import Event, Kind
from funnelwatch.schemas.settings import Settings
from funnelwatch.streams.calendar import DAY_US, Calendar
from funnelwatch.streams.cells import DayCell, decode_cell
from funnelwatch.streams.folds import FOLDS
from funnelwatch.streams.oracle import report
from funnelwatch.streams.simulator import Floor, Published
from funnelwatch.streams.simulator.demo import TEHRAN_CALENDAR, demo_settings

MONTHS, MONTH_DAYS = 24, 30
PIECES_SHORT = 6
RETENTION_DAYS = 400
PACE = 0.36
"""Of what a rep of the simulator does: 5 million events of 500 reps in two years."""
PACK = 500
SETTLE_SECONDS = 1_200.0
GROWTH_MAX = 1.35
"""How much larger a process may be at the end than when the first state was past the retention."""
FULL_MONTHS = RETENTION_DAYS // MONTH_DAYS + 1
LOOK_SECONDS = 0.5


class Size(NamedTuple):
    """Megabytes resident after a month."""

    worker: float
    board: float


def run(bench: Bench) -> str:
    reps, teams, sampled = bench.pick((3, 2, 2), (500, 50, 2))
    base = msgspec.structs.replace(demo_settings(TEHRAN_CALENDAR), clock="event", retention_days=RETENTION_DAYS)
    arena = Arena(
        bench.broker, bench.folder, seed=bench.seed, size=(1, 1), changes=bench.changes, workers=1, base=base, events=[]
    )
    floor = Floor(bench.seed, UNTIL - MONTHS * MONTH_DAYS * DAY_US, base, reps=reps, teams=teams)
    for desk in floor._world.desks.values():
        desk.pace *= PACE
    sample = Sample(floor, sampled)
    with arena, Watched(arena) as watched:
        began = time.monotonic()
        sizes, events = [], 0
        for path, told in pieces(floor, bench.folder, sample, bench.pick(PIECES_SHORT, MONTHS)):
            replayed(arena, path)
            events += told
            arena.until(lambda: arena.read() >= events, SETTLE_SECONDS, f"{events} events read")  # noqa: B023  (at once)
            sizes.append(watched.peak())
            arena.say(f"piece {len(sizes)}: {events:,} events, MB {sizes[-1].worker:.0f}/{sizes[-1].board:.0f}")
        seconds = time.monotonic() - began
        if arena.read() != events or arena.own_exits:
            raise Broken(f"{events:,} events published, {arena.read():,} counted, exits {arena.own_exits}")
        documents = sample.equal(arena)
        gone = forgotten(arena)
        full = FULL_MONTHS * len(sizes) // MONTHS
        for name, before, after in zip(Size._fields, sizes[full], sizes[-1], strict=True):
            if after > GROWTH_MAX * before:
                raise Broken(f"the {name} grew from {before:.0f} MB when state began to go to {after:.0f} MB")
        told = " ".join(f"{size.worker:.0f}/{size.board:.0f}" for size in sizes[:: len(sizes) // PIECES_SHORT])
        return (
            f"{events:,} events of {reps} reps in {MONTHS} months, simulated and folded in {seconds:.0f} s; MB of "
            f"worker/board, from beginning to end: {told}; {gone}; {documents} documents equal"
        )


class Sample:
    """Events of some whole teams, for the oracle."""

    def __init__(self, floor: Floor, teams: int) -> None:
        chosen = list(dict.fromkeys(rep.team for rep in floor.reps))[:teams]
        self.reps = [rep.id for rep in floor.reps if rep.team in chosen]
        self._numbers = {rep.rpartition("-")[2] for rep in self.reps}
        self._everybody = {rep.id for rep in floor.reps}
        self.events: list[Published] = []
        self.newest = 0

    def take(self, event: Published) -> None:
        self.newest = max(self.newest, event.at)
        number = event.subject.rpartition("-")[2] if event.kind is Kind.REP else event.subject.split("-")[-2]
        if number in self._numbers:
            self.events.append(event)

    def equal(self, arena: Arena) -> int:
        """Wait until the board's documents are the oracle's; how many were compared."""
        truth = self._truth(arena.settings)
        why = [""]

        def is_equal() -> bool:
            found = {rep: arena.board.json(f"/api/v1/reps/{quote(rep, safe='')}") for rep in truth}
            why[0] = difference(truth, found) or ""
            return not why[0]

        try:
            arena.until(is_equal, max(60.0, arena.patience), "documents equal the oracle's")
        except Broken as broken:
            raise Broken(f"{broken}: {why[0]}") from None
        return len(truth)

    def _truth(self, settings: Settings) -> dict[str, Any]:
        taken = (found for told in self.events for found in decode(told.kind, told.value, (), UNLIMITED))
        documents = report(settings, [event for event in taken if isinstance(event, Event)], self.newest)
        return {rep: msgspec.to_builtins(documents.reps[rep]) for rep in self.reps if rep in documents.reps}


def pieces(floor: Floor, folder: Path, sample: Sample, count: int) -> Iterator[tuple[Path, int]]:
    """Each piece's events in a file, some hundred of one kind a line; it goes when the next is asked for."""
    for number in range(count):
        path, told = folder / f"piece{number}.ndjson", 0
        with path.open("wb") as file:
            for _ in range(MONTHS * MONTH_DAYS // count):
                waiting: dict[Kind, list[bytes]] = {}
                for event in floor.advance(floor.now + DAY_US):
                    sample.take(event)
                    waiting.setdefault(event.kind, []).append(event.value)
                    told += 1
                for some in waiting.values():
                    for i in range(0, len(some), PACK):
                        file.write(b"[" + b",".join(some[i : i + PACK]) + b"]\n")
        yield path, told
        path.unlink()


def replayed(arena: Arena, path: Path) -> None:
    """Publish a file; it ends when Kafka has all of it."""
    command = ["", "", "replay", "--pack", str(PACK), "--config", str(arena.board.config), str(path)]
    if nursery().start("command_entry", command, arena.folder / "replay.log").wait():
        raise Broken(f"replay failed: {(arena.folder / 'replay.log').read_text()[-500:]!r}")


class Watched:
    """Starts worker and board, and looks at their memory all the time."""

    def __init__(self, arena: Arena) -> None:
        self._arena = arena
        self._peak = Size(0, 0)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._arena.start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(5)

    def peak(self) -> Size:
        """The largest since the last call."""
        peak, self._peak = self._peak, Size(0, 0)
        return peak

    def _look(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            worker = resident_mb(self._arena.workers[0].pid)
            board = resident_mb(self._arena.board.processes["board"].pid)
            self._peak = Size(max(self._peak.worker, worker), max(self._peak.board, board))


def forgotten(arena: Arena) -> str:
    """Wait until no state is past the retention: not on the disk, not in the changelog, not in Redis."""
    days = Calendar(arena.settings.calendar)
    (worker,) = arena.workers
    patience = arena.patience if arena.changes.mutations else SETTLE_SECONDS
    took = arena.until(lambda: not past_in_redis(arena, days), patience, "Redis has no day past the retention")
    took += arena.until(lambda: not on_disk(arena)[1], patience, "no row past the retention is on the disk")
    arena.sleep(2)
    arena.leave(worker)
    rows, _ = on_disk(arena)
    live, tombstones = asyncio.run(in_changelog(arena))
    if live != rows:
        raise Broken(
            f"{len(live - rows)} rows are in the changelog and not on the disk, {len(rows - live)} the other way"
        )
    if not tombstones:
        raise Broken("nothing was forgotten: the history is too short")
    return f"{tombstones:,} entities forgotten and {len(rows):,} kept, {took:.0f} s after the last event"


def oldest(arena: Arena) -> int:
    """The end of what is forgotten, by shard the newest event: all have some of the last day."""
    newest = min(
        int(arena.client.hget(shard_key(arena.settings.redis.prefix, kind, partition, "meta"), "watermark_us") or 0)
        for kind in (Kind.DEAL, Kind.CALL)
        for partition in range(arena.settings.kafka.partitions)
    )
    return newest - (RETENTION_DAYS + 2) * DAY_US


def past_in_redis(arena: Arena, days: Calendar) -> int:
    """How many cells are of a day past the retention, but for those of deals and leads that are open still."""
    until, found = days.day(oldest(arena)), 0
    for kind in (Kind.CALL, Kind.EMAIL):
        for partition in range(arena.settings.kafka.partitions):
            for field in arena.client.hkeys(shard_key(arena.settings.redis.prefix, kind, partition, "cells")):
                cell = decode_cell(field)
                found += isinstance(cell, DayCell) and cell.day < until
    return found


def on_disk(arena: Arena) -> tuple[set[tuple[Kind, bytes]], list[bytes]]:
    """All rows, and those that should be gone. The worker may be running."""
    rows, past, before = set(), [], oldest(arena)
    folder, copies = Path(arena.workers[0].settings.worker.data_dir), arena.folder / "second"
    copies.mkdir(exist_ok=True)
    for path in sorted(folder.rglob("*.db")):
        found = re.search(r"(lead|deal|call|email|rep)-\d+\.db$", path.name)
        if not found:
            continue
        kind = Kind(found[1])
        fold = FOLDS[kind]
        second = rocksdict.AccessType.secondary(str(copies / path.name))
        db = rocksdict.Rdict(str(path), rocksdict.Options(raw_mode=True), access_type=second)
        with contextlib.closing(db):
            for key, row in table_store.rows(db):
                rows.add((kind, key))
                if fold.forgettable(fold.decode(row), before):
                    past.append(key)
    return rows, past


async def in_changelog(arena: Arena) -> tuple[set[tuple[Kind, bytes]], int]:
    """Keys whose last record is a row, and how many have a tombstone last."""
    live: set[tuple[Kind, bytes]] = set()
    gone: set[tuple[Kind, bytes]] = set()
    for kind in Kind:
        topic = topics.changelog_topic(arena.settings, kind)
        async with AIOKafkaConsumer(
            bootstrap_servers=list(arena.settings.kafka.bootstrap), auto_offset_reset="earliest"
        ) as consumer:
            parts = [TopicPartition(topic, partition) for partition in range(arena.settings.kafka.partitions)]
            consumer.assign(parts)
            ends = await consumer.end_offsets(parts)
            for part in parts:
                while await consumer.position(part) < ends[part]:
                    for record in (await consumer.getmany(part, timeout_ms=500)).get(part, []):
                        (gone if record.value is None else live).add((kind, record.key))
                        (live if record.value is None else gone).discard((kind, record.key))
    return live, len(gone)


ROW = Row(
    "history",
    "12",
    "two years replayed at full speed: memory bounded, old state gone",
    run,
    mutations=("nothing_forgotten",),
)
