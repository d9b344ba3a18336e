"""The gateway on a real Kafka: what is answered 200 is there, in its order, also when Kafka was away meanwhile."""

from __future__ import annotations

import asyncio
import json
import os
import re
import textwrap
import time
import urllib.request
from collections import defaultdict
from pathlib import Path

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import NewTopic
from support.deployment import Deployment
from support.gateway import SECRET, event, gateway_settings, running, signed, spooled

from funnelwatch.agents import topics
from funnelwatch.agents.connections import kafka_admin
from funnelwatch.agents.embedded import EmbeddedKafka, free_ports
from funnelwatch.agents.partitioning import partition_of
from funnelwatch.schemas.settings import GatewaySettings, KafkaSettings, Secrets, SourceSettings

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

POLL_MS = 500


async def read(settings, count):
    """The records of the topic of deals, until there are so many."""
    topic = topics.input_topic(settings, "deal")
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=settings.kafka.bootstrap[0], auto_offset_reset="earliest")
    found = []
    async with consumer:
        while len(found) < count:
            batches = await asyncio.wait_for(consumer.getmany(timeout_ms=POLL_MS), 30)
            found += [record for batch in batches.values() for record in batch]
    return found


async def test_what_is_accepted_is_on_its_topic_in_its_partition_and_order(settings, tmp_path):
    settings = gateway_settings(tmp_path, kafka=settings.kafka)
    await topics.ensure(settings, Secrets())
    async with running(settings) as gateway:

        async def connected():
            return await gateway.metric("funnelwatch_gateway_kafka_up") == 1

        await gateway.until("Kafka takes events", connected)
        for start in range(0, 200, 20):
            batch = [event(number, subject=f"own:{number % 17}") for number in range(start, start + 20)]
            assert (await gateway.post(batch))[0] == 200
        assert await gateway.metric("funnelwatch_spool_events") == 0
    records = await read(settings, 200)

    assert spooled(settings) == []
    order = defaultdict(list)
    for record in records:
        subject = record.key.decode()
        assert record.partition == partition_of(subject, settings.kafka.partitions)
        order[subject].append(int(json.loads(record.value)["id"]))
    assert sorted(number for numbers in order.values() for number in numbers) == list(range(200))
    assert all(numbers == sorted(numbers) for numbers in order.values())


async def test_nothing_is_lost_while_kafka_is_away_and_the_disk_is_drained_in_order(tmp_path):
    broker = EmbeddedKafka(tmp_path / "kafka", *free_ports(2))
    broker.start()
    settings = gateway_settings(tmp_path, kafka=KafkaSettings(bootstrap=(broker.bootstrap,)), kafka_seconds=1.0)
    await topics.ensure(settings, Secrets())
    sent = 0

    async def post(gateway, count):
        nonlocal sent
        for _ in range(count):
            assert (await gateway.post(event(sent)))[0] == 200
            sent += 1

    async with running(settings) as gateway:

        async def connected():
            return await gateway.metric("funnelwatch_gateway_kafka_up") == 1

        await gateway.until("Kafka takes events", connected)
        await post(gateway, 20)
        await asyncio.to_thread(broker.kill)
        await post(gateway, 50)
        assert await gateway.metric("funnelwatch_spool_events") == 50
    async with running(settings) as gateway:  # it starts without Kafka, too
        await post(gateway, 20)
        await asyncio.to_thread(broker.start)
        await gateway.until("Kafka takes events again", connected, 60)
        await post(gateway, 10)
        assert await gateway.metric("funnelwatch_spool_events") == 0
    records = await read(settings, sent)
    broker.stop()

    first = list(dict.fromkeys(int(json.loads(record.value)["id"]) for record in records))
    assert first == list(range(sent))


def test_from_the_signed_request_to_the_figure_in_under_a_second(settings, tmp_path, monkeypatch):
    monkeypatch.setenv("FUNNELWATCH_SECRET_OWN", SECRET)
    (port,) = free_ports(1)
    settings = msgspec.structs.replace(
        settings,
        gateway=GatewaySettings(port=port, data_dir=str(tmp_path / "gateway")),
        sources=(SourceSettings(name="own", system="cloudevents"),),
    )
    with Deployment(settings, tmp_path / "run") as deployment:
        for name in ("board", "worker", "gateway"):
            deployment.start(name)
        deployment.wait("the gateway reaches Kafka", lambda: _kafka_up(port))
        deployment.wait("the board is ready", lambda: deployment.get("/readyz")[0] == 200)
        waited = [_visible(deployment, port, number) for number in range(5)]

        assert all(deployment.stop(name) == 0 for name in ("gateway", "worker", "board"))
    assert min(waited) < 1.0, waited


def _kafka_up(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            return b"funnelwatch_gateway_kafka_up 1.0" in answer.read()
    except OSError:
        return False


def _visible(deployment, port, number):
    """Seconds from the sending of a won deal until the rep's figure on the board has it."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    body = json.dumps(
        event(number, subject=f"own:{number}", rep_id="sara", amount="10", currency="EUR") | {"time": now}
    ).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/hooks/own", body, signed(body))
    began = time.monotonic()
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 200
    while time.monotonic() < began + 20:
        document = deployment.json("/api/v1/reps/sara")
        if document and document["windows"]["24h"]["won"] == number + 1:
            return time.monotonic() - began
        time.sleep(0.01)
    raise AssertionError(f"not visible: {os.linesep.join(map(deployment.log, deployment.processes))}")


async def test_changes_of_a_database_are_read_from_where_they_were_left(settings, tmp_path):
    topic = f"{settings.kafka.prefix}erp.public.deals"
    page = (Path(__file__).parents[2] / "docs" / "sources" / "debezium.md").read_text("utf-8")
    mapping = tmp_path / "erp.toml"
    mapping.write_text(textwrap.dedent(re.findall(r"```toml\n(.*?)```", page, re.DOTALL)[1]), encoding="utf-8")
    change = json.loads(re.search(r"```json\n(.*?)\n```", page, re.DOTALL)[1])
    erp = SourceSettings(name="erp", system="debezium", mapping_file=str(mapping), options={"topics": topic})
    settings = gateway_settings(tmp_path, erp, kafka=settings.kafka)
    await topics.ensure(settings, Secrets())
    async with kafka_admin(settings, Secrets()) as admin:
        await admin.create_topics([NewTopic(topic, 1, 1)])

    async def changed(numbers):
        async with AIOKafkaProducer(bootstrap_servers=settings.kafka.bootstrap[0]) as producer:
            for number in numbers:
                found = change | {"source": change["source"] | {"lsn": number}}
                await producer.send_and_wait(topic, json.dumps(found).encode())
            await producer.send_and_wait(topic, b"no change")
            await producer.send_and_wait(topic, None, key=b"7")

    async def published(gateway, count):
        async def is_so():
            return await gateway.metric("funnelwatch_source_events_total", source="erp", result="published") == count

        await gateway.until(f"{count} changes are published", is_so, 60)

    await changed(range(5))
    async with running(settings) as gateway:
        await published(gateway, 5)
        await asyncio.sleep(1.0)
    await changed(range(5, 8))
    async with running(settings) as gateway:
        await published(gateway, 3)
        assert await gateway.metric("funnelwatch_refused_deliveries") == 2

    assert [json.loads(record.value)["id"] for record in await read(settings, 8)] == [f"{n}/won" for n in range(8)]
