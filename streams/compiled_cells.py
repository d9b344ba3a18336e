"""The cells of a shard, compiled (`native/src/cells.rs`): what `streams.shard.ShardCells` is, several times faster.

What the compiled fold takes goes from one to the other without a detour. What it leaves to the twin is added here, one
entity at a time, as the twin does it. A test holds both kinds of cells equal.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, count, islice, takewhile

from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.cells import (
    CLOSE_MEASURES,
    CLOSE_MINUTES,
    FINE_MINUTES,
    CallRecording,
    Contribution,
    Item,
    ItemCell,
    LostDeal,
    encode,
)
from funnelwatch.streams.shard import DAY_MINUTES, LOST_DAYS_BEYOND, NOTHING, Cells, changes_of

try:
    from funnelwatch import _native
except ImportError:  # no compiler when it was installed
    _native = None  # type: ignore[assignment]  # nobody asks for it then: `streams.compiled.is_installed`


class CompiledCells:
    """The cells of one (kind, partition), and which of them changed: see `streams.shard.Cells`.

    Args:
        calendar: The organisation's: it says which day a minute belongs to.
        recordings_days: How long recordings are listed.
    """

    def __init__(self, calendar: Calendar, recordings_days: int) -> None:
        self._day_of_minute = calendar.day_of_minute
        recording_minutes = recordings_days * DAY_MINUTES
        self._cells = _native.Cells(
            fine_minutes=FINE_MINUTES,
            close_minutes=CLOSE_MINUTES,
            recording_minutes=recording_minutes,
            lost_minutes=recording_minutes + LOST_DAYS_BEYOND * DAY_MINUTES,
        )
        self.see = self._cells.see
        self.advance_to = self._cells.advance_to
        self.take_published = self._cells.take_changed
        self.forget_changed = self._cells.forget_changed
        self.all_published = self._cells.all_cells
        self.add_folded = self._cells.add_folded
        self.add_derived = self._cells.add_derived
        self.pack = self._cells.pack

    @property
    def newest(self) -> int | None:
        """See `streams.shard.Cells`."""
        return self._cells.newest

    @property
    def size(self) -> int:
        """See `streams.shard.Cells`."""
        return self._cells.size

    @property
    def is_changed(self) -> bool:
        """See `streams.shard.Cells`."""
        return self._cells.is_changed

    def all_in_parts(self, size: int) -> Iterator[dict[bytes, bytes]]:
        """See `streams.shard.Cells`."""
        others, days = iter(self._cells.all_but_days().items()), self._cells.all_days()
        of_days = (self._cells.published_days(days, begin, begin + size) for begin in range(0, len(days), size))
        return chain(takewhile(bool, (dict(islice(others, size)) for _ in count())), of_days)

    def add(self, before: Contribution | None, after: Contribution | None) -> None:
        """See `streams.shard.Cells`."""
        old, new = before or NOTHING, after or NOTHING
        for (rep, minute), changes in changes_of(old.sums, new.sums).items():
            said = [(encode(measure), amount, measure[0] in CLOSE_MEASURES) for measure, amount in changes]
            self._cells.add_sums(rep, minute, self._day_of_minute(minute), said)
        for rep in old.advances.keys() | new.advances.keys():
            was, at = old.advances.get(rep), new.advances.get(rep)
            if was != at:
                self._cells.move_mark(rep, was, at)
        for cell in old.items.keys() - new.items.keys():
            self._cells.remove_item(cell.rep, cell.type, cell.id)
        for cell, item in new.items.items():
            if old.items.get(cell) != item:
                self._set_item(cell, item)

    def _set_item(self, cell: ItemCell, item: Item) -> None:
        ages_from = None
        if isinstance(item, CallRecording):
            ages_from = item.at
        elif isinstance(item, LostDeal):
            ages_from = item.closed_at
        self._cells.set_item(cell.rep, cell.type, cell.id, encode(item), ages_from)


def compiled(cells: Cells) -> CompiledCells:
    """These cells, to which alone what the compiled fold comes to can be added.

    Raises:
        TypeError: They are of another kind.
    """
    if not isinstance(cells, CompiledCells):
        raise TypeError("what the compiled fold comes to can be added to compiled cells only")
    return cells
