"""The ``funnelwatch`` command: ``main("board", "--config", …)``. The first argument may be ``OUTPUT=path`` instead."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from funnelwatch.agents import cli

OUTPUT = "OUTPUT="


def main(*arguments: str) -> int:
    """Run it; standard output goes to the log, or to ``path``."""
    first, *rest = arguments
    if first.startswith(OUTPUT):
        sys.stdout.flush()
        with Path(first.removeprefix(OUTPUT)).open("wb") as output:
            os.dup2(output.fileno(), 1)
        os.nice(5)
        arguments = tuple(rest)
    return cli.main(list(arguments)) or 0
