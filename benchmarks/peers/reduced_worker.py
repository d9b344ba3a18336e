"""The worker as it ships, but that deals are folded by `peers.reduced`: ``reduced_worker.py CONFIGURATION``."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from funnelwatch.agents.configured import load
from funnelwatch.agents.engine import kind_fold, worker
from funnelwatch.schemas.events import Kind
from funnelwatch.streams.folds import FOLDS
from peers.reduced import ReducedFold, entity_fold, read_events

if __name__ == "__main__":
    kind_fold.EntityFold = entity_fold  # the product has no other one
    kind_fold.read_events = read_events
    settings, secrets = load(Path(sys.argv[1]))
    raise SystemExit(worker.run(settings, secrets, FOLDS | {Kind.DEAL: ReducedFold()}))
