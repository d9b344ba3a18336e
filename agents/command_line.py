"""What the commands share: exit codes, the option that names the configuration, and files of events."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

OK: Final = 0
FAILURE: Final = 1
USAGE: Final = 2
INTERRUPTED: Final = 130

Command = TypeVar("Command", bound=Callable[..., Any])

FILES: Final = click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
"""Files of events; one at least."""


def configured(command: Command) -> Command:
    """The option that names the configuration."""
    return click.option(
        "--config",
        "config",
        type=click.Path(path_type=Path, dir_okay=False),
        envvar="FUNNELWATCH_CONFIG",
        help="Configuration file (TOML). Default: ./funnelwatch.toml if there is one.",
    )(command)
