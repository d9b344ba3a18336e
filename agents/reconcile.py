"""``funnelwatch reconcile``: the won deals of Kafka (or of files) beside the invoices that the gateway has fetched."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Event as Flag
from typing import Any, Final

import msgspec
from prometheus_client import CollectorRegistry, start_http_server, write_to_textfile
from prometheus_client.core import GaugeMetricFamily

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
from funnelwatch.streams.reconcile_metrics import NOT_INVOICED, RECONCILED, WITHOUT_INVOICE
from funnelwatch.streams.reconciliation import Reconciliation, Standing, reconcile, won_deals

log = logging.getLogger(__name__)

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
    found = compared(settings, secrets, files)
    sys.stdout.write(_json(found) if as_json else _table(found))
    if metrics is not None:
        _expose(found, metrics)
    return MISSING if any(standing.without_invoice for standing in found.standings) else OK


def compared(settings: Settings, secrets: Secrets, files: Sequence[Path]) -> Reconciliation:
    """The won deals of files, or else of Kafka, beside the gateway's invoices.

    Raises:
        OperationError: Kafka or the gateway's file cannot be read.
    """
    events = _from_files(settings, files) if files else asyncio.run(_from_kafka(settings, secrets))
    return reconcile(won_deals(events, Context(settings, Calendar(settings.calendar))), invoices(settings))


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


class Exposed:
    """What is scraped: the last reconciliation; nothing while there is none."""

    def __init__(self) -> None:
        self.found: Reconciliation | None = None
        self.at_us = 0
        self.registry = CollectorRegistry()
        self.registry.register(self)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The families of the catalogue."""
        count, short, at = (
            GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
            for metric in (WITHOUT_INVOICE, NOT_INVOICED, RECONCILED)
        )
        if self.found is not None:
            for one in self.found.standings:
                count.add_metric((one.rep, one.currency), len(one.without_invoice))
                short.add_metric((one.rep, one.currency), one.short / MONEY_UNITS)
            at.add_metric((), self.at_us / 1e6)
        yield from (count, short, at)


def _expose(found: Reconciliation, path: Path) -> None:
    exposed = Exposed()
    exposed.found, exposed.at_us = found, now_us()
    try:
        write_to_textfile(str(path), exposed.registry)
    except OSError as error:
        raise OperationError(f"{path} cannot be written: {error.strerror}.") from error


def serve(settings: Settings, secrets: Secrets, address: tuple[str, int], *, every_seconds: float, stop: Flag) -> int:
    """Compare again and again and serve ``/metrics``, until ``stop`` is set.

    While deals or invoices cannot be read nothing is exposed: yesterday's standing is not today's.

    Returns:
        The exit code: 0 after an orderly stop.

    Raises:
        OperationError: The address cannot be used.
    """
    host, port = address
    exposed = Exposed()
    try:
        server, thread = start_http_server(port, host, exposed.registry)
    except OSError as error:
        raise OperationError(f"{host}:{port} cannot be listened on: {error.strerror}.") from error
    log.info("the reconciliation is served on http://%s:%d/metrics", host, port)
    try:
        while not stop.is_set():
            try:
                exposed.found, exposed.at_us = compared(settings, secrets, ()), now_us()
            except OperationError as error:
                exposed.found = None
                log.error("Deals and invoices cannot be compared: %s", error)  # noqa: TRY400  (nothing of ours failed)
            stop.wait(every_seconds)
    finally:
        server.shutdown()
        thread.join()
    return OK
