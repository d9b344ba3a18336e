"""Row 6: messages nobody can read, between good ones."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from arena import Arena, Broken
from row import Bench, Row

from funnelwatch.agents import topics
from funnelwatch.schemas.codec import UNLIMITED, decode
from funnelwatch.schemas.events import Kind, Refusal

OVERSIZE_BYTES = 900_000
OVERSIZE_EVERY = 500
TOTAL_SECONDS = 120.0
NUMBERS = ("NaN", "1e999", "-Infinity", "1e-9", "true", '"\\ud800"', "{}", "[]", '""', "null")


def run(bench: Bench) -> str:
    wanted = bench.pick(5_000, 100_000)
    with Arena(
        bench.broker,
        bench.folder,
        seed=bench.seed,
        size=(8, 15),
        changes=bench.changes,
        worker={"storm_share": 1.0},  # row `storm` is about stopping; here everything is to be read
    ) as arena:
        arena.ask_oracle()
        arena.start()
        bad = poison(random.Random(f"{bench.seed}/poison"), arena.events, wanted)
        arena.feed(arena.events, 10)
        asyncio.run(send(arena, bad))
        refused = sum(count for _, _, count in bad)
        total = len(arena.events) + refused
        arena.fed()
        took = arena.until(lambda: arena.read() >= total, TOTAL_SECONDS, f"{total} events counted")
        equal = arena.verify()
        found = arena.counters()
        if found["refused"] != refused or sum(found.values()) != total or arena.own_exits:
            raise Broken(f"{len(arena.events)} good and {refused} bad ones became {found}; exits {arena.own_exits}")
        sent = Counter(value for _, value, count in bad if count == 1 and not _is_batch(value))
        letters = Counter(asyncio.run(values_of(arena, topics.dead_letters_topic(arena.settings))))
        missing = sent - letters
        if missing or letters.total() != refused:
            raise Broken(f"{letters.total()} dead letters of {refused} refused; {missing.total()} lack their bytes")
        return (
            f"{len(bad):,} poison messages, {refused:,} refused, each a dead letter with its bytes; nobody left; "
            f"{total:,} events read once each, the last {took:.1f} s after it was sent; {equal}"
        )


Poison = tuple[Kind, bytes, int]
"""Where it goes, what it is, how many refusals it must become."""


def poison(random: random.Random, events: list[Any], wanted: int) -> list[Poison]:
    """Messages of which no part is a valid event, by the codec's own word without limits of time."""
    found: list[Poison] = []
    while len(found) < wanted:
        event = random.choice(events)
        value = random.choice(MAKERS)(random, event.value)
        if len(found) % OVERSIZE_EVERY == 0:
            value = b'{"specversion":"1.0","pad":"' + b"x" * OVERSIZE_BYTES
        results = decode(event.kind, value, (), UNLIMITED)
        if results and all(isinstance(result, Refusal) for result in results):
            found.append((event.kind, value, len(results)))
    return found


def _noise(random: random.Random, _: bytes) -> bytes:
    return random.randbytes(random.randrange(200))


def _truncated(random: random.Random, value: bytes) -> bytes:
    return value[: random.randrange(len(value))]


def _flipped(random: random.Random, value: bytes) -> bytes:
    place = random.randrange(len(value))
    return value[:place] + random.randbytes(1) + value[place + 1 :]


def _deep(random: random.Random, _: bytes) -> bytes:
    depth = random.choice([100, 1_000, 5_000])
    return b'{"data":' * depth + b"1" + b"}" * depth if random.random() < 0.5 else b"[" * depth


def _number(random: random.Random, value: bytes) -> bytes:
    event = json.loads(value)
    text = random.choice([*NUMBERS, "1" * 400])
    field = random.choice(["amount", "talk_seconds", "rep_id", "stage", "currency"])
    event.setdefault("data", {})[field] = "@@"
    return json.dumps(event).replace('"@@"', text).encode()


def _envelope(random: random.Random, value: bytes) -> bytes:
    event = json.loads(value)
    name = random.choice([name for name in event if name != "data"])
    event[name] = random.choice([None, 5, "", [], {}, "\ud800", "x" * 5_000, "1970-13-45T99:99:99Z", True])
    return json.dumps(event).encode()


def _doubled(random: random.Random, value: bytes) -> bytes:
    return value[:-1] + b',"id":"twice","type":7}'


def _batch(random: random.Random, value: bytes) -> bytes:
    return b"[" + b",".join(random.choice([b"7", b"null", b"{}", b'{"a":1}', b'"x"']) for _ in range(3)) + b"]"


MAKERS = (_noise, _truncated, _flipped, _deep, _number, _envelope, _doubled, _batch)


def _is_batch(value: bytes) -> bool:
    return value.lstrip()[:1] == b"["


async def send(arena: Arena, bad: list[Poison]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=arena.broker.bootstrap, max_request_size=2**20) as producer:
        for number, (kind, value, _) in enumerate(bad):
            sent = await producer.send(
                topics.input_topic(arena.settings, kind), value=value, key=f"poison-{number % 97}".encode()
            )
        await sent
        await producer.flush()


async def values_of(arena: Arena, topic: str) -> list[bytes | None]:
    """The values of everything in a topic."""
    async with AIOKafkaConsumer(
        bootstrap_servers=arena.broker.bootstrap, auto_offset_reset="earliest", enable_auto_commit=False
    ) as consumer:
        parts = consumer.partitions_for_topic(topic) or await _partitions(consumer, topic)
        tps = [TopicPartition(topic, part) for part in parts]
        consumer.assign(tps)
        ends = await consumer.end_offsets(tps)
        found: list[bytes | None] = []
        while any([await consumer.position(tp) < ends[tp] for tp in tps]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                found += [record.value for record in records]
        return found


async def _partitions(consumer: Any, topic: str) -> set[int]:
    await consumer._client.force_metadata_update()
    return consumer.partitions_for_topic(topic) or set(range(4))


ROW = Row(
    "poison",
    "6",
    "bytes nobody can read: noise, truncated, mutated, nested, oversize",
    run,
    mutations=("letters_dropped",),
)
