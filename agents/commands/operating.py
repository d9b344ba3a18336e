"""What an operator runs: ``init``, ``topics``, ``check``, ``worker``, ``board``."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from funnelwatch.agents.command_line import FAILURE, OK, configured
from funnelwatch.agents.errors import OperationError


@click.command()
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


@click.command()
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


@click.command()
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


@click.command()
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


@click.command()
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
