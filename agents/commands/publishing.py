"""How events come in from files: ``replay``, ``import``, and ``mapping`` to begin one with."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from funnelwatch.agents.command_line import FAILURE, FILES, OK, configured


@click.command()
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


@click.command("import")
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


@click.command()
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
