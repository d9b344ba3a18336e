"""The merged read model: the cells of all shards added up, per rep, per team and for the organisation.

A shard is one partition of one kind of entity. It publishes absolute values; the table keeps what each shard said last,
so that a shard can be replaced or corrected, and keeps the sums over shards up to date by adding differences.
"""

from __future__ import annotations

from collections.abc import Mapping

from funnelwatch.schemas.events import Kind
from funnelwatch.schemas.settings import Settings
from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.cells import Cell, CellValue

Shard = tuple[Kind, int]
"""(kind of entity, partition)."""


class Table:
    """What all shards say, merged. Pure: it holds no clock and does no I/O."""

    def __init__(self, settings: Settings, calendar: Calendar) -> None:
        raise NotImplementedError

    def replace(self, shard: Shard, cells: Mapping[Cell, CellValue]) -> None:
        """Everything the shard says, in place of all it said before."""
        raise NotImplementedError

    def apply(self, shard: Shard, changes: Mapping[Cell, CellValue | None]) -> None:
        """New absolute values of some cells of a shard; None removes a cell."""
        raise NotImplementedError

    def take_changed(self) -> set[str]:
        """The reps whose figures may have changed since the last call."""
        raise NotImplementedError
