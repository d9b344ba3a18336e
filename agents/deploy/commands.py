"""``funnelwatch rules``: alert and recording rules, and their runbooks, for these settings."""

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
