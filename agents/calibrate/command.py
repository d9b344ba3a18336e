"""The command."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from funnelwatch.agents.command_line import OK, configured

FILES = click.argument("files", nargs=-1, type=click.Path(path_type=Path))
BUDGET = 2.0
"""False critical pages a week for 500 reps."""


@click.command()
@FILES
@click.option("--reps", default=500, show_default=True, help="Of the seeded floor, when no FILES are given.")
@click.option("--days", default=30, show_default=True, help="How long the seeded floor is judged.")
@click.option("--seeds", default=1, show_default=True, help="How many seeded floors.")
@click.option("--budget", default=BUDGET, show_default=True, help="False pages a week for 500 reps that are bearable.")
@click.option("--plots", type=click.Path(path_type=Path, file_okay=False), help="Write loss.svg and stall.svg here.")
@click.option("--json", "as_json", is_flag=True, help="All points as JSON instead of tables.")
@configured
def calibrate(  # noqa: PLR0917  (click passes them by name)
    config: Path | None,
    files: tuple[Path, ...],
    reps: int,
    days: int,
    seeds: int,
    budget: float,
    plots: Path | None,
    *,
    as_json: bool,
) -> int:
    """Count false pages and what is found, for the configured thresholds and their neighbours.

    With FILES of events your own history is judged, hour by working hour, by the detectors that judge live (its first
    60 working days are what baselines come from); every page in it counts as false, so real trouble makes the figures
    look worse, not better. Without FILES a seeded floor on which nothing is wrong is judged. Then trouble is planted
    into some reps, and what is found of it is counted. A minute or so for 500 reps and 30 days.

    \b
    Examples:
      funnelwatch calibrate                               the defaults, on a floor of 500
      funnelwatch calibrate history.ndjson.gz             your own
      funnelwatch calibrate --seeds 3 --plots docs/images
    """
    from funnelwatch.agents.calibrate import measuring  # noqa: PLC0415  (only this command needs it)
    from funnelwatch.agents.configured import load  # noqa: PLC0415  (only commands need it)

    settings, _ = load(config)
    measured = (
        measuring.from_files(files, settings, seeds) if files else measuring.from_null(reps, days, seeds, settings)
    )
    if as_json:
        click.echo(msgspec.json.encode(measured))
    else:
        for table in measuring.tables(measured, settings.detectors, budget):
            measuring.output.print(table)
        for sentence in measuring.advice(measured, settings.detectors, budget):
            click.echo(sentence)
    if plots is not None:
        plots.mkdir(parents=True, exist_ok=True)
        for name, svg in measuring.plots(measured, budget).items():
            (plots / name).write_text(svg, "utf-8")
            click.echo(f"wrote {plots / name}", err=True)
    return OK
