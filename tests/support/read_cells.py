"""Cells of either kind, read as the board reads them."""

from __future__ import annotations

from funnelwatch.streams.cells import REMOVED, decode_cell, decode_value
from funnelwatch.streams.compiled_cells import CompiledCells
from funnelwatch.streams.shard import ShardCells


def as_read(published):
    """Cells as the board reads them."""
    cells = {decode_cell(cell): value for cell, value in published.items()}
    assert len(cells) == len(published)
    return {cell: decode_value(cell, value) for cell, value in cells.items()}


class ReadCells(CompiledCells):
    """Compiled cells with what `ShardCells` tells of itself."""

    def take_changed(self):
        changes = self.take_published()
        gone = {decode_cell(cell): None for cell, value in changes.items() if value == REMOVED}
        return gone | as_read({cell: value for cell, value in changes.items() if value != REMOVED})

    def all_cells(self):
        return as_read(self.all_published())


def cells_of(context, recordings_days, *, is_compiled):
    """Those that the fold of the same kind adds to."""
    return (ReadCells if is_compiled else ShardCells)(context.calendar, recordings_days)
