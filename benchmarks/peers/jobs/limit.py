"""Limits of one Python process: decode and sum in dictionaries; nothing is kept. ``limit.py aiokafka|librdkafka``."""

import asyncio
import json
import os
import sys
import uuid
from collections.abc import Iterable
from pathlib import Path

import progress
from sums import Row, Stood, as_json, decode, new_row, step

COUNT = progress.start()
BROKER, TOPIC = os.environ["BROKER"], os.environ["TOPIC"]
FETCH_BYTES, PARTITION_BYTES, RECORDS = 52_428_800, 4_194_304, 10_000
deals: dict[str, Stood] = {}
rows: dict[str, Row] = {}


def take(values: Iterable[bytes]) -> None:
    for value in values:
        event = decode(value)
        key = f"{event.rep_id}|{event.occurred_at[:10]}"
        row = rows.get(key)
        if row is None:
            row = rows[key] = new_row()
        deal = event.deal_id
        deals[deal] = step(event, deals.get(deal), row)
        COUNT[0] += 1


async def aiokafka() -> None:
    from aiokafka import AIOKafkaConsumer  # noqa: PLC0415  (only the client that is used)

    consumer = AIOKafkaConsumer(
        TOPIC,
        bootstrap_servers=BROKER,
        group_id=None,
        auto_offset_reset="earliest",
        fetch_max_bytes=FETCH_BYTES,
        max_partition_fetch_bytes=PARTITION_BYTES,
        check_crcs=False,
    )
    await consumer.start()
    while True:
        for records in (await consumer.getmany(timeout_ms=100, max_records=RECORDS)).values():
            take(record.value for record in records)


def librdkafka() -> None:
    from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition  # noqa: PLC0415  (as above)

    consumer = Consumer(
        {
            "bootstrap.servers": BROKER,
            "group.id": uuid.uuid4().hex,
            "enable.auto.commit": False,
            "fetch.max.bytes": FETCH_BYTES,
            "max.partition.fetch.bytes": PARTITION_BYTES,
            "queued.min.messages": 100_000,
            "fetch.queue.backoff.ms": 10,  # its default of 1 s leaves a fast consumer idle
            "check.crcs": False,
        }
    )
    partitions = consumer.list_topics(TOPIC).topics[TOPIC].partitions
    consumer.assign([TopicPartition(TOPIC, one, OFFSET_BEGINNING) for one in partitions])
    while True:
        take(message.value() for message in consumer.consume(RECORDS, 0.1))


if __name__ == "__main__":
    try:
        asyncio.run(aiokafka()) if sys.argv[1] == "aiokafka" else librdkafka()
    except KeyboardInterrupt:
        plain = {key: as_json(row) for key, row in rows.items()}
        Path(os.environ["STATE_DIR"], "rows.json").write_text(json.dumps(plain))
