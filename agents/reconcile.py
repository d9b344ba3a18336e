"""``funnelwatch reconcile``: the won deals of Kafka (or of files) beside the invoices that the gateway has fetched."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from funnelwatch.agents.clock import now_us
from funnelwatch.agents.engine.judging import Judge
from funnelwatch.agents.errors import OperationError
from funnelwatch.agents.gateway.spool import notes_of
from funnelwatch.agents.report import Reading
from funnelwatch.agents.sources.quickbooks import INVOICE
from funnelwatch.agents.topic_history import read_topic
from funnelwatch.schemas.codec import UNLIMITED, decode
from funnelwatch.schemas.encode import amount_text, time_text
from funnelwatch.schemas.events import TOPICS, Event, Kind
from funnelwatch.schemas.settings import MONEY_UNITS, Secrets, Settings
from funnelwatch.schemas.sources.crm.quickbooks_money import Invoice
from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.context import Context
from funnelwatch.streams.reconciliation import Reconciliation, Standing, reconcile, won_deals

SYSTEM: Final = "quickbooks"
OK: Final = 0
MISSING: Final = 1

_decode = msgspec.json.Decoder(Invoice).decode


def run(
    settings: Settings, secrets: Secrets, files: Sequence[Path], *, as_json: bool, metrics: Path | None = None
) -> int:
    """Write the reconciliation to standard output.

    Args:
        settings: Where Kafka and the gateway's folder are, and what figures mean.
        secrets: Kafka's password.
        files: Events in files (NDJSON) instead of Kafka's.
        as_json: As JSON instead of a table.
        metrics: Where metrics go, for node_exporter's textfile collector.

    Returns:
        The exit code: 0, or 1 if a deal was won that has no invoice.

    Raises:
        OperationError: Kafka or the gateway's file cannot be read, or metrics cannot be written.
    """
    events = _from_files(settings, files) if files else asyncio.run(_from_kafka(settings, secrets))
    found = reconcile(won_deals(events, Context(settings, Calendar(settings.calendar))), invoices(settings))
    sys.stdout.write(_json(found) if as_json else _table(found))
    if metrics is not None:
        _expose(found, metrics)
    return MISSING if any(standing.without_invoice for standing in found.standings) else OK


def invoices(settings: Settings) -> Iterator[Invoice]:
    """The invoices of all companies that are sources; those that were deleted are none.

    Raises:
        OperationError: The gateway's file cannot be read.
    """
    for source in settings.sources:
        if source.system == SYSTEM:
            for key, text in notes_of(Path(settings.gateway.data_dir), source.name, INVOICE).items():
                if text:
                    invoice = _decode(text)
                    realm = key.removeprefix(INVOICE).partition("/")[0]
                    yield msgspec.structs.replace(invoice, id=f"{source.name}/{realm}/{invoice.id}")


def _from_files(settings: Settings, files: Sequence[Path]) -> list[Event]:
    reading = Reading(Judge(settings).limits(now_us()))
    for path in files:
        reading.take_file(path)
    for problem in reading.problems:
        sys.stderr.write(f"{problem}\n")
    return reading.events


async def _from_kafka(settings: Settings, secrets: Secrets) -> list[Event]:
    found: list[Event] = []
    async for record in read_topic(settings, secrets, TOPICS[Kind.DEAL]):
        decoded = decode(Kind.DEAL, record.value, record.headers, UNLIMITED)
        found += [event for event in decoded if isinstance(event, Event)]
    return found


def _json(found: Reconciliation) -> str:
    return msgspec.json.format(msgspec.json.encode(_plain(found)), indent=2).decode() + "\n"


def _plain(found: Reconciliation) -> dict[str, Any]:
    return {
        "reps": [
            {
                "rep": one.rep,
                "currency": one.currency,
                "won_count": one.won_count,
                **{name: amount_text(getattr(one, name)) for name in ("won", "invoiced", "paid", "short")},
                "without_invoice": [
                    {
                        "deal": deal.id,
                        "customer": deal.customer,
                        "amount": amount_text(deal.amount),
                        "won_at": time_text(deal.won_at),
                    }
                    for deal in one.without_invoice
                ],
            }
            for one in found.standings
        ],
        "invoices_without_won_deal": [
            {"invoice": one.id, "deal": one.deal, "currency": one.currency, "amount": amount_text(one.total)}
            for one in found.unmatched
        ],
    }


def _table(found: Reconciliation) -> str:
    lines = [f"{'rep':<24} {'':<3} {'won':>16} {'invoiced':>16} {'paid':>16} {'not invoiced':>16}"]
    for one in found.standings:
        amounts = (one.won, one.invoiced, one.paid, one.short)
        lines.append(
            f"{one.rep or 'nobody':<24} {one.currency:<3} " + " ".join(f"{amount_text(units):>16}" for units in amounts)
        )
    for one in found.standings:
        lines += [f"  {_missing(one, number)}" for number in range(len(one.without_invoice))]
    lines.append(f"{len(found.unmatched)} invoices name no deal that stands won.")
    return "\n".join(lines) + "\n"


def _missing(standing: Standing, number: int) -> str:
    deal = standing.without_invoice[number]
    customer = f" ({deal.customer})" if deal.customer else ""
    return (
        f"never invoiced: {deal.id}{customer}, {amount_text(deal.amount)} {deal.currency} of "
        f"{standing.rep or 'nobody'}, won {time_text(deal.won_at)[:10]}"
    )


def _expose(found: Reconciliation, path: Path) -> None:
    registry = CollectorRegistry()
    labels = ("rep", "currency")
    count = Gauge(
        "funnelwatch_won_without_invoice", "Deals that are won and have no invoice.", labels, registry=registry
    )
    short = Gauge(
        "funnelwatch_won_not_invoiced_amount",
        "What was won and is not invoiced, in the currency.",
        labels,
        registry=registry,
    )
    for one in found.standings:
        count.labels(one.rep, one.currency).set(len(one.without_invoice))
        short.labels(one.rep, one.currency).set(one.short / MONEY_UNITS)
    try:
        write_to_textfile(str(path), registry)
    except OSError as error:
        raise OperationError(f"{path} cannot be written: {error.strerror}.") from error
