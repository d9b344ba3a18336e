"""The cells of one shard: one kind of entity in one partition, summed over its entities, in memory.

An event subtracts its entity's old contribution and adds the new one. What is a sum is kept per local day for good, and
by the minute as far back as windows need it. What is a maximum or an item is kept with what it takes to recompute it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice, takewhile
from typing import Final, Protocol

from funnelwatch.streams.buckets import Horizon, Marks, Shared, SumsByTime
from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.cells import (
    CLOSE_MEASURES,
    CLOSE_MINUTES,
    FINE_MINUTES,
    MINUTE_US,
    AdvanceCell,
    CallRecording,
    Cell,
    CellValue,
    CloseCell,
    Contribution,
    DayCell,
    Item,
    ItemCell,
    LostDeal,
    Measure,
    MinuteCell,
    published,
)

DAY_MINUTES: Final = 24 * 60
LOST_DAYS_BEYOND: Final = 60
"""How much longer than recordings lost deals are published: a call is older than the loss of its deal."""

NOTHING: Final = Contribution()


class Cells(Protocol):
    """The cells of a shard, whatever keeps them: `ShardCells`, or `streams.compiled_cells`."""

    @property
    def newest(self) -> int | None:
        """The time of the newest event of the shard's entities, in µs, as told to `see`."""

    @property
    def is_changed(self) -> bool:
        """Whether `take_published` has anything to give."""

    def see(self, at: int | None) -> None:
        """Note the time of an event."""

    def add(self, before: Contribution | None, after: Contribution | None) -> None:
        """Take an entity's old contribution back and add its new one; either may be missing."""

    def advance_to(self, now_us: int) -> None:
        """Let expire what is too old at ``now_us``. An earlier instant than before changes nothing."""

    def take_published(self) -> dict[bytes, bytes]:
        """The cells that changed since the last call, as they are published; nothing in place of what is gone."""

    def forget_changed(self) -> None:
        """As if what changed had been taken."""

    def all_published(self) -> dict[bytes, bytes]:
        """Every cell as it is published."""

    def all_in_parts(self, size: int) -> Iterator[dict[bytes, bytes]]:
        """The same, so many at a time: as it is now, whatever changes before the last part is asked for."""

    @property
    def size(self) -> int:
        """How many cells there are, but for advances."""


