"""``python -m funnelwatch.agents.dashboards DIR``: write every dashboard in every language."""

from __future__ import annotations

import sys
from pathlib import Path

from funnelwatch.agents.dashboards.files import write

USAGE = 2

if __name__ == "__main__":
    if len(sys.argv) != USAGE:
        sys.exit("usage: python -m funnelwatch.agents.dashboards DIR   (deploy/grafana/dashboards in the repository)")
    for path in write(Path(sys.argv[1])):
        sys.stdout.write(f"{path}\n")
