"""``funnelwatch gateway`` and ``funnelwatch sources``: options in, text and exit codes out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from funnelwatch.agents.command_line import FAILURE, OK, configured
from funnelwatch.agents.errors import OperationError

if TYPE_CHECKING:
    from funnelwatch.schemas.settings import Settings, SourceSettings

PAYLOAD_BYTES_MAX: Final = 64 * 1024 * 1024
DEFAULT_TYPE: Final = "application/json"


@click.command()
@configured
def gateway(config: Path | None) -> int:
    """Receive webhooks and poll, until it is told to stop.

    Every source of the configuration has an address, /hooks/NAME; its secret comes from the environment or a file.
    A delivery is answered when Kafka has its events, or the disk has (gateway.data_dir) while Kafka is away.
    SIGTERM or Ctrl-C stops it in order.

    \b
    Example:
      FUNNELWATCH_SECRET_HUBSPOT=… funnelwatch gateway --config funnelwatch.toml
    """
    import logging  # noqa: PLC0415  (only this command needs it)

    from funnelwatch.agents.configured import load  # noqa: PLC0415  (only commands need it)
    from funnelwatch.agents.gateway.service import run  # noqa: PLC0415  (only this command needs a web server)

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # the gateway says it better, and once
    return run(*load(config))


@click.group()
def sources() -> None:
    """Look at what the gateway is fed by.

    \b
    Examples:
      funnelwatch sources list
      funnelwatch sources test hubspot < payload.json
      funnelwatch sources unknown
      funnelwatch sources calls
    """


@sources.command("list")
@configured
def list_(config: Path | None) -> int:
    """Show the configured sources, and all systems there are.

    \b
    Example:
      funnelwatch sources list --config funnelwatch.toml
    """
    from funnelwatch.agents.configured import load  # noqa: PLC0415  (only commands need it)
    from funnelwatch.schemas.sources.registry import SYSTEMS  # noqa: PLC0415  (all translators)

    settings, _ = load(config)
    base = settings.gateway.public_url.rstrip("/") or f"http://{settings.gateway.host}:{settings.gateway.port}"
    for source in settings.sources:
        system = SYSTEMS[source.system]
        where = f"{base}/hooks/{source.name}" if system.webhook else "is polled"
        secret = source.secret_file or source.secret_variable
        click.echo(f"{source.name:<20} {system.title:<28} {where}  (secret: {secret})")
    if not settings.sources:
        click.echo("No source is configured: add a [[sources]] table.")
    click.echo("\nSystems (system = …):")
    for name, system in sorted(SYSTEMS.items()):
        click.echo(f"  {name:<18} {system.title:<38} docs/sources/{system.page}")
    return OK


@sources.command("test")
@click.argument("name")
@click.option(
    "--header", "headers", multiple=True, metavar="NAME:VALUE", help="A header of the request, again for more."
)
@click.option("--method", default="POST", show_default=True)
@click.option("--url", default="", help="The address with its query, if the system reads it.")
@configured
def test(config: Path | None, name: str, headers: tuple[str, ...], method: str, url: str) -> int:
    """Show what a payload on standard input becomes, as a source of the configuration or as a system.

    Nothing is verified or published; no secret is needed. Exit code 1 if the payload is refused.

    \b
    Examples:
      funnelwatch sources test hubspot < payload.json
      funnelwatch sources test pbx --header content-type:application/x-www-form-urlencoded < call.txt
    """
    from funnelwatch.agents.gateway.trying import tried  # noqa: PLC0415  (only this command needs it)

    settings, source = _source(config, name)
    body = sys.stdin.buffer.read(PAYLOAD_BYTES_MAX)
    parsed = {"content-type": DEFAULT_TYPE}
    for header in headers:
        key, colon, value = header.partition(":")
        if not colon:
            raise click.BadParameter(f"{header!r} is not NAME:VALUE", param_hint="--header")
        parsed[key.strip().lower()] = value.strip()
    lines, taken = tried(settings, source, method.upper(), url, parsed, body)
    for line in lines:
        click.echo(line)
    return OK if taken else FAILURE


@sources.command("unknown")
@configured
def unknown(config: Path | None) -> int:
    """List the people whose events are kept since the table does not know them.

    \b
    Example:
      funnelwatch sources unknown >> people.toml    then replace the names of the reps
    """
    import json  # noqa: PLC0415  (only this command needs it)

    from funnelwatch.agents.configured import load  # noqa: PLC0415  (only commands need it)
    from funnelwatch.agents.gateway.spool import waiting  # noqa: PLC0415  (only this command needs it)

    settings, _ = load(config)
    found = waiting(Path(settings.gateway.data_dir))
    for person, count in found:
        ids = ", ".join(json.dumps(one, ensure_ascii=False) for one in person)
        click.echo(f'# {count} events\n[[people]]\nrep = "?"\nids = [{ids}]\n')
    click.echo(f"{len(found)} people are unknown.", err=True)
    return OK


@sources.command("refused")
@click.option("--show", type=int, metavar="NUMBER", help="Write the body of one to standard output, as it was sent.")
@configured
def refused(config: Path | None, show: int | None) -> int:
    """List the deliveries that were believed and could not be read, and why.

    They are kept with their bytes. A gateway tries them again when it starts: after a correction of the source's
    options or mapping, or with a new version.

    \b
    Examples:
      funnelwatch sources refused
      funnelwatch sources refused --show 17 | funnelwatch sources test crm
    """
    from funnelwatch.agents.configured import load  # noqa: PLC0415  (only commands need it)
    from funnelwatch.agents.gateway.refusals import kept  # noqa: PLC0415  (only this command needs it)
    from funnelwatch.schemas.encode import time_text  # noqa: PLC0415  (only this command needs it)

    settings, _ = load(config)
    folder = Path(settings.gateway.data_dir)
    if show is not None:
        for one in kept(folder, show - 1, 1):
            if one.number == show:
                sys.stdout.buffer.write(one.delivery.body)
                return OK
        raise OperationError(f"No refused delivery has the number {show}.")
    found = kept(folder)
    for one in found:
        click.echo(f"{one.number:>6}  {time_text(one.at)}  {one.name:<16} {one.reason}: {one.detail}")
    click.echo(f"{len(found)} deliveries are kept.", err=True)
    return OK


@sources.command("calls")
@click.option("--last", type=click.IntRange(1, 10_000), default=20, show_default=True, help="How many.")
@configured
def calls(config: Path | None, last: int) -> int:
    """Show the latest calls that several sources told of: when they began, and each source's own id.

    \b
    Example:
      funnelwatch sources calls --last 100
    """
    from contextlib import closing  # noqa: PLC0415  (only this command needs it)

    from funnelwatch.agents.configured import load  # noqa: PLC0415  (only commands need it)
    from funnelwatch.agents.gateway.matching import FILE, memory_of  # noqa: PLC0415  (only this command needs it)
    from funnelwatch.schemas.encode import time_text  # noqa: PLC0415  (only this command needs it)

    settings, _ = load(config)
    folder = Path(settings.gateway.data_dir)
    if not (folder / FILE).exists():
        raise OperationError(f"No gateway has remembered a call in {folder}: see gateway.data_dir and calls.match.")
    with closing(memory_of(settings, folder)) as memory:
        for match in memory.matches(last):
            told = "  =  ".join(f"{subject} ({source.rpartition('/')[2]})" for source, subject in match.calls)
            click.echo(f"{time_text(match.started_us)}  {match.name}:  {told}")
        click.echo(f"{len(memory)} calls are remembered.", err=True)
    return OK


def _source(config: Path | None, name: str) -> tuple[Settings, SourceSettings]:
    from funnelwatch.agents.configured import load  # noqa: PLC0415  (only commands need it)
    from funnelwatch.schemas.problems import nearest  # noqa: PLC0415  (only this needs it)
    from funnelwatch.schemas.settings import SourceSettings  # noqa: PLC0415  (only this needs it)
    from funnelwatch.schemas.sources.registry import SYSTEMS  # noqa: PLC0415  (all translators)

    settings, _ = load(config)
    known = {source.name: source for source in settings.sources}
    if name in known:
        return settings, known[name]
    if name in SYSTEMS:
        return settings, SourceSettings(name=name, system=name)
    raise OperationError(f"No source and no system is named {name!r}{nearest(name, [*known, *SYSTEMS])}.")
