"""All rows, in the order in which they are run."""

from __future__ import annotations

import ahead
import broker
import flood
import kills
import membership
import mixed
import pauses
import poison
import redis_faults
from row import Row

ROWS: tuple[Row, ...] = (
    kills.ROW,
    ahead.ROW,
    pauses.ROW,
    redis_faults.ROW,
    broker.ROW,
    poison.ROW,
    membership.ROW,
    flood.ROW,
    mixed.ROW,
)
