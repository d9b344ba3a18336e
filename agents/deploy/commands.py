"""``funnelwatch rules`` and ``funnelwatch alertmanager``: what Prometheus and Alertmanager read, from the settings."""

from __future__ import annotations

from pathlib import Path

import click

from funnelwatch.agents.command_line import FAILURE, OK, configured
from funnelwatch.agents.errors import OperationError


@click.command()
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("deploy"),
    show_default=True,
    help="The folder: prometheus/rules.yml and runbooks/ in it.",
)
@click.option("--check", "only_check", is_flag=True, help="Write nothing; exit code 1 if something differs.")
@configured
def rules(config: Path | None, output: Path, *, only_check: bool) -> int:
    """Write the rules of Prometheus, and a runbook for each alert.

    Links in the alerts lead to board.public_url, alerting.grafana_url, alerting.alertmanager_url and
    alerting.runbook_url.

    \b
    Examples:
      funnelwatch rules --output /etc/funnelwatch
      funnelwatch rules --check        are the written ones those of this version and these settings?
    """
    from funnelwatch.agents.configured import load  # noqa: PLC0415  (only commands need it)
    from funnelwatch.streams.alerting import files  # noqa: PLC0415  (only this command needs it)

    settings, _ = load(config)
    wanted = files.deployed(settings)
    differing = [name for name, text in wanted.items() if _read(output / name) != text]
    if not only_check:
        for name in differing:
            _write(output / name, wanted[name])
    for name in differing:
        click.echo(f"{'differs' if only_check else 'wrote'}  {output / name}")
    click.echo(f"{len(wanted)} files, {len(differing)} of them {'differ' if only_check else 'written'}.")
    return FAILURE if only_check and differing else OK


def _read(path: Path) -> str | None:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    except OSError as error:
        raise OperationError(f"{path} cannot be written: {error.strerror}.") from error


@click.command()
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("deploy/alertmanager"),
    show_default=True,
    help="The folder: alertmanager.yml and funnelwatch.tmpl in it.",
)
@click.option("--reload", "reload_url", metavar="URL", default="", help="Tell the Alertmanager there to read it.")
@click.option("--watch", "seconds", type=click.FloatRange(0.1), metavar="SECONDS", help="Go on, looking so often.")
@configured
def alertmanager(config: Path | None, output: Path, reload_url: str, seconds: float | None) -> int:
    """Write Alertmanager's routing: who is told what, from the reps' records.

    Managers and teams come from the board, how to reach them from [alerting]; a manager that is a mail address needs no
    entry. With --watch a new team is routed within seconds. The file may hold a token: only its owner can read it.

    \b
    Examples:
      funnelwatch alertmanager --output /etc/alertmanager --reload http://127.0.0.1:9093
      funnelwatch alertmanager --output /etc/alertmanager --reload http://127.0.0.1:9093 --watch 10
    """
    from funnelwatch.agents.configured import load  # noqa: PLC0415  (only commands need it)
    from funnelwatch.agents.deploy import alertmanager as module  # noqa: PLC0415  (only this command needs it)
    from funnelwatch.streams.alerting.routing import People, unreachable  # noqa: PLC0415  (only this command needs it)

    settings, _ = load(config)
    if seconds is not None:
        module.keep(settings, output, reload_url, seconds, click.echo)
    known = module.people(settings)
    if known is None:
        click.echo("The board has no figures: routes follow from the settings alone.", err=True)
        known = People()
    written = module.write(output, module.configuration(settings, known))
    if reload_url:
        module.reload(reload_url)
    for manager in unreachable(settings, known):
        click.echo(f"{manager!r} has no contact: his or her pages go to alerting.everybody", err=True)
    if not settings.alerting.everybody.is_reachable:
        click.echo("alerting.everybody has no contact: what concerns nobody else is told to nobody", err=True)
    click.echo(
        f"{len(known.managers)} managers, {len(known.teams)} teams: {'wrote' if written else 'nothing new in'} {output}"
    )
    return OK
