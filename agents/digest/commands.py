"""``funnelwatch digest``: the daily mail to each manager."""

from __future__ import annotations

from pathlib import Path

import click

from funnelwatch.agents.command_line import OK, configured
from funnelwatch.agents.errors import OperationError


@click.command()
@click.option(
    "--preview",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write one digest as HTML and send nothing.",
)
@click.option("--manager", help="Whose digest to preview; else the one of most reps.")
@click.option("--language", type=click.Choice(["en", "fa"]), help="Of the preview; else the manager's.")
@configured
def digest(config: Path | None, preview: Path | None, manager: str | None, language: str | None) -> int:
    """Mail each manager who needs help, on working days, until it is told to stop.

    Needs a running board, Redis, and [mail]. Each manager gets one mail a day (digest.time), however often this is
    started.

    \b
    Examples:
      funnelwatch digest
      funnelwatch digest --preview digest.html --manager "Mona Rahimi" --language fa
    """
    from funnelwatch.agents.configured import load  # noqa: PLC0415  (only commands need it)
    from funnelwatch.agents.digest import service  # noqa: PLC0415  (only this command needs it)
    from funnelwatch.agents.digest.rendering import render  # noqa: PLC0415  (only this command needs it)

    settings, secrets = load(config)
    if preview is None:
        return service.run(settings, secrets)
    found = service.fetch(settings).digests
    if not found:
        raise OperationError("There is nobody to tell of: the board knows no rep.")
    names = [one.manager for one in found]
    if manager is not None and manager not in names:
        raise OperationError(f"No rep has the manager {manager!r}. Managers: {', '.join(map(repr, names))}.")
    chosen = max(found, key=lambda one: len(one.reps)) if manager is None else found[names.index(manager)]
    mail = render(chosen, settings, language or service.recipient(settings, chosen.manager).language)
    try:
        preview.write_text(mail.html, "utf-8")
    except OSError as error:
        raise OperationError(f"{preview} cannot be written: {error.strerror}.") from error
    click.echo(f"Wrote {preview}: {mail.subject} ({chosen.manager or 'no manager'}, {len(chosen.reps)} reps).")
    return OK
