"""sales-kpi-1 on stock Faust, in batches as large as it allows: one table write per key and batch, sums shuffled."""

import os
import weakref
import zlib
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import faust
import msgspec
import progress
from faust.streams import _current_event
from sums import COUNTS, Row, Stood, as_json, decode, new_row, step

COUNT = progress.start()
BATCH, WITHIN_SECONDS, PARTITIONS = 2_000, 0.05, 4
app = faust.App(
    os.environ["APP_ID"],
    broker="kafka://" + os.environ["BROKER"],
    store="rocksdb://",
    datadir=os.environ["STATE_DIR"],
    topic_partitions=PARTITIONS,
    topic_replication_factor=1,
    web_enabled=False,
    topic_disable_leader=True,
    consumer_auto_offset_reset="earliest",
    stream_buffer_maxsize=16_384,
    broker_max_poll_records=None,
    producer_linger=0.005,
)
RAW: dict[str, Any] = {"key_type": bytes, "value_type": bytes, "key_serializer": "raw", "value_serializer": "raw"}
deals_topic = app.topic(os.environ["TOPIC"], **RAW)
sums_topic = app.topic(os.environ["APP_ID"] + "-moves", partitions=PARTITIONS, **RAW)
deals = app.Table("deals", partitions=PARTITIONS, key_type=bytes, value_type=bytes)
kpi = app.Table("kpi", partitions=PARTITIONS, key_type=bytes, value_type=bytes)
encode, decode_rows = msgspec.json.encode, msgspec.json.Decoder(dict[str, Any]).decode


def by_partition(events: Iterable[Any]) -> Iterable[list[Any]]:
    parts = defaultdict(list)
    for event in events:
        parts[event.message.partition].append(event)
    return parts.values()


def stored(deal: str) -> Stood | None:
    text = deals.get(deal.encode())
    if text is None:
        return None
    stage, _, at = text.decode().partition("|")
    return stage, int(at)


def fold(events: list[Any], homes: list[dict[str, Row]]) -> None:
    """One partition's events; its rows go to their homes."""
    known: dict[str, Stood | None] = {}
    changed: dict[str, Stood] = {}
    for one in events:
        event = decode(one.message.value)
        deal = event.deal_id
        if deal not in known:
            known[deal] = stored(deal)
        rows = homes[zlib.crc32(event.rep_id.encode()) % PARTITIONS]
        row = rows.setdefault(f"{event.rep_id}|{event.occurred_at[:10]}", new_row())
        stands = step(event, known[deal], row)
        if stands is not known[deal]:
            known[deal] = changed[deal] = stands
    for deal, (stage, at) in changed.items():
        deals[deal.encode()] = f"{stage}|{at}".encode()


@app.agent(deals_topic)
async def by_deal(stream: Any) -> None:
    async for events in stream.noack_take(BATCH, within=WITHIN_SECONDS):
        homes: list[dict[str, Row]] = [{} for _ in range(PARTITIONS)]
        for part in by_partition(events):
            _current_event.set(weakref.ref(part[0]))
            fold(part, homes)
        for home, rows in enumerate(homes):
            if rows:
                plain = {key: as_json(row) for key, row in rows.items()}
                await sums_topic.send(key=b"", value=encode(plain), partition=home)
        for event in events:
            await stream.ack(event)


def add(row: dict[str, Any], more: dict[str, Any]) -> None:
    for name in COUNTS:
        row[name] += more[name]
    for name in ("ds", "dc"):
        for stage, amount in more[name].items():
            row[name][stage] = row[name].get(stage, 0) + amount


def add_up(events: list[Any]) -> int:
    """One partition's sums into its rows; how many events they stand for."""
    rows: dict[str, dict[str, Any]] = {}
    count = 0
    for one in events:
        for key, more in decode_rows(one.message.value).items():
            if key not in rows:
                text = kpi.get(key.encode())
                rows[key] = as_json(new_row()) if text is None else decode_rows(text)
            add(rows[key], more)
            count += more["n"]
    for key, row in rows.items():
        kpi[key.encode()] = encode(row)
    return count


@app.agent(sums_topic)
async def by_rep(stream: Any) -> None:
    async for events in stream.noack_take(64, within=0.005):
        for part in by_partition(events):
            _current_event.set(weakref.ref(part[0]))
            COUNT[0] += add_up(part)
        for event in events:
            await stream.ack(event)


if __name__ == "__main__":
    app.main()
