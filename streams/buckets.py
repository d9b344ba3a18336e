"""What a shard keeps in memory: sums by day and by minute, maxima, and items that expire.

Expiry goes by minute: what is kept until a minute lies in that minute's bucket, so that moving the horizon touches what
expires and nothing else. A horizon never moves back, and what is at or before it is not taken any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from typing import Final, Generic, TypeVar

from funnelwatch.streams.cells import Measure, Sums

T = TypeVar("T")

BEGIN: Final = -(1 << 62)
"""A horizon before all time."""
SHARED_MAX: Final = 200_000
"""So many different reps, and measures, of a shard are one object each."""
HEAP_SLACK: Final = 16
"""A heap of marks is made anew when more than half of it, and more than this, is no longer valid."""


class Horizon(Generic[T]):
    """Buckets by minute, all of them after a horizon."""

    __slots__ = ("buckets", "minute")

    def __init__(self) -> None:
        self.buckets: dict[int, T] = {}
        self.minute = BEGIN

    def takes(self, minute: int) -> bool:
        """Whether a minute lies after the horizon."""
        return minute > self.minute

    def advance(self, to: int) -> list[tuple[int, T]]:
        """Move the horizon to a minute, not back; returns the buckets at or before it, which are gone now."""
        if not self.takes(to):
            return []
        if to - self.minute < len(self.buckets):
            past = [minute for minute in range(self.minute + 1, to + 1) if minute in self.buckets]
        else:
            past = [minute for minute in self.buckets if minute <= to]
        self.minute = to
        return [(minute, self.buckets.pop(minute)) for minute in past]


class Shared(Generic[T]):
    """One object for all that are equal: most of a shard's memory would be copies of the same names.

    Args:
        most: So many are kept; what is new beyond stays as it comes, at the price of memory.
    """

    __slots__ = ("_known", "_most")

    def __init__(self, most: int = SHARED_MAX) -> None:
        self._known: dict[T, T] = {}
        self._most = most

    def __call__(self, one: T) -> T:
        """The object that stands for ``one``."""
        known = self._known
        if len(known) < self._most:
            return known.setdefault(one, one)
        return known.get(one, one)


class SumsByTime:
    """Sums of each (rep, day or minute); zero sums leave no measure, and none leave no entry."""

    __slots__ = ("_measures", "_reps", "changed", "horizon")

    def __init__(self, reps: Shared[str], measures: Shared[Measure]) -> None:
        self.horizon: Horizon[dict[str, Sums]] = Horizon()
        self.changed: set[tuple[str, int]] = set()
        self._reps = reps
        self._measures = measures

    def add(self, rep: str, time: int, changes: list[tuple[Measure, int]]) -> None:
        """Add to some sums of one (rep, time), unless the time is past."""
        horizon = self.horizon
        if time <= horizon.minute:
            return
        self.changed.add((rep, time))
        bucket = horizon.buckets.get(time)
        if bucket is None:
            bucket = horizon.buckets[time] = {}
        sums = bucket.get(rep)
        if sums is None:
            sums = bucket[self._reps(rep)] = {}
        for measure, amount in changes:
            before = sums.get(measure)
            if before is None:
                sums[self._measures(measure)] = amount
            elif total := before + amount:
                sums[measure] = total
            else:
                del sums[measure]
        if not sums:
            del bucket[rep]
            if not bucket:
                del horizon.buckets[time]

    def advance(self, to: int) -> None:
        """Forget what is at or before a time."""
        for time, bucket in self.horizon.advance(to):
            self.changed.update((rep, time) for rep in bucket)

    def __iter__(self) -> Iterator[tuple[str, int, Sums]]:
        for time, bucket in self.horizon.buckets.items():
            for rep, sums in bucket.items():
                yield rep, time, sums


class Marks:
    """A multiset of instants with its maximum: what the entities of one rep say about one thing."""

    __slots__ = ("_counts", "_heap")

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self._heap: list[int] = []

    def add(self, at: int) -> None:
        """One more entity says ``at``."""
        self._counts[at] = self._counts.get(at, 0) + 1
        heappush(self._heap, -at)

    def remove(self, at: int) -> None:
        """One entity less says ``at``."""
        left = self._counts[at] - 1
        if left:
            self._counts[at] = left
        else:
            del self._counts[at]
        if len(self._heap) > 2 * len(self._counts) + HEAP_SLACK:
            self._heap = [-mark for mark in self._counts]
            heapify(self._heap)

    @property
    def latest(self) -> int | None:
        """The maximum; None if nobody says anything."""
        while self._heap and -self._heap[0] not in self._counts:
            heappop(self._heap)
        return -self._heap[0] if self._heap else None