class ShardCells:
    """The cells of one (kind, partition), and which of them changed. Time comes in by `advance_to`.

    Args:
        calendar: The organisation's: it says which day a minute belongs to.
        recordings_days: How long recordings are listed.
    """

    def __init__(self, calendar: Calendar, recordings_days: int) -> None:
        self.newest: int | None = None
        self._day_of_minute = calendar.day_of_minute
        self._recording_minutes = recordings_days * DAY_MINUTES
        shared = Shared[str](), Shared[Measure]()
        self._days = SumsByTime(*shared)
        self._minutes = SumsByTime(*shared)
        self._closes = SumsByTime(*shared)
        self._marks: dict[str, Marks] = {}
        self._advanced: set[str] = set()
        self._items: dict[ItemCell, Item] = {}
        self._items_until: Horizon[set[ItemCell]] = Horizon()
        self._changed_items: set[ItemCell] = set()

    @property
    def is_changed(self) -> bool:
        """Whether `take_changed` has anything to give."""
        return bool(
            self._days.changed or self._minutes.changed or self._closes.changed or self._advanced or self._changed_items
        )

    def see(self, at: int | None) -> None:
        """Note the time of an event."""
        if at is not None and (self.newest is None or at > self.newest):
            self.newest = at

    def add(self, before: Contribution | None, after: Contribution | None) -> None:
        """Take an entity's old contribution back and add its new one; either may be missing."""
        old, new = before or NOTHING, after or NOTHING
        self._add_sums(old, new)
        if old.advances != new.advances:
            self._add_marks(old.advances, new.advances)
        if old.items or new.items:
            self._add_items(old.items, new.items)

    def advance_to(self, now_us: int) -> None:
        """Let expire what is too old at ``now_us``. An earlier instant than before changes nothing."""
        minute = now_us // MINUTE_US
        self._minutes.advance(minute - FINE_MINUTES)
        self._closes.advance(minute - CLOSE_MINUTES)
        for until, cells in self._items_until.advance(minute - 1):
            for cell in cells:
                item = self._items.get(cell)
                if item is not None and self._until(item) == until:
                    del self._items[cell]
                    self._changed_items.add(cell)

    def take_changed(self) -> dict[Cell, CellValue | None]:
        """The cells that changed since the last call, with their values now; None: the cell is gone."""
        changes: dict[Cell, CellValue | None] = {}
        for kind, sums in self._sums():
            buckets = sums.horizon.buckets
            for rep, time in sums.changed:
                bucket = buckets.get(time)
                values = None if bucket is None else bucket.get(rep)
                changes[kind(rep, time)] = None if values is None else values.copy()
            sums.changed.clear()
        for rep in self._advanced:
            changes[AdvanceCell(rep)] = self._latest(rep)
        self._advanced.clear()
        for cell in self._changed_items:
            changes[cell] = self._items.get(cell)
        self._changed_items.clear()
        return changes

    def all_cells(self) -> dict[Cell, CellValue]:
        """Every cell with its value."""
        cells: dict[Cell, CellValue] = {
            kind(rep, time): dict(values) for kind, sums in self._sums() for rep, time, values in sums
        }
        for rep in self._marks:
            latest = self._latest(rep)
            if latest is not None:
                cells[AdvanceCell(rep)] = latest
        return cells | self._items

    def take_published(self) -> dict[bytes, bytes]:
        """See `Cells`."""
        return published(self.take_changed())

    def forget_changed(self) -> None:
        """See `Cells`."""
        for _, sums in self._sums():
            sums.changed.clear()
        self._advanced.clear()
        self._changed_items.clear()

    @property
    def size(self) -> int:
        """See `Cells`."""
        sums = sum(len(bucket) for _, sums in self._sums() for bucket in sums.horizon.buckets.values())
        return sums + len(self._items)

    def all_published(self) -> dict[bytes, bytes]:
        """See `Cells`."""
        return published(self.all_cells())

    def all_in_parts(self, size: int) -> Iterator[dict[bytes, bytes]]:
        """See `Cells`."""
        cells = iter(self.all_cells().items())
        return takewhile(bool, (published(dict(islice(cells, size))) for _ in count()))

    def _sums(self) -> Iterator[tuple[type[DayCell | MinuteCell | CloseCell], SumsByTime]]:
        yield DayCell, self._days
        yield MinuteCell, self._minutes
        yield CloseCell, self._closes

    def _add_sums(self, old: Contribution, new: Contribution) -> None:
        fine_from, closes_from = self._minutes.horizon.minute, self._closes.horizon.minute
        for (rep, minute), changes in changes_of(old.sums, new.sums).items():
            self._days.add(rep, self._day_of_minute(minute), changes)
            if minute > fine_from:
                self._minutes.add(rep, minute, changes)
            if minute > closes_from:
                closes = [change for change in changes if change[0][0] in CLOSE_MEASURES]
                if closes:
                    self._closes.add(rep, minute, closes)

    def _latest(self, rep: str) -> int | None:
        marks = self._marks.get(rep)
        return None if marks is None else marks.latest

    def _add_marks(self, old: dict[str, int], new: dict[str, int]) -> None:
        for rep, at in new.items():
            if old.get(rep) != at:
                self._move_mark(rep, old.get(rep), at)
        for rep, at in old.items():
            if rep not in new:
                self._move_mark(rep, at, None)

    def _move_mark(self, rep: str, was: int | None, at: int | None) -> None:
        marks = self._marks.get(rep)
        if marks is None:
            marks = self._marks[rep] = Marks()
        latest = marks.latest
        if at is not None:
            marks.add(at)
        if was is not None:
            marks.remove(was)
        is_now = marks.latest
        if is_now != latest:
            self._advanced.add(rep)
        if is_now is None:
            del self._marks[rep]

    def _add_items(self, old: dict[ItemCell, Item], new: dict[ItemCell, Item]) -> None:
        for cell in old:
            if cell not in new and self._items.pop(cell, None) is not None:
                self._changed_items.add(cell)
        for cell, item in new.items():
            if old.get(cell) != item:
                self._set_item(cell, item)

    def _set_item(self, cell: ItemCell, item: Item) -> None:
        until = self._until(item)
        if until is not None and not self._items_until.takes(until):
            if self._items.pop(cell, None) is not None:
                self._changed_items.add(cell)
            return
        if until is not None:
            self._items_until.buckets.setdefault(until, set()).add(cell)
        self._items[cell] = item
        self._changed_items.add(cell)

    def _until(self, item: Item) -> int | None:
        """The last minute in which an item may still be young enough; None: it does not age."""
        if isinstance(item, CallRecording):
            return item.at // MINUTE_US + self._recording_minutes
        if isinstance(item, LostDeal):
            return item.closed_at // MINUTE_US + self._recording_minutes + LOST_DAYS_BEYOND * DAY_MINUTES
        return None


def changes_of(
    old: dict[tuple[str, int, Measure], int], new: dict[tuple[str, int, Measure], int]
) -> dict[tuple[str, int], list[tuple[Measure, int]]]:
    """What to add to the measures of each (rep, minute)."""
    changes = new
    if old:
        changes = new.copy()
        for key, amount in old.items():
            changes[key] = changes.get(key, 0) - amount
    places: dict[tuple[str, int], list[tuple[Measure, int]]] = {}
    for (rep, minute, measure), amount in changes.items():
        if amount:
            place = (rep, minute)
            at_place = places.get(place)
            if at_place is None:
                places[place] = [(measure, amount)]
            else:
                at_place.append((measure, amount))
    return places
