"""The ``funnelwatch`` command.

Each command imports what it needs when it runs, so that ``--help`` is instant and ``report`` needs no Kafka client.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click

from funnelwatch import __version__
from funnelwatch.agents.calibrate.command import calibrate
from funnelwatch.agents.command_line import FAILURE, INTERRUPTED, OK, USAGE, configured
from funnelwatch.agents.demo.command import demo
from funnelwatch.agents.deploy.commands import alertmanager, rules
from funnelwatch.agents.digest.commands import digest
from funnelwatch.agents.dlq.commands import dlq
from funnelwatch.agents.errors import OperationError
from funnelwatch.agents.gateway.commands import gateway, sources
from funnelwatch.agents.health import health

EPILOG = """\b
Configuration: --config FILE, else the file named by FUNNELWATCH_CONFIG, else ./funnelwatch.toml, else defaults for
everything on this machine. Passwords come from FUNNELWATCH_KAFKA_PASSWORD and FUNNELWATCH_REDIS_PASSWORD only, or
from the files that these names with _FILE behind them name.

\b
Exit codes: 0 all went well; 1 something failed (the message says what); 2 the command line or the configuration is
wrong; 130 interrupted with Ctrl-C.
"""


FILES = click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))


@click.group(epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="funnelwatch")
def funnelwatch() -> None:
    """Exact, live sales KPIs per rep from CRM and telephone events.

    \b
    See it live, with a simulated sales floor, nothing needed but Python:
      funnelwatch demo
    \b
    Run it:
      funnelwatch init                 write a commented funnelwatch.toml
      funnelwatch topics               create the Kafka topics
      funnelwatch check                is everything there?
      funnelwatch worker               fold events (as many as you have partitions)
      funnelwatch board                serve figures, pages and metrics
      funnelwatch gateway              receive webhooks of CRMs and telephone systems
      funnelwatch rules                write alert rules and runbooks for Prometheus
      funnelwatch alertmanager         write who is told what for Alertmanager
      funnelwatch digest               mail each manager in the morning who needs help
    """


@funnelwatch.command()
@configured
def worker(config: Path | None) -> int:
    """Fold events into figures, until it is told to stop.

    Run as many as there are partitions, each with a data directory of its own (worker.data_dir) and a port of its own
    (worker.port: /metrics, /healthz). SIGTERM or Ctrl-C stops it in order. Start it again whenever it ends by itself:
    exit code 70 says that something was uncertain (nothing is lost), 74 that its disk is full (it waits for room then).

    \b
    Example:
      funnelwatch worker --config funnelwatch.toml
    """
    from funnelwatch.agents.configured import load  # noqa: PLC0415  (only commands need it)
    from funnelwatch.agents.engine.worker import run  # noqa: PLC0415  (only this command needs Faust)

    return run(*load(config))


@funnelwatch.command()
@configured
def board(config: Path | None) -> int:
    """Serve the figures: pages, JSON API, /metrics.

    \b
    Example:
      funnelwatch board && open http://127.0.0.1:8080
      curl http://127.0.0.1:8080/api/v1/reps
    """
    from funnelwatch.agents.board.service import run  # noqa: PLC0415  (only this command needs a web server)
    from funnelwatch.agents.configured import load  # noqa: PLC0415  (only commands need it)

    return run(*load(config))


@funnelwatch.command()
@click.option("--check", "only_check", is_flag=True, help="Only say what is missing or different; create nothing.")
@configured
def topics(config: Path | None, only_check: bool) -> int:
    """Create the Kafka topics and check those that exist.

    \b
    Examples:
      funnelwatch topics               create what is missing
      funnelwatch topics --check       exit code 1 if anything is missing or different
    """
    from funnelwatch.agents import topics as module  # noqa: PLC0415  (only this command needs it)
    from funnelwatch.agents.configured import load  # noqa: PLC0415  (only commands need it)

    settings, secrets = load(config)
    if only_check:
        problems = asyncio.run(module.check(settings, secrets))
        for problem in problems:
            click.echo(problem)
        click.echo("All topics are as they must be." if not problems else f"{len(problems)} problems.")
        return FAILURE if problems else OK
    created = asyncio.run(module.ensure(settings, secrets))
    for name in created:
        click.echo(f"created {name}")
    click.echo(f"{len(module.wanted(settings))} topics are as they must be, {len(created)} of them new.")
    return OK


@funnelwatch.command()
@click.option("--no-gateway", is_flag=True, help="Leave the sources out: on a machine without the gateway's secrets.")
@configured
def check(config: Path | None, no_gateway: bool) -> int:
    """Check configuration, Kafka, topics, Redis, the table of people and each source.

    Everything that is wrong is said at once; nothing is changed. Of a source: its mapping, its secrets, and that what a
    poller reads is there (an Asterisk's records, or their database). Vendors are not called.

    \b
    Example, before a deployment:
      funnelwatch check --config funnelwatch.toml
    """
    import logging  # noqa: PLC0415  (only this command needs it)

    from funnelwatch.agents.check import findings  # noqa: PLC0415  (only this command needs it)
    from funnelwatch.agents.configured import load  # noqa: PLC0415  (only commands need it)
    from funnelwatch.streams.compiled import words  # noqa: PLC0415  (only this command needs it)

    settings, secrets = load(config)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # the finding says it better
    click.echo(f"ok    the configuration; events {words(settings)}")
    problems = 0
    for what, wrong in asyncio.run(findings(settings, secrets, gateway=not no_gateway)):
        click.echo(f"{'WRONG' if wrong else 'ok   '} {what}")
        for problem in wrong:
            click.echo(f"      {problem}")
        problems += len(wrong)
    return FAILURE if problems else OK


@funnelwatch.command()
@click.argument("file", default="funnelwatch.toml", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--force", is_flag=True, help="Overwrite the file if it exists.")
def init(file: Path, force: bool) -> int:
    """Write a commented configuration file.

    FILE is funnelwatch.toml if not named: organisation, calendar, pipelines, benchmarks, Kafka, Redis.

    \b
    Example:
      funnelwatch init && $EDITOR funnelwatch.toml && funnelwatch check
    """
    from funnelwatch.agents.configured import example  # noqa: PLC0415  (only this command needs it)

    try:
        with file.open("w" if force else "x", encoding="utf-8") as opened:
            opened.write(example())
    except FileExistsError as error:
        raise OperationError(f"{file} exists already: name another file, or overwrite it with --force.") from error
    except OSError as error:
        raise OperationError(f"{file} cannot be written: {error.strerror}.") from error
    click.echo(f"Wrote {file}. Next: edit it, then `funnelwatch check --config {file}`.")
    return OK


@funnelwatch.command()
@FILES
@click.option(
    "--compression",
    type=click.Choice(["none", "gzip", "lz4", "snappy", "zstd"]),
    default="zstd",
    show_default=True,
    help="Of record batches; gzip and lz4 take several times as long.",
)
@click.option(
    "--pack",
    type=click.IntRange(1, 1_000),
    default=100,
    show_default=True,
    help="Events per message at most (CloudEvents batch).",
)
@click.option("--dry-run", is_flag=True, help="Read and count; publish nothing, need no Kafka.")
@click.option(
    "--resume",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Keep in FILE how far each is published, and go on from there.",
)
@configured
def replay(
    config: Path | None, files: tuple[Path, ...], *, compression: str, pack: int, dry_run: bool, resume: Path | None
) -> int:
    """Publish FILES of events to their topics.

    Each line is one structured CloudEvents event, or an array of them; .gz is read as well. Publishing a file again
    changes no figure.

    \b
    Examples:
      funnelwatch replay history.ndjson.gz
      funnelwatch replay --resume done.json *.ndjson  the same again after an interruption: goes on where it was
      funnelwatch replay --dry-run 2026-*.ndjson      what would be published
      funnelwatch replay --pack 1 history.ndjson      each event a message of its own, its entity's id the key
    """
    from rich.console import Console  # noqa: PLC0415  (only this command needs it)

    from funnelwatch.agents import replay as module  # noqa: PLC0415  (only this command needs it)
    from funnelwatch.agents.configured import load  # noqa: PLC0415  (only commands need it)

    settings, secrets = load(config)
    console = Console(stderr=True)
    summary = asyncio.run(
        module.replay(
            files,
            settings,
            secrets,
            console=console,
            compression=compression,
            pack=pack,
            dry_run=dry_run,
            resume=resume,
        )
    )
    for problem in summary.problems:
        click.echo(f"not published: {problem}", err=True)
    for topic, count in summary.published.items():
        click.echo(f"{settings.kafka.prefix + topic:<24} {count:>12,}")
    what = "would be published" if dry_run else f"published in {summary.messages:,} messages"
    if summary.passed_over:
        click.echo(f"{summary.passed_over:,} lines were published before, as {resume} says.")
    click.echo(f"{summary.events:,} events {what}, {summary.unreadable:,} lines not, in {summary.seconds:.1f} s.")
    return FAILURE if summary.unreadable else OK


@funnelwatch.command()
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


@funnelwatch.command()
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


@funnelwatch.command("import")
@click.option(
    "--mapping",
    required=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The mapping's TOML, or a shipped name.",
)
@click.option(
    "--output", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False), help="Write NDJSON, do not publish."
)
@click.option(
    "--report", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False), help="Tell the bad rows here."
)
@click.argument("sources", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False, exists=True))
@configured
def import_(
    config: Path | None, mapping: Path, output: Path | None, report: Path | None, sources: tuple[Path, ...]
) -> int:
    """Turn CSV exports into events by a mapping, and publish them.

    Each SOURCE finds its rule by its columns. Mappings for three public data sets ship by name: crm, olist, zoho.
    Exit code 1 if there was a bad row; the others are published all the same.

    \b
    Examples:
      funnelwatch import --mapping mine.toml deals.csv calls.csv
      funnelwatch import --mapping crm sales_pipeline.csv sales_teams.csv --report bad-rows.txt
      funnelwatch import --mapping zoho Calls.csv --output events.ndjson
    """
    from funnelwatch.agents import importer as module  # noqa: PLC0415  (only this command needs it)
    from funnelwatch.agents.configured import load  # noqa: PLC0415  (only commands need it)

    return module.run(*load(config), mapping, sources, output=output, report=report)


@funnelwatch.command()
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


@funnelwatch.command()
@click.argument("name")
def mapping(name: str) -> int:
    """Print a mapping that ships with the program, to begin one of your own with.

    \b
    Examples:
      funnelwatch mapping convergehub > mine.toml
      funnelwatch import --mapping mine.toml leads.csv deals.csv
    """
    from funnelwatch.agents.exports import shipped_text  # noqa: PLC0415  (only this command needs it)

    click.echo(shipped_text(name), nl=False)
    return OK


funnelwatch.add_command(calibrate)
funnelwatch.add_command(health)
funnelwatch.add_command(demo)
funnelwatch.add_command(dlq)
funnelwatch.add_command(gateway)
funnelwatch.add_command(sources)
funnelwatch.add_command(rules)
funnelwatch.add_command(alertmanager)
funnelwatch.add_command(digest)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with one of the documented codes."""
    sys.exit(_outcome(arguments))


def _outcome(arguments: list[str] | None) -> int:
    from funnelwatch.agents.configured import ConfigurationError  # noqa: PLC0415  (after --help had its chance)

    try:
        code = funnelwatch.main(arguments, prog_name="funnelwatch", standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("Interrupted.", err=True)
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except ConfigurationError as error:
        click.echo(f"The configuration cannot be used:\n{error}", err=True)
        return USAGE
    except OperationError as error:
        click.echo(str(error), err=True)
        return FAILURE
    return code if isinstance(code, int) else OK
