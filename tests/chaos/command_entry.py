"""The ``funnelwatch`` command: ``main("board", "--config", …)``, with mechanisms taken out if there are any."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from mutations import MUTATIONS

from funnelwatch.agents import cli

NICER = 5


def main(output: str, mutations: str, *arguments: str) -> int:
    """Run it.

    Args:
        output: The file that standard output goes to; "" is the log.
        mutations: Names of what to take out, with commas between.
        arguments: Of the command line.
    """
    if output:
        sys.stdout.flush()
        with Path(output).open("wb") as file:
            os.dup2(file.fileno(), 1)
        os.nice(NICER)
    for name in mutations.split(",") if mutations else ():
        MUTATIONS[name]()
    return cli.main(list(arguments)) or 0
