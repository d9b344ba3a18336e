"""How far a worker is: until when everything that Kafka had of a partition is folded.

Detectors judge a rep's whole picture. While a backlog is read one topic is ahead of another, and while history is told
the newest days are still to come: the board holds its judgement until every shard is up to date.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

SAMPLES_MAX: Final = 120
"""Ends of a partition that are remembered; a partition further behind is just not up to date."""
BACKLOG_EVENTS: Final = 100
"""So many events in one chunk whose newest is older than `BACKLOG_US`: history is being told."""
BACKLOG_US: Final = 86_400_000_000
BACKLOG_QUIET_US: Final = 3_000_000
"""History may go on for so long after its last chunk: a publisher may pause between two batches."""

Place = tuple[str, int]
"""(source topic, partition)."""


class Position(NamedTuple):
    """Offsets of one source partition, each the next one.

    ``end``: of what the broker has, as it told last; None before its first answer. ``fetched``: the next one that is
    asked for; None while nobody can say.
    """

    end: int | None
    folded: int
    fetched: int | None


class Progress:
    """Sampled once a second.

    Args:
        positions: Of every source partition that is ours.
    """

    def __init__(self, positions: Callable[[], Mapping[Place, Position]]) -> None:
        self._positions = positions
        self._ends: dict[Place, deque[tuple[int, int]]] = {}
        self._last: dict[Place, Position] = {}
        self._current: dict[Place, int] = {}
        self._told: dict[Place, int] = {}

    def sample(self, now_us: int) -> None:
        """Look where every partition stands at the system time ``now_us``."""
        positions = self._positions()
        for known in (self._ends, self._current, self._told):
            for place in known.keys() - positions.keys():
                del known[place]
        for place, position in positions.items():
            self._look(place, position, now_us)
        self._last = dict(positions)

    def _look(self, place: Place, position: Position, now_us: int) -> None:
        told_us = self._told.get(place)
        if position.end is None or (told_us is not None and now_us - told_us < BACKLOG_QUIET_US):
            return
        ends = self._ends.setdefault(place, deque(maxlen=SAMPLES_MAX))
        ends.append((now_us, position.end))
        folded = self._folded(place, position)
        while ends and ends[0][1] <= folded:
            self._current[place] = ends.popleft()[0]

    def _folded(self, place: Place, position: Position) -> int:
        """What is fetched and stands still is no record: transaction markers and compaction leave such offsets."""
        if position == self._last.get(place) and position.fetched is not None:
            return max(position.folded, position.fetched)
        return position.folded

    def folded(self, place: Place, events: int, newest_us: int, clock_us: int, now_us: int) -> None:
        """A chunk was folded; ``clock_us`` is the instant figures are judged by."""
        if events >= BACKLOG_EVENTS and newest_us < clock_us - BACKLOG_US:
            self._told[place] = now_us

    def current_us(self, *places: Place) -> int:
        """Everything that all of these had at this system time (µs) is folded; 0 if nobody can say."""
        return min((self._current.get(place, 0) for place in places), default=0)
