"""Changes of a database's tables as Debezium publishes them on Kafka, by a mapping: for CRMs whose database is at hand.

What a rule of the mapping sees of a change:

============ ===========================================================================================================
member       what it is
============ ===========================================================================================================
``op``       ``c`` created, ``u`` updated, ``d`` deleted, ``r`` read by a snapshot
``row``      the row after the change; of a deletion the row before it
``before``   the row before the change, if the connector has it
``changed``  the columns whose value is another one than before, each ``true``; all of a row that is new
``ts_ms``    when the database committed the change, in milliseconds (``source.ts_ms``)
``position`` where the change stands in the database's log: an id of its own, the same however often it is delivered
``source``   what Debezium tells of the database: ``source.table``, ``source.db``, …
============ ===========================================================================================================
"""

from __future__ import annotations

from typing import Any, Final

from funnelwatch.schemas.reasons import Reason, RefusedError
from funnelwatch.schemas.sources import proofs, reading
from funnelwatch.schemas.sources.contract import Delivery, Passed, Result, SourceOptions, System
from funnelwatch.schemas.sources.formats import mapped

OPERATIONS: Final = ("c", "u", "d", "r")
POSITIONS: Final = ("lsn", "scn", "change_lsn", "event_serial_no", "file", "pos", "row", "resume_token", "ord", "txId")
"""What connectors call the place in their log; those that are there make an id together."""
OPTIONS: Final = {"topics": "the topics of changes, separated by commas, in the Kafka of the configuration"}


def translate(delivery: Delivery, options: SourceOptions, /) -> list[Result]:
    """The events that the rules of the source's mapping make of one change.

    Raises:
        RefusedError: It is no change event, or a value cannot be read.
    """
    if not delivery.body:
        return [Passed("tombstone", "it follows a deletion, for the compaction of its topic")]
    found = reading.json_object(delivery.body)
    payload = found.get("payload", found) if "schema" in found else found
    if payload is None:
        return [Passed("tombstone", "it follows a deletion, for the compaction of its topic")]
    change = reading.mapping(payload, "the change")
    operation = change.get("op")
    if operation in ("m", "t"):
        return [Passed("no_row", "a message or a truncation is no change of a row")]
    if operation not in OPERATIONS:
        raise RefusedError(Reason.UNKNOWN_VALUE, "op is none of c, u, d, r: is this a change event of Debezium?")
    return mapped.events_of(_record(operation, change), options)


def _record(operation: str, change: dict[str, Any]) -> dict[str, Any]:
    before = _row(change, "before")
    after = _row(change, "after")
    row = before if operation == "d" else after
    source = reading.mapping(change.get("source") or {}, "source")
    return {
        "op": operation,
        "row": row,
        "before": before,
        "changed": {name: True for name, value in row.items() if name not in before or before[name] != value},
        "ts_ms": source.get("ts_ms", change.get("ts_ms")),
        "position": "/".join(reading.text_of(source[name]) for name in POSITIONS if source.get(name) is not None),
        "source": source,
    }


def _row(change: dict[str, Any], name: str) -> dict[str, Any]:
    return reading.mapping(change.get(name) or {}, name)


def _check(options: SourceOptions) -> list[str]:
    problems = mapped.check(options)
    if not options.option("topics").strip(" ,"):
        problems.append("options.topics: must name at least one topic")
    return problems


SYSTEM: Final = System(
    name="debezium",
    title="Debezium, changes of a database",
    translate=translate,
    proof=proofs.Token(proofs.bearer_of),
    page="debezium.md",
    options=OPTIONS,
    webhook=False,
    needs_mapping=True,
    check=_check,
)
