"""Figures on a terminal or in a file: ``kpis``, ``report``, ``reconcile``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from funnelwatch.agents.command_line import FILES, OK, configured


@click.command()
@click.option("--rep", required=True, help="The rep's id.")
@click.option("--json", "as_json", is_flag=True, help="The whole document as JSON.")
@configured
def kpis(config: Path | None, rep: str, as_json: bool) -> int:
    """Print a rep's figures as the board has them now.

    \b
    Examples:
      funnelwatch kpis --rep rep-7
      funnelwatch kpis --rep rep-7 --json | jq .sales
    """
    from funnelwatch.agents import kpis as module  # noqa: PLC0415  (only this command needs it)
    from funnelwatch.agents.configured import load  # noqa: PLC0415  (only commands need it)

    settings, _ = load(config)
    document = module.rep_document(settings, rep)
    if as_json:
        click.echo(document.decode().strip())
        return OK
    from rich.console import Console  # noqa: PLC0415  (only this command needs it)

    module.show(document, Console())
    return OK


@click.command()
@FILES
@click.option("--clock", metavar="INSTANT", help="system, event, or an instant like 2026-11-23T10:00:00Z.")
@configured
def report(config: Path | None, files: tuple[Path, ...], clock: str | None) -> int:
    """Compute all figures from FILES of events, without Kafka, and print them as JSON.

    The same definitions as the live figures by the simplest possible code: to compare, to audit, to try a
    configuration on last year's events. A summary goes to standard error.

    \b
    Examples:
      funnelwatch report history.ndjson.gz --clock event > figures.json
      funnelwatch report 2026-*.ndjson --clock 2026-11-01T00:00:00Z | jq .organisation
    """
    from funnelwatch.agents import report as module  # noqa: PLC0415  (only this command needs it)
    from funnelwatch.agents.configured import load  # noqa: PLC0415  (only commands need it)

    settings, _ = load(config)
    return module.run(settings, files, clock, sys.stdout.buffer)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="JSON instead of a table.")
@click.option(
    "--prometheus",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write metrics there, for node_exporter's textfile collector.",
)
@click.option("--serve", type=click.IntRange(1, 65_535), metavar="PORT", help="Go on, and serve /metrics there.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Where --serve listens.")
@click.option("--every", type=click.FloatRange(0.05), default=15.0, show_default=True, help="Minutes, with --serve.")
@click.argument("events", nargs=-1, type=click.Path(path_type=Path, dir_okay=False, exists=True))
@configured
def reconcile(
    config: Path | None,
    events: tuple[Path, ...],
    *,
    as_json: bool,
    prometheus: Path | None,
    serve: int | None,
    host: str,
    every: float,
) -> int:
    """Show per rep what was won, invoiced and paid, and the won deals that were never invoiced.

    Deals are read from Kafka (or from EVENTS, files of NDJSON), invoices from what the gateway has fetched from
    QuickBooks. Exit code 1 if there is a deal without an invoice.

    \b
    Examples:
      funnelwatch reconcile
      funnelwatch reconcile --json | jq '.reps[].without_invoice'
      funnelwatch reconcile --serve 8083
      funnelwatch reconcile --prometheus /var/lib/node_exporter/funnelwatch.prom
    """
    import logging  # noqa: PLC0415  (only this command needs it)
    import signal  # noqa: PLC0415  (only this command needs it)
    from threading import Event  # noqa: PLC0415  (only this command needs it)

    from funnelwatch.agents import reconcile as module  # noqa: PLC0415  (only this command needs it)
    from funnelwatch.agents.configured import load  # noqa: PLC0415  (only commands need it)

    settings, secrets = load(config)
    if serve is None:
        return module.run(settings, secrets, events, as_json=as_json, metrics=prometheus)
    if events or as_json or prometheus:
        raise click.UsageError("--serve stands alone: it reads Kafka, and is read by Prometheus")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what is wrong is said once
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return module.serve(settings, secrets, (host, serve), every_seconds=every * 60, stop=stop)
