"""A large table: its recovery from the changelog alone, and a restart on the same disk, until a new event is seen.

In the short form a worker folds the deals' events. In the long form a million rows, made by the same fold, are written
to the changelog directly: recovery reads nothing else, and the folding of millions of events is row 12's.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

from aiokafka import AIOKafkaProducer
from arena import UNTIL, Arena, Broken
from chaos_worker import ChaosWorker
from row import Bench, Row
from support.worker_process import differences

from funnelwatch.agents import topics
from funnelwatch.agents.board.shards import shard_key
from funnelwatch.agents.engine.changelog import batches
from funnelwatch.agents.engine.judging import Judge
from funnelwatch.agents.partitioning import partition_of
from funnelwatch.schemas.codec import UNLIMITED, decode
from funnelwatch.schemas.events import Event, Kind
from funnelwatch.schemas.settings import Settings
from funnelwatch.streams.calendar import DAY_US, Calendar
from funnelwatch.streams.cells import Contribution, DayCell, ItemCell, encode
from funnelwatch.streams.context import Context
from funnelwatch.streams.folds import FOLDS
from funnelwatch.streams.shard import ShardCells
from funnelwatch.streams.simulator import Published
from funnelwatch.streams.simulator.wire import instant

REPS = 500
TEAMS = 20
OPEN_SHARE = 0.2
KINDS_OF_DEAL = 5_000
"""So many different deals, each of which there is often in the long form."""
EMPTY_SECONDS_MAX, SAME_SECONDS_MAX = 60.0, 5.0
"""What is aimed at for a million rows; reported, since a shared machine proves neither."""
READY_SECONDS = 600.0
LOOK_SECONDS = 0.05
SHARE = re.compile(r"recovering: .*\bdeal (\d+) %")
PROGRESS = re.compile(r"Recovering: \d+ % of [0-9,]+ changelog records")
CLOSED_DAYS = 700
HOUR_US = 3_600_000_000


class Restart(NamedTuple):
    """Seconds from the process' start, its CPU until the event was seen, megabytes, and what was said meanwhile."""

    ready_seconds: float
    seen_seconds: float
    cpu_seconds: float
    peak_mb: float
    shares: list[int]
    lines: int

    def __str__(self) -> str:
        said = f", /readyz told {len(set(self.shares))} shares, the log {self.lines} lines" if self.shares else ""
        cost = f"{self.cpu_seconds:.1f} s of CPU, {self.peak_mb:.0f} MB"
        return f"ready {self.ready_seconds:.1f} s, new event seen {self.seen_seconds:.1f} s, {cost}{said}"


def run(bench: Bench) -> str:
    count = bench.pick(2_000, 1_000_000)
    deals = list(made_up(bench.seed, min(count, KINDS_OF_DEAL)))
    arena = Arena(
        bench.broker,
        bench.folder,
        seed=bench.seed,
        size=(1, 1),
        changes=bench.changes,
        workers=1,
        events=[*reps(), *(event for deal in deals for event in deal)],
    )
    with arena:
        worker = arena.workers[0]
        if bench.is_long:
            wanted = asyncio.run(written(arena, deals, count))
            arena.say("rows written to the changelog")
        else:
            arena.start()
            arena.publish(arena.events)
            arena.verify()
            wanted = arena.cells()
            arena.leave(worker)
        seen: list[Restart] = []
        for number in range(2):
            if number == 0:
                worker.wipe()
                arena.client.flushall()
            seen.append(restarted(arena, worker, number))
            arena.say(f"restart {number}: {seen[-1]}")
            wrong = [line for line in differences(wanted, arena.published()) if "first:" not in line]
            if wrong:
                raise Broken(f"{len(wrong)} cells differ after restart {number}, for instance {wrong[:2]}")
            arena.leave(worker)
        if bench.is_long and (not seen[0].lines or len(set(seen[0].shares)) < 5):
            raise Broken(f"a long recovery says too little of itself: {seen[0]}")
        cells = sum(map(len, wanted.values()))
        empty, same = seen
        aims = f"(aims: {EMPTY_SECONDS_MAX:.0f} s and {SAME_SECONDS_MAX:.0f} s)"
        return f"{count:,} deals, {cells:,} cells equal: empty disk: {empty}; same disk: {same} {aims}"


