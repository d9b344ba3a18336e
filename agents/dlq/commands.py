"""``funnelwatch dlq list``, ``show``, ``replay`` and ``resume``: options in, text and exit codes out."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from funnelwatch.agents.clock import now_us
from funnelwatch.agents.command_line import FAILURE, OK, Command, configured
from funnelwatch.agents.errors import OperationError

if TYPE_CHECKING:
    from funnelwatch.agents.dlq.letter import Wanted
    from funnelwatch.agents.dlq.sending import Outcome
    from funnelwatch.schemas.settings import Settings

LIST_DEFAULT: Final = 50
LIST_MAX: Final = 10_000
PLACES_MAX: Final = 1_000
"""So many letters can be named one by one; filters take any number."""
PIPE_COLUMNS: Final = 200
"""How wide a table is where no terminal says so."""


@click.group()
def dlq() -> None:
    """Look at refused messages, and send them again after a fix.

    Everything a worker cannot take lies in the topic crm.dead-letters, with its own bytes and the reason.

    \b
    Examples:
      funnelwatch dlq list --since 2h
      funnelwatch dlq show 3:1042
      funnelwatch dlq replay --reason unknown_type --dry-run
      funnelwatch dlq resume --list
    """


def filtered(command: Command) -> Command:
    """The options that choose letters."""
    decorators: tuple[Callable[[Command], Command], ...] = (
        click.option("--since", metavar="TIME", help="Refused since: 30m, 2h, 7d, or an instant (RFC 3339)."),
        click.option("--topic", "topics", multiple=True, help="Only of this topic (again for more), like crm.deals."),
        click.option("--reason", "reasons", multiple=True, help="Only of this reason (again for more), like bad_time."),
    )
    for decorator in decorators:
        command = decorator(command)
    return command


@dlq.command("list")
@filtered
@click.option("--limit", type=click.IntRange(1, LIST_MAX), default=LIST_DEFAULT, show_default=True, help="At most.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line; the summary goes to standard error.")
@configured
def list_(config: Path | None, *, limit: int, as_json: bool, **filters: Any) -> int:
    """List the newest letters, newest last, and count all by reason.

    \b
    Examples:
      funnelwatch dlq list --reason bad_amount --reason bad_currency
      funnelwatch dlq list --topic crm.deals --since 2026-11-23T08:00:00Z --json | jq .detail
    """
    from rich.console import Console  # noqa: PLC0415  (only this command needs it)

    from funnelwatch.agents.configured import load  # noqa: PLC0415  (only commands need it)
    from funnelwatch.agents.dlq import running, showing  # noqa: PLC0415  (only this command needs it)

    settings, secrets = load(config)
    found = asyncio.run(running.listing(settings, secrets, _wanted(settings, **filters), limit))
    if as_json:
        for line in found.lines:
            click.echo(showing.json_line(line))
        click.echo(found.ending, err=True)
        return OK
    console = Console(width=None if sys.stdout.isatty() else PIPE_COLUMNS)
    if found.counts:
        console.print(showing.table_of(found.lines))
    click.echo(found.ending)
    return OK


@dlq.command()
@click.argument("place", metavar="PARTITION:OFFSET")
@click.option("--raw", is_flag=True, help="Only the message's own bytes, unchanged, to standard output.")
@configured
def show(config: Path | None, place: str, *, raw: bool) -> int:
    """Show one letter: why it was refused, its key, headers and bytes.

    Bytes that are no UTF-8 are shown as a hex dump; control characters are escaped.

    \b
    Examples:
      funnelwatch dlq show 3:1042
      funnelwatch dlq show 3:1042 --raw > refused.json
    """
    from rich.console import Console  # noqa: PLC0415  (only this command needs it)

    from funnelwatch.agents.configured import load  # noqa: PLC0415  (only commands need it)
    from funnelwatch.agents.dlq import running, showing  # noqa: PLC0415  (only this command needs it)
    from funnelwatch.agents.dlq.letter import position_of  # noqa: PLC0415  (only this command needs it)

    position = _read(position_of, place)
    settings, secrets = load(config)
    letter = asyncio.run(running.one(settings, secrets, position))
    if raw:
        sys.stdout.buffer.write(letter.value or b"")
        sys.stdout.buffer.flush()
    else:
        showing.show(letter, Console(highlight=False))
    return OK


@dlq.command()
@click.argument("places", nargs=-1, metavar="[PARTITION:OFFSET]...")
@filtered
@click.option("--dry-run", is_flag=True, help="Only say what would be sent.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@configured
def replay(config: Path | None, places: tuple[str, ...], *, dry_run: bool, yes: bool, **filters: Any) -> int:
    """Send letters again to the topics they came from.

    Those that the filters choose, or those named. They keep their bytes, key and headers; what is refused again becomes
    a new letter. Sending a letter twice is harmless: an event that was taken before changes nothing. Exit code 1 if
    some cannot be sent.

    \b
    Examples:
      funnelwatch dlq replay --reason unknown_type --since 7d
      funnelwatch dlq replay --topic crm.deals --dry-run
      funnelwatch dlq replay 3:1042 3:1043 --yes
    """
    from rich.console import Console  # noqa: PLC0415  (only this command needs it)

    from funnelwatch.agents.configured import load  # noqa: PLC0415  (only commands need it)
    from funnelwatch.agents.dlq import running  # noqa: PLC0415  (only this command needs it)
    from funnelwatch.agents.dlq.letter import position_of  # noqa: PLC0415  (only this command needs it)

    if places and any(filters.values()):
        raise click.UsageError("Name letters or choose them by --reason, --topic and --since, not both.")
    if len(places) > PLACES_MAX:
        raise click.UsageError(f"At most {PLACES_MAX} letters can be named: choose them by filters.")
    positions = [_read(position_of, place) for place in dict.fromkeys(places)]
    settings, secrets = load(config)
    chosen = positions or _wanted(settings, **filters)
    agree = None if dry_run else (lambda _: True) if yes else _agree
    console = Console(stderr=True)
    outcome = asyncio.run(running.replay(settings, secrets, chosen, agree=agree, console=console))
    if outcome is None:
        click.echo("Nothing was sent.")
        return OK
    return _conclude(outcome, "would be sent again" if dry_run else "sent again")


@dlq.command()
@click.option("--topic", metavar="TOPIC", help="Only partitions of this topic, like crm.deals.")
@click.option("--partition", type=click.IntRange(min=0), help="Only this partition.")
@click.option("--for", "period", default="10m", show_default=True, metavar="PERIOD", help="So long: 90s, 10m, 2h.")
@click.option("--list", "only_list", is_flag=True, help="Only say what has stopped.")
@configured
def resume(config: Path | None, topic: str | None, partition: int | None, period: str, *, only_list: bool) -> int:
    """Read on what has stopped because most of it is refused.

    A worker stops reading a partition when too much of it is refused for a minute (worker.storm_share and what stands
    beside it), tries a few events from time to time, and reads on when they are taken: after a fix nothing has to be
    done. This reads on all the same, and puts into the dead letters whatever is refused, until the period is over.
    Exit code 1 if a worker did not take it up.

    \b
    Examples:
      funnelwatch dlq resume --list
      funnelwatch dlq resume --topic crm.deals --partition 2 --for 5m
    """
    from funnelwatch.agents.configured import load  # noqa: PLC0415  (only commands need it)
    from funnelwatch.agents.dlq import resuming  # noqa: PLC0415  (only this command needs it)
    from funnelwatch.agents.dlq.letter import seconds_of  # noqa: PLC0415  (only this command needs it)

    seconds = _read(seconds_of, period)
    settings, secrets = load(config)
    named = _prefixed(settings, topic) if topic else None

    def is_wanted(place: tuple[str, int]) -> bool:
        return named in {None, place[0]} and partition in {None, place[1]}

    found = asyncio.run(resuming.stopped(settings, secrets, is_wanted))
    for (name, number), stop in found.items():
        click.echo(f"{name}[{number}] stopped: {stop.refused:,} of {stop.read:,} events were refused")
    if not found:
        click.echo("Nothing has stopped.")
    if only_list or not found:
        return OK
    left = asyncio.run(resuming.resume(settings, secrets, list(found), seconds))
    for name, number in left:
        click.echo(f"{name}[{number}]: its worker did not take it up; look at its log", err=True)
    click.echo(f"{len(found) - len(left)} partitions are read on, {len(left)} not.")
    return FAILURE if left else OK


def _conclude(outcome: Outcome, what: str) -> int:
    from funnelwatch.agents.dlq.showing import escaped  # noqa: PLC0415  (only this command needs it)

    for problem in outcome.problems:
        click.echo(f"cannot be sent: {escaped(problem)}", err=True)
    for topic, count in sorted(outcome.sent.items()):
        click.echo(f"{topic:<24} {count:>12,}")
    click.echo(f"{outcome.sent.total():,} letters {what}, {outcome.not_sent:,} cannot be.")
    return FAILURE if outcome.not_sent else OK


def _agree(plan: Outcome) -> bool:
    if not sys.stdin.isatty():
        raise OperationError("Nobody is there to be asked: say --yes to send, or --dry-run to see what would be.")
    parts = ", ".join(f"{count:,} to {topic}" for topic, count in sorted(plan.sent.items()))
    return click.confirm(f"Send {plan.sent.total():,} letters again ({parts})?", err=True)


def _wanted(settings: Settings, reasons: tuple[str, ...], topics: tuple[str, ...], since: str | None) -> Wanted:
    """The filters; a topic may be named with or without the prefix."""
    from funnelwatch.agents.dlq.letter import Wanted, since_of  # noqa: PLC0415  (only this command needs it)

    return Wanted(
        reasons=frozenset(reasons),
        topics=frozenset(_prefixed(settings, topic) for topic in topics),
        since=None if since is None else _read(lambda text: since_of(text, now_us()), since),
    )


def _prefixed(settings: Settings, topic: str) -> str:
    prefix = settings.kafka.prefix
    return topic if topic.startswith(prefix) else prefix + topic


def _read(reader: Callable[[str], Any], text: str) -> Any:
    try:
        return reader(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
