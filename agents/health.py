"""``funnelwatch health PROCESS``: does it answer? For supervisors and containers that ask by a command."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path
from typing import Final

import click

from funnelwatch.agents.command_line import FAILURE, OK, configured
from funnelwatch.schemas.settings import Settings

SECONDS_MAX: Final = 3.0
EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104  (where to ask whoever listens everywhere)


@click.command()
@click.argument("process", type=click.Choice(["worker", "board", "gateway"]))
@click.option("--ready", is_flag=True, help="Ask whether it is ready for work, not only whether it lives.")
@configured
def health(config: Path | None, process: str, *, ready: bool) -> int:
    """Ask a process of this machine whether it lives; exit code 1 if not.

    \b
    Examples:
      funnelwatch health worker
      funnelwatch health board --ready
    """
    from funnelwatch.agents.configured import load  # noqa: PLC0415  (only commands need it)

    settings, _ = load(config)
    url = f"{address(settings, process)}/{'readyz' if ready else 'healthz'}"
    try:
        with urllib.request.urlopen(url, timeout=SECONDS_MAX) as answer:  # noqa: S310  (http, from our own settings)
            said, is_well = answer.read(1_000), True
    except urllib.error.HTTPError as refused:
        said, is_well = refused.read(1_000), False
    except OSError as error:
        said, is_well = f"{url} does not answer: {error}".encode(), False
    click.echo(said.decode("utf-8", "replace").strip() or ("ok" if is_well else "not ready"))
    return OK if is_well else FAILURE


def address(settings: Settings, process: str) -> str:
    """Where a process of this machine answers."""
    host, port = {
        "worker": (settings.worker.host, settings.worker.port),
        "board": (settings.board.host, settings.board.port),
        "gateway": (settings.gateway.host, settings.gateway.port),
    }[process]
    return f"http://{EVERYWHERE.get(host, host)}:{port}"
