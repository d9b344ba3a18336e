"""Asterisk, Issabel, FreePBX: a call from its manager events or from its call detail records.

Nothing calls us: ``funnelwatch ami`` and ``funnelwatch poll`` fetch, and hand over pieces that hold whole calls, as a
manager's text, CSV or JSON rows. What is posted is read the same way.
"""

from __future__ import annotations

from typing import Final

from funnelwatch.schemas.sources import proofs, reading
from funnelwatch.schemas.sources.contract import Delivery, Passed, Result, SourceOptions, System
from funnelwatch.schemas.sources.phones import ami, calls, cdr

_EVENT: Final = b"event:"


def translate(delivery: Delivery, options: SourceOptions, /) -> list[Result]:
    """The calls of a piece: rows that belong together are one call, all manager events of a piece are one call.

    Raises:
        RefusedError: It cannot be read.
    """
    body = delivery.body.lstrip()
    if body[:1] in {b"[", b"{"}:
        found = reading.json_body(delivery.body)
        rows = reading.sequence(found if isinstance(found, list) else [found], "the rows", cdr.ROWS_MAX)
        return _told(cdr.calls_of([reading.mapping(row, "a row") for row in rows], options), options)
    if _EVENT not in body[: 64 * 1024].lower():
        return _told(cdr.calls_of(cdr.rows_of_csv(delivery.body, options), options), options)
    events = ami.events_of(delivery.body)
    records = [event for event in events if event["event"].lower() == "cdr"]
    if records and len(records) == len(events):
        return _told(cdr.calls_of(records, options), options)
    return _told([ami.call_of(events, delivery.received_us, options)], options)


def _told(found: list[calls.Call | str], options: SourceOptions) -> list[Result]:
    return [Passed(one) if isinstance(one, str) else calls.event(calls.COMPLETED, one, options) for one in found] or [
        Passed("nothing_new", "there is no row")
    ]


SYSTEM: Final = System(
    name="asterisk",
    title="Asterisk, Issabel, FreePBX",
    translate=translate,
    proof=proofs.Token(proofs.bearer_of, proofs.basic_of, proofs.header("x-funnelwatch-token")),
    page="asterisk.md",
    webhook=False,
    options=calls.OPTIONS
    | {
        "columns": "the columns of the CSV in their order, if it is not Master.csv's and has no header",
    },
    check=calls.checked,
)
