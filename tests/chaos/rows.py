"""All rows, in the order in which they are run."""

from __future__ import annotations

import ahead
import broker
import clocks
import cluster
import disk
import flood
import history
import kills
import leaks
import meaning
import membership
import mixed
import pauses
import poison
import recovery
import redis_faults
import storm
import unreachable
from row import Row

ROWS: tuple[Row, ...] = (
    kills.ROW,
    ahead.ROW,
    pauses.ROW,
    redis_faults.ROW,
    broker.ROW,
    cluster.ROW,
    unreachable.ROW,
    poison.ROW,
    storm.ROW,
    disk.ROW,
    membership.ROW,
    meaning.ROW,
    clocks.ROW,
    leaks.ROW,
    flood.ROW,
    recovery.ROW,
    history.ROW,
    mixed.ROW,
)