def reps() -> list[Published]:
    began = UNTIL - 790 * DAY_US
    who = ((f"rep-{number}", {"name": f"Rep {number}", "team": f"Team {number % TEAMS}"}) for number in range(REPS))
    return [_event(Kind.REP, "upserted", rep, began, data) for rep, data in who]


def made_up(seed: int, count: int) -> Iterator[list[Published]]:
    """The events of deals: open ones of the last weeks, and ones that were closed within two years."""
    random = Random(f"{seed}/deals")
    for number in range(count):
        subject, rep = f"deal-{number:07d}", f"rep-{random.randrange(REPS)}"
        is_open = random.random() < OPEN_SHARE
        created = UNTIL - random.randrange(1, 40 if is_open else CLOSED_DAYS) * DAY_US - random.randrange(DAY_US)
        data = {
            "rep_id": rep,
            "pipeline": "new business",
            "stage": "qualification",
            "amount": f"{random.randrange(200, 90_000)}.50",
            "currency": "EUR",
            "customer": f"Customer {random.randrange(5_000)}",
        }
        yield [
            _event(Kind.DEAL, "created", subject, created, data),
            _event(Kind.DEAL, "stage_changed", subject, created + 2 * HOUR_US, {"stage": "proposal"}),
            *([] if is_open else [_closed(random, subject, rep, created + random.randrange(3, 24) * HOUR_US)]),
        ]


def _closed(random: Random, subject: str, rep: str, at: int) -> Published:
    if random.random() < 0.4:
        return _event(Kind.DEAL, "won", subject, at, {"rep_id": rep})
    return _event(Kind.DEAL, "lost", subject, at, {"rep_id": rep, "lost_reason": random.choice(("price", "timing"))})


def _event(kind: Kind, what: str, subject: str, at: int, data: dict) -> Published:
    value = {
        "specversion": "1.0",
        "id": f"{subject}/{what}",
        "source": "//crm.example",
        "type": f"{kind.value}.{what}",
        "subject": subject,
        "time": instant(at - at % 1_000),
        "data": data,
    }
    return Published(kind, subject, json.dumps(value).encode(), at)


async def written(arena: Arena, deals: list[list[Published]], count: int) -> dict:
    """Write rows of so many deals to the changelog, and of the reps; the cells that they must become."""
    settings = arena.settings
    context = Context(settings, Calendar(settings.calendar))
    truth = Truth(settings, context)
    async with AIOKafkaProducer(
        bootstrap_servers=list(settings.kafka.bootstrap), acks="all", enable_idempotence=True, max_batch_size=900_000
    ) as producer:
        for kind, stories in ((Kind.REP, [[event] for event in reps()]), (Kind.DEAL, deals)):
            fold = FOLDS[kind]
            states = [folded(kind, story) for story in stories]
            rows = [fold.encode(state) for state in states]
            told = [
                fold.contribution(story[0].subject, state, context)
                for story, state in zip(stories, states, strict=True)
            ]
            homes: dict[int, list[tuple[bytes, bytes | None]]] = {}
            for number in range(count if kind is Kind.DEAL else len(stories)):
                place = number % len(states)
                subject = stories[place][0].subject if number < len(states) else f"deal-{number:07d}"
                partition = partition_of(subject, settings.kafka.partitions)
                homes.setdefault(partition, []).append((subject.encode(), rows[place]))
                truth.add((kind, partition), told[place], subject)
            topic = topics.changelog_topic(settings, kind)
            for partition, records in homes.items():
                for batch in batches(producer, records, []):
                    await (await producer.send_batch(batch, topic, partition=partition))
    return truth.cells()


