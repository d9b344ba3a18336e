"""How many have been somewhere for how long in working time, of many whose beginnings are known in order.

The later one came, the shorter it is there: so no more instants are looked at than there are answers.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from typing import Final

from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.sketch import ZERO_BIN, bin_of, bin_starts

SECOND_US = 1_000_000
FEW: Final = 100
"""Of so many, each is looked at: that is faster than to look for where the bins end."""


class Ages:
    """Counts by working time since."""

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self._starts: list[int] = []

    def longer(self, since: Sequence[int], now: int, seconds: float) -> int:
        """How many of the instants, which are in order, lie more than so much working time before ``now``."""
        working_us = self._calendar.working_us
        return bisect_left(since, 1, key=lambda at: working_us(at, now) / SECOND_US <= seconds)

    def bins(self, since: Sequence[int], now: int) -> dict[int, int]:
        """The working time from each instant to ``now`` by bin (`sketch`); the instants are in order.

        Since those that are not before ``now`` it is 0.
        """
        if len(since) <= FEW:
            return Counter(map(bin_of, self._calendar.ages_us(since, now)))
        bins: dict[int, int] = {}
        first = 0
        while first < len(since):
            longest = self._calendar.working_us(since[first], now)
            number = bin_of(longest)
            if number == ZERO_BIN:
                last = len(since)
            else:
                last = bisect_right(since, self._calendar.working_before(now, self._start(number, longest)), lo=first)
            bins[number] = last - first
            first = last
        return bins

    def _start(self, number: int, longest_us: int) -> int:
        """The smallest duration (µs) of a bin; it is at most ``longest_us``."""
        if number >= len(self._starts):
            self._starts = bin_starts(2 * longest_us)
        return self._starts[number]
