"""Working time since many instants at once, again and again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from funnelwatch.streams.calendar import DAY_US, Calendar

POSITIONS_MAX: Final = 1 << 18
"""Instants whose place in working time is remembered; then the memory starts afresh."""
ORIGIN_DAYS: Final = 800
"""How long before the first ``now`` working time is counted from: most instants asked about are later."""


class Ages:
    """Working time since instants, by their places on one scale: what an instant has on it never changes."""

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self._origin: int | None = None
        self._positions: dict[int, int] = {}

    def working_us(self, since: Sequence[int], now: int) -> list[int]:
        """Working µs from each instant to ``now``; 0 for those that are not before it."""
        if self._origin is None:
            self._origin = now - ORIGIN_DAYS * DAY_US
        if len(self._positions) >= POSITIONS_MAX:
            self._positions.clear()
        positions = self._positions
        here = self._position(now, self._origin)
        for at in since:
            if at not in positions:
                positions[at] = self._position(at, self._origin)
        return [here - positions[at] if at < now else 0 for at in since]

    def _position(self, at: int, origin: int) -> int:
        return self._calendar.working_us(origin, at) - self._calendar.working_us(at, origin)
