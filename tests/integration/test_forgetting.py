"""State of entities beyond the retention is gone: from the disk, from the changelog and from Redis."""

from __future__ import annotations

import asyncio
import base64
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import redis
import rocksdict
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from support.worker_process import WorkerProcess, published, wait_until

from funnelwatch.agents import topics
from funnelwatch.agents.partitioning import partition_of
from funnelwatch.schemas.events import Kind
from funnelwatch.schemas.settings import Secrets
from funnelwatch.streams.cells import ItemCell

pytestmark = pytest.mark.integration

RUN = """
import sys, base64, msgspec
from funnelwatch.agents.engine import forgetting
from funnelwatch.agents.engine.worker import run
from funnelwatch.schemas.settings import Secrets, Settings
forgetting.STEP_SECONDS = 0.02
sys.exit(run(msgspec.msgpack.decode(base64.b64decode(sys.argv[1]), type=Settings), Secrets()))
"""
OLD, OPEN, NEW = "old-lost", "old-open", "new-lost"


class ForgetfulWorker(WorkerProcess):
    """Sweeps fifty times as fast."""

    def start(self):
        packed = base64.b64encode(msgspec.msgpack.encode(self.settings)).decode()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen([sys.executable, "-c", RUN, packed], stdout=log, stderr=log)
        return self


def event(subject: str, time: str, type_: str, number: int) -> bytes:
    head = {"specversion": "1.0", "id": f"{subject}-{number}", "source": "test", "type": type_, "subject": subject}
    data = {"rep_id": "ada", "pipeline": "default", "stage": "new", "amount": "1", "currency": "EUR"}
    return msgspec.json.encode({**head, "time": time, "data": data})


async def send(settings, *events: tuple[str, bytes]) -> None:
    topic = topics.input_topic(settings, Kind.DEAL)
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka.bootstrap[0]) as producer:
        for subject, value in events:
            home = partition_of(subject, settings.kafka.partitions)
            await producer.send_and_wait(topic, value=value, key=subject.encode(), partition=home)


async def last_records(settings) -> dict[str, bytes | None]:
    """What the changelog says last of each deal: None is what compaction removes."""
    topic = topics.changelog_topic(settings, Kind.DEAL)
    tps = [TopicPartition(topic, partition) for partition in range(settings.kafka.partitions)]
    last = {}
    async with AIOKafkaConsumer(
        bootstrap_servers=settings.kafka.bootstrap[0], auto_offset_reset="earliest"
    ) as consumer:
        consumer.assign(tps)
        ends = await consumer.end_offsets(tps)
        while any([await consumer.position(tp) < ends[tp] for tp in tps]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                last.update({record.key.decode(): record.value for record in records})
    return last


def deals_in(settings, client) -> set[str]:
    """The deals that Redis tells one by one."""
    return {
        cell.id
        for (kind, _), cells in published(settings, client).items()
        if kind is Kind.DEAL
        for cell in cells
        if isinstance(cell, ItemCell)
    }


def on_disk(settings, deal: str) -> list[bytes | None]:
    """The row of a deal, in its partition's RocksDB."""
    home = partition_of(deal, settings.kafka.partitions)
    paths = list(Path(settings.worker.data_dir).glob(f"**/{Kind.DEAL.value}-{home}.db"))
    return [rocksdict.Rdict(str(path), rocksdict.Options(raw_mode=True)).get(deal.encode()) for path in paths]


async def test_what_is_closed_and_beyond_the_retention_is_gone_everywhere_and_stays_gone(settings, redis_server):
    settings = msgspec.structs.replace(settings, clock="event", retention_days=30, recordings_days=1)
    await topics.ensure(settings, Secrets())
    closed = [(OLD, "2026-01-01T10:00:00Z"), (NEW, "2026-11-20T10:00:00Z")]
    newest = {partition_of(f"x{number}", settings.kafka.partitions): f"x{number}" for number in range(100)}
    worker = ForgetfulWorker(settings).start()
    try:
        await send(settings, (OPEN, event(OPEN, "2026-01-01T09:00:00Z", "deal.created", 1)))
        for subject, time in closed:
            await send(
                settings,
                (subject, event(subject, time, "deal.created", 1)),
                (subject, event(subject, time.replace("T10", "T11"), "deal.lost", 2)),
            )
        for subject in newest.values():  # each shard's clock is its own newest event
            await send(settings, (subject, event(subject, "2026-11-21T10:00:00Z", "deal.created", 1)))
        count = 5 + len(newest)
        wait_until(lambda: sum(worker.counters().values()) == count, 60, "everything read")
        with redis.Redis(port=redis_server.port) as client:
            wait_until(lambda: OPEN in deals_in(settings, client), 20, "published")
            wait_until(lambda: OLD not in deals_in(settings, client), 20, "gone from Redis")
            last: dict[str, bytes | None] = {}
            for _ in range(40):
                last = await last_records(settings)
                if last.get(OLD, b"") is None:
                    break
                await asyncio.sleep(1)  # a sweep that found nothing comes again in 20 s
            assert last[OLD] is None
            assert last[OPEN] is not None
            assert last[NEW] is not None
            assert worker.stop() == 0
            assert on_disk(settings, OLD) == [None]
            assert on_disk(settings, OPEN) != [None]

            shutil.rmtree(settings.worker.data_dir)
            client.flushdb()
            worker.start()
            wait_until(lambda: OPEN in deals_in(settings, client), 60, "published from the changelog alone")
            assert OLD not in deals_in(settings, client)
            assert worker.counters()["applied"] == 0
        assert worker.stop() == 0
    finally:
        if worker.is_alive():
            worker.kill()
