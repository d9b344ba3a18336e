"""The command ``funnelwatch demo``: its options, and what they mean."""

from __future__ import annotations

from pathlib import Path

import click

from funnelwatch.agents.command_line import configured
from funnelwatch.agents.demo.options import PORT_BASE, SPEED, SPEED_MAX, Options, seconds


@click.command()
@click.option("--for", "lifetime", metavar="TIME", help="End after TIME (60s, 5m) of live figures, with a summary.")
@click.option("--speed", default=SPEED, show_default=True, help="Working seconds that pass in one second.")
@click.option("--seed", default=1, show_default=True, help="Another sales floor for each number.")
@click.option("--reps", type=click.IntRange(2, 1_000), default=40, show_default=True, help="How many reps work there.")
@click.option(
    "--port-base", default=PORT_BASE, show_default=True, help="Five ports from here on; the board has the first."
)
@click.option("--data-dir", type=click.Path(path_type=Path, file_okay=False), help="Keep all data in this folder.")
@click.option("--no-simulator", is_flag=True, help="Empty, for your own events; keeps its data.")
@configured
def demo(
    *,
    config: Path | None,
    lifetime: str | None,
    speed: float,
    seed: int,
    reps: int,
    port_base: int,
    data_dir: Path | None,
    no_simulator: bool,
) -> int:
    """See everything at work, with nothing but Python.

    Starts a real Kafka, a real Redis, a worker and the board on this machine (loopback only), and a simulated sales
    floor of 40 reps: 60 days of history, then live and sped up. After half a minute one rep's funnel stalls and another
    one's loss rate spikes; both are to be detected. Ctrl-C stops everything it started. Without --data-dir nothing is
    left.

    \b
    Examples:
      funnelwatch demo
      funnelwatch demo --for 90s                 ends with a summary; exit code 0 only if all went well
      funnelwatch demo --no-simulator            a small installation of your own, kept in ./funnelwatch-data
      funnelwatch demo --no-simulator --config funnelwatch.toml --data-dir /srv/funnelwatch
    """
    from rich.console import Console  # noqa: PLC0415  (only this command needs it)

    from funnelwatch.agents.demo.show import run  # noqa: PLC0415  (only this command needs it)

    try:
        for_seconds = None if lifetime is None else seconds(lifetime)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--for") from error
    if not 0 < speed <= SPEED_MAX:  # this way round it refuses nan, too
        raise click.BadParameter(f"must be more than 0 and at most {SPEED_MAX:g}", param_hint="--speed")
    options = Options(
        for_seconds=for_seconds,
        port_base=port_base,
        data_dir=data_dir,
        seed=seed,
        reps=reps,
        speed=speed,
        simulator=not no_simulator,
        config=config,
    )
    return run(options, Console())
