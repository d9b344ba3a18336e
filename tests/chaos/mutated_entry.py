"""The ``funnelwatch`` command as it is, but for mutations: ``main("NAME,…", "board", "--config", …)``."""

from __future__ import annotations

import sys

from mutations import MUTATIONS

from funnelwatch.agents import cli


def main(mutations: str, *arguments: str) -> int:
    """Take the mechanisms out, then run the command."""
    for name in filter(None, mutations.split(",")):
        MUTATIONS[name]()
    return cli.main(list(arguments)) or 0


if __name__ == "__main__":
    main(*sys.argv[1:])
