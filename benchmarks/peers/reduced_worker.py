"""The worker as it ships, but that `peers.reduced` folds deals: ``reduced_worker.py COMPILED CONFIGURATION``."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from funnelwatch.agents.configured import load
from funnelwatch.agents.engine import worker
from peers.reduced_compiled import folds, use

if __name__ == "__main__":
    use(Path(sys.argv[1]))
    settings, secrets = load(Path(sys.argv[2]))
    raise SystemExit(worker.run(settings, secrets, folds()))
