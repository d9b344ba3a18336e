"""A partition of which most is refused is not read on, with a real worker, broker and Redis."""

from __future__ import annotations

import asyncio
import time

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families
from support.worker_process import WorkerProcess, wait_until

from funnelwatch.agents import topics
from funnelwatch.agents.cli import funnelwatch
from funnelwatch.agents.demo.written import as_toml
from funnelwatch.agents.partitioning import partition_of
from funnelwatch.schemas.events import Kind
from funnelwatch.schemas.settings import Secrets

pytestmark = pytest.mark.integration

PARTITION = 1
GARBAGE = b"{nope"
SUBJECT = next(f"d{number}" for number in range(100) if partition_of(f"d{number}", 4) == PARTITION)


@pytest.fixture
async def worker(settings):
    rules = msgspec.structs.replace(
        settings.worker, storm_seconds=2.0, storm_events_min=20, storm_probe_seconds=1.5, session_seconds=6.0
    )
    settings = msgspec.structs.replace(settings, clock="event", worker=rules)
    await topics.ensure(settings, Secrets())
    process = WorkerProcess(settings).start()
    yield process
    if process.is_alive():
        process.kill()


def good(number: int) -> bytes:
    event = {"specversion": "1.0", "id": f"e{number}", "source": "test", "type": "deal.created", "subject": SUBJECT}
    data = {"rep_id": "ada", "pipeline": "default", "stage": "new", "amount": "1", "currency": "EUR"}
    return msgspec.json.encode({**event, "time": f"2026-11-20T10:00:{number % 60:02}Z", "data": data})


async def send(settings, *values: bytes) -> None:
    topic = topics.input_topic(settings, Kind.DEAL)
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka.bootstrap[0]) as producer:
        for value in values:
            await producer.send_and_wait(topic, value=value, key=SUBJECT.encode(), partition=PARTITION)


def stopped(worker) -> list[dict[str, str]]:
    return [
        sample.labels
        for family in text_string_to_metric_families(worker.page())
        for sample in family.samples
        if sample.name == "funnelwatch_partition_stopped" and sample.value == 1
    ]


async def storm(worker) -> int:
    """Garbage, a little at a time, until reading has stopped; how much."""
    sent, deadline = 0, time.monotonic() + 30
    while not stopped(worker):
        assert time.monotonic() < deadline
        await send(worker.settings, *[GARBAGE] * 10)
        sent += 10
        await asyncio.sleep(0.1)
    return sent


async def letters(settings) -> int:
    topic = topics.dead_letters_topic(settings)
    async with AIOKafkaConsumer(bootstrap_servers=settings.kafka.bootstrap[0]) as consumer:
        tps = [TopicPartition(topic, partition) for partition in range(settings.kafka.partitions)]
        return sum((await consumer.end_offsets(tps)).values())


def refused(worker) -> int:
    return worker.counters()["refused"]


async def test_it_stops_with_a_metric_and_goes_on_by_itself_when_events_are_taken_again(worker):
    settings = worker.settings
    wait_until(worker.is_ready, 60, "ready")
    sent = await storm(worker)
    assert stopped(worker) == [
        {"topic": topics.input_topic(settings, Kind.DEAL), "partition": str(PARTITION), "reason": "dead_letters"}
    ]
    assert not worker.is_ready()
    await send(settings, *[GARBAGE] * 50, *map(good, range(1, 41)))
    at_stop = refused(worker)
    await asyncio.sleep(1)
    assert refused(worker) - at_stop <= 20  # one probe

    wait_until(lambda: worker.counters()["applied"] + worker.counters()["unchanged"] == 40, 40, "the good ones")
    assert stopped(worker) == []
    assert worker.counters() == {"applied": 40, "unchanged": 0, "refused": sent + 50}
    assert await letters(settings) == sent + 50
    wait_until(worker.is_ready, 10, "ready again")
    assert worker.stop() == 0
    log = worker.log.read_text()
    assert f"{topics.input_topic(settings, Kind.DEAL)}[{PARTITION}] has stopped" in log
    assert "funnelwatch dlq resume --topic" in log
    assert "is read on: its events are taken again" in log


async def test_it_stays_stopped_over_a_restart_until_an_operator_reads_on(worker, tmp_path):
    settings = worker.settings
    config = tmp_path / "funnelwatch.toml"
    config.write_text(as_toml(settings), encoding="utf-8")
    wait_until(worker.is_ready, 60, "ready")
    sent = await storm(worker)
    await send(settings, *[GARBAGE] * 300)
    assert worker.stop() == 0
    before = await letters(settings)
    worker.start()
    wait_until(lambda: worker.is_alive() and _answers(worker) and stopped(worker), 60, "stopped after the restart, too")
    assert await letters(settings) - before < 300

    command = ("dlq", "resume", "--topic", "crm.deals", "--config", str(config))
    listed = await asyncio.to_thread(CliRunner().invoke, funnelwatch, [*command, "--list"])
    assert f"crm.deals[{PARTITION}] stopped" in listed.output
    done = await asyncio.to_thread(CliRunner().invoke, funnelwatch, [*command, "--for", "1m"])

    assert (done.exit_code, done.output.splitlines()[-1]) == (0, "1 partitions are read on, 0 not."), done.output
    deadline = time.monotonic() + 20
    while await letters(settings) < sent + 300:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.2)
    assert await letters(settings) == sent + 300
    assert stopped(worker) == []
    assert worker.stop() == 0


def _answers(worker) -> bool:
    try:
        worker.page()
    except OSError:
        return False
    return True
