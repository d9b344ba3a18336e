"""Deliveries of the open formats, each with a mapping where it needs one."""

from __future__ import annotations

import json

from funnelwatch.schemas.mapping import parse
from funnelwatch.schemas.sources.contract import Delivery, SourceOptions

NOW_US = 1_764_237_600_000_000
MAPPING = parse("""
source = "own"
zone = "Asia/Tehran"
times = ["iso", "unix_ms"]
[[files]]
name = "records"
[[files.events]]
type = "deal.won"
when = [{ column = "row.status", is = "won" }]
id = { template = "{position}/{row.id}" }
subject = "row.id"
time = "ts_ms"
[files.events.data]
rep_id = { column = "$.row.owners[0]", prefix = "" }
amount = "row.amount"
currency = "row.currency"
[[files]]
name = "calls"
each = "$..calls[*]"
[[files.events]]
type = "call.completed"
subject = "id"
time = "at"
data = { talk_seconds = "seconds", cold = "cold" }
""")
EVENT = {
    "specversion": "1.0",
    "id": "1",
    "source": "crm",
    "type": "deal.won",
    "subject": "crm:7",
    "time": "2026-11-23T10:00:00+03:30",
    "data": {"rep_id": "crm:42", "amount": "12.5", "currency": "EUR", "stage": "Won", "expected_close": "2026-12-01"},
}
ROW = {"id": 7, "status": "won", "amount": "1,250.50", "currency": "EUR", "owners": ["sara@firm.example"]}
CHANGE = {"op": "u", "before": {"status": "open"}, "after": ROW, "source": {"ts_ms": 1_764_237_600_000, "lsn": 5}}
RECORD = {
    "position": "a",
    "row": ROW,
    "ts_ms": "2026-11-23 10:00:00",
    "more": {"calls": [{"id": 1, "at": "2026-11-23T10:00:00Z", "seconds": 5.5, "cold": True}]},
}


def _delivery(value: object, **headers: str) -> Delivery:
    return Delivery(headers=headers, body=json.dumps(value).encode(), received_us=NOW_US)


def _options(system: str, **own: object) -> SourceOptions:
    return SourceOptions(name="fuzz", system=system, mapping=MAPPING, options=own)


SAMPLES = {
    "cloudevents": [
        (_delivery(EVENT, **{"content-type": "application/cloudevents+json"}), _options("cloudevents")),
        (_delivery([EVENT, EVENT], **{"content-type": "application/cloudevents-batch+json"}), _options("cloudevents")),
        (
            Delivery(
                headers={"content-type": "application/json"}
                | {f"ce-{name}": str(value) for name, value in EVENT.items() if name != "data"},
                body=json.dumps(EVENT["data"]).encode(),
                received_us=NOW_US,
            ),
            _options("cloudevents"),
        ),
    ],
    "webhook": [
        (_delivery(RECORD), _options("webhook")),
        (_delivery([RECORD, RECORD]), _options("webhook")),
        (
            Delivery(
                headers={"content-type": "application/x-www-form-urlencoded"},
                body=b"row.status=won&row.id=7&ts_ms=1764237600000&row.amount=5",
            ),
            _options("webhook"),
        ),
    ],
    "debezium": [
        (_delivery(CHANGE), _options("debezium", topics="a")),
        (_delivery({"schema": {}, "payload": CHANGE | {"op": "d"}}), _options("debezium", topics="a")),
    ],
}
