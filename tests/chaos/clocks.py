"""Row 7: 30 % repeats in no order, bursts, restarts, events a month late, wrong clocks, and every edge of a calendar.

One floor, and events at the edges of five calendars, told once; then everything restarts under one calendar after the
other on the same disks, and each time every document has to be what the oracle makes of the events.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from arena import Arena, Broken
from boundaries import CALENDARS, an_hour_off, in_other_times, on_edges
from prometheus_client.parser import text_string_to_metric_families
from reconfigured import restarted_under
from row import Bench, Row

from funnelwatch.agents import topics
from funnelwatch.schemas.fields import instant
from funnelwatch.streams.calendar import DAY_US
from funnelwatch.streams.simulator import Floor, Published
from funnelwatch.streams.simulator.demo import demo_settings

CLOCK = "2026-04-06T13:00:00Z"
"""Days after months began and clocks changed in both hemispheres."""
REPEAT_SHARE = 0.3
HOUR_OFF_SHARE = 0.1
SLICES = 6
BURST = 10
"""A burst comes so many times faster than what is between bursts."""
LOST_CLOCKS = 200
LETTER_SECONDS = 20.0


def run(bench: Bench) -> str:
    now = instant(CLOCK, "clock")
    base = msgspec.structs.replace(demo_settings(CALENDARS["Tehran"]), clock=CLOCK)
    _, lived = Floor.with_history(bench.seed, now, base, reps=bench.pick(4, 12), days=bench.pick(14, 90))
    arena = Arena(
        bench.broker, bench.folder, seed=bench.seed, size=(1, 1), changes=bench.changes, workers=2, base=base,
        events=an_hour_off([*on_edges(now), *lived], bench_random(bench), HOUR_OFF_SHARE),
    )  # fmt: skip
    with arena:
        told = in_no_order(arena, now)
        lost = in_other_times(arena.events, arena.random, LOST_CLOCKS)
        arena.start()
        killed = in_bursts(arena, told)
        refused_before = refused(arena)
        arena.publish([event for event, _ in lost])
        figures = [f"Tehran: {arena.verify()}"]
        reasons = set_aside(arena, lost, refused_before)
        names = list(CALENDARS)[1:] if bench.is_long else ["Apia", "New York"]
        for name in names:
            restarted_under(arena, msgspec.structs.replace(arena.settings, calendar=CALENDARS[name]))
            figures.append(f"{name}: {arena.verify()}")
        if arena.own_exits:
            raise Broken(f"workers left with {arena.own_exits}")
        return (
            f"{len(told):,} events of which {len(told) - len(arena.events):,} repeats, in no order, in bursts of "
            f"{BURST} times the pace, {killed} kill -9; {reasons}; {'; '.join(figures)}"
        )


def bench_random(bench: Bench):
    import random

    return random.Random(f"{bench.seed}/clocks")


def in_no_order(arena: Arena, now: int) -> list[Published]:
    """Shuffled, nearly a third of it twice; of the month before the last, all comes at the very end."""
    told = [*arena.events, *(event for event in arena.events if arena.random.random() < REPEAT_SHARE)]
    arena.random.shuffle(told)
    is_late = [now - 60 * DAY_US <= event.at < now - 30 * DAY_US for event in told]
    return [event for event, late in zip(told, is_late, strict=True) if not late] + [
        event for event, late in zip(told, is_late, strict=True) if late
    ]


def in_bursts(arena: Arena, told: list[Published]) -> int:
    """A slow slice, a fast one, and so on; a worker is killed in each fast one, its disk lost every other time."""
    slow = len(told) // (SLICES // 2 * (BURST + 1))
    seconds, place, kills = 1.5, 0, 0
    for number in range(SLICES):
        size = slow * BURST if number % 2 else slow
        end = len(told) if number == SLICES - 1 else place + size
        arena.feed(told[place:end], seconds)
        if number % 2:
            arena.sleep(seconds / 2)
            alive = [worker for worker in arena.workers if worker.is_alive()]
            if alive:
                arena.kill(arena.random.choice(alive), wipe=kills % 2 == 1)
                kills += 1
        arena.fed()
        place = end
    arena.until(lambda: all(worker.is_ready() for worker in arena.workers), 60, "workers ready again")
    return kills


def refused(arena: Arena) -> Counter[str]:
    """How many events the workers have refused, by reason."""
    found: Counter[str] = Counter()
    for worker in arena.workers:
        with contextlib.suppress(OSError):
            for family in text_string_to_metric_families(worker.page()):
                for sample in family.samples:
                    if sample.name == "funnelwatch_refused_total":
                        found[sample.labels["reason"]] += int(sample.value)
    return found


def set_aside(arena: Arena, lost: list[tuple[Published, str]], before: Counter[str]) -> str:
    """Each event of a lost clock is a dead letter with its bytes and the right reason, and is counted."""
    wanted = Counter((event.value, reason.encode()) for event, reason in lost)
    end = time.monotonic() + LETTER_SECONDS
    while wanted - (found := Counter(asyncio.run(letters(arena)))) and time.monotonic() < end:
        arena.sleep(0.5)
    if missing := wanted - found:
        raise Broken(f"{missing.total()} events of lost clocks are no dead letters of their reason")
    counted = refused(arena) - before
    reasons = Counter(reason for _, reason in lost)
    if counted != reasons:
        raise Broken(f"refused were {dict(counted)}, and counted must be {dict(reasons)}")
    return ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items())) + " set aside and counted"


async def letters(arena: Arena) -> list[tuple[bytes, bytes]]:
    """Value and reason of every dead letter."""
    topic = topics.dead_letters_topic(arena.settings)
    found = []
    async with AIOKafkaConsumer(
        bootstrap_servers=arena.settings.kafka.bootstrap, auto_offset_reset="earliest"
    ) as consumer:
        parts = [TopicPartition(topic, partition) for partition in range(arena.settings.kafka.partitions)]
        consumer.assign(parts)
        ends = await consumer.end_offsets(parts)
        for part in parts:
            while await consumer.position(part) < ends[part]:
                records = (await consumer.getmany(part, timeout_ms=500)).get(part, [])
                found += [(record.value, dict(record.headers)["dlq_reason"]) for record in records]
    return found


ROW = Row(
    "clocks",
    "7",
    "repeats in no order, bursts, restarts, late events, wrong clocks, edges of calendars",
    run,
    mutations=("any_time_taken", "calendar_in_utc"),
)