class Truth:
    """The cells of many deals that are like few: what is a sum is multiplied."""

    def __init__(self, settings: Settings, context: Context) -> None:
        self._settings, self._context = settings, context
        self._cells: dict[tuple[Kind, int], ShardCells] = {}
        self._counts: Counter[tuple[tuple[Kind, int], int]] = Counter()
        self._told: dict[int, Contribution] = {}

    def add(self, shard: tuple[Kind, int], told: Contribution, subject: str) -> None:
        """One more entity of that shard that contributes the like."""
        if shard not in self._cells:
            self._cells[shard] = ShardCells(self._context.calendar, self._settings.recordings_days)
            self._cells[shard].advance_to(Judge(self._settings).shard_now(0, None))
        self._counts[shard, id(told)] += 1
        self._told[id(told)] = told
        if told.items:
            items = {ItemCell(cell.rep, cell.type, subject): item for cell, item in told.items.items()}
            self._cells[shard].add(None, Contribution(items=items))

    def cells(self) -> dict:
        """All of them."""
        for (shard, number), count in self._counts.items():
            told = self._told[number]
            sums = {key: amount * count for key, amount in told.sums.items()}
            self._cells[shard].add(None, Contribution(sums=sums, advances=told.advances))
        return {shard: found for shard, one in self._cells.items() if (found := one.all_cells())}


def folded(kind: Kind, story: list[Published]):
    fold = FOLDS[kind]
    state = fold.empty()
    for told in story:
        for event in decode(kind, told.value, (), UNLIMITED):
            if isinstance(event, Event):
                fold.add(state, event)
    return state


def restarted(arena: Arena, worker: ChaosWorker, number: int) -> Restart:
    """Start the worker with one new event waiting, and watch it until the figure of that event is in Redis."""
    event = _event(Kind.EMAIL, "sent", f"first:{number}", UNTIL - HOUR_US, {"rep_id": f"first:{number}", "cold": True})
    arena.publish([event])
    said, began = len(worker.logged()), time.monotonic()
    arena.start(worker, board=False, ready=False)
    ready = found = cpu = peak = 0.0
    shares: list[int] = []
    while not (is_seen := seen(arena, event)) or not ready:
        spent = time.monotonic() - began
        if spent > READY_SECONDS or not worker.is_alive():
            raise Broken(f"no figure of a new event after {spent:.0f} s; the worker runs: {worker.is_alive()}")
        peak = max(peak, resident_mb(worker.pid))
        status, text = readiness(worker)
        if status == 200 and not ready:
            ready = spent
        if share := SHARE.search(text):
            shares.append(int(share[1]))
        if not is_seen:
            found, cpu = spent, cpu_seconds(worker.pid)
        time.sleep(LOOK_SECONDS)
    return Restart(ready, found, cpu, peak, shares, len(PROGRESS.findall(worker.logged()[said:])))


def seen(arena: Arena, event: Published) -> bool:
    day = Calendar(arena.settings.calendar).day(event.at)
    partition = partition_of(event.subject, arena.settings.kafka.partitions)
    key = shard_key(arena.settings.redis.prefix, Kind.EMAIL, partition, "cells")
    return bool(arena.client.hexists(key, encode(DayCell(event.subject, day))))


def resident_mb(pid: int) -> float:
    """What the process has in memory now."""
    with contextlib.suppress(OSError):
        found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
        return int(found[1]) / 1_024 if found else 0.0
    return 0.0


def cpu_seconds(pid: int) -> float:
    """What the process has had of processors since it began."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def readiness(worker: ChaosWorker) -> tuple[int, str]:
    url = f"http://127.0.0.1:{worker.settings.worker.port}/readyz"
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()
    except OSError:
        return 0, ""


ROW = Row(
    "recovery",
    "8",
    "a large table recovered from its changelog alone, and started again on its disk",
    run,
    mutations=("recovery_skips",),
)
