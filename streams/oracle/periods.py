"""Which days and minutes a window covers, from the calendar's primitives alone."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import NamedTuple

from funnelwatch.streams.calendar import Calendar

MINUTE_US = 60_000_000
WINDOWS = ("1h", "24h", "today", "7d", "30d", "90d", "wtd", "mtd", "prev_month")


class Period(NamedTuple):
    """The local days from the first to the last, and of them the minutes from the first to the last, all included."""

    first_day: int
    last_day: int
    first_minute: float = -inf
    last_minute: float = inf

    @property
    def is_whole_days(self) -> bool:
        """Whether no minute of the days is left out."""
        return (self.first_minute, self.last_minute) == (-inf, inf)

    def has_minute_of(self, at: int) -> bool:
        """Whether the minute of an instant is one of the period's."""
        return self.first_minute <= at // MINUTE_US <= self.last_minute


class Periods:
    """The windows as of ``now`` (µs) in the organisation's calendar."""

    def __init__(self, calendar: Calendar, now: int, retention_days: int) -> None:
        self.calendar = calendar
        self.now = now
        self.minute = now // MINUTE_US
        self.today = calendar.day(self.minute * MINUTE_US)
        self.oldest_day = self.today - retention_days + 1
        self.month_start = calendar.month_start(self.today)
        self.next_month_start = calendar.next_month_start(self.today)
        self.previous_month_start = calendar.month_start(self.month_start - 1)
        self.first_days = {
            "today": self.today,
            "7d": self.today - 6,
            "30d": self.today - 29,
            "90d": self.today - 89,
            "wtd": calendar.week_start(self.today),
            "mtd": self.month_start,
        }
        self._days: dict[int, int] = {}

    def day(self, at: int) -> int:
        """The local day of an instant: that of its minute."""
        minute = at // MINUTE_US
        if minute not in self._days:
            self._days[minute] = self.calendar.day(minute * MINUTE_US)
        return self._days[minute]

    def window(self, name: str) -> Period:
        """What a window covers."""
        minutes = {"1h": 60, "24h": 24 * 60}.get(name)
        if minutes is not None:
            # Wherever clocks were ever moved to, 24 hours lie within these days.
            return Period(self.today - 2, self.today + 1, self.minute - minutes + 1, self.minute)
        if name == "prev_month":
            return Period(self.previous_month_start, self.month_start - 1)
        return Period(self.first_days[name], self.today)

    def months(self) -> dict[str, Period]:
        """The months of the history by label, newest first."""
        found: dict[str, Period] = {}
        first = self.month_start
        last = self.today
        while last >= self.oldest_day:
            found[self.calendar.month_label(first)] = Period(max(first, self.oldest_day), last)
            first, last = self.calendar.month_start(first - 1), first - 1
        return found

    def previous_to_date(self) -> Period:
        """``prev_mtd``: the previous month up to the minute of the like-for-like cutoff."""
        return self.window("prev_month")._replace(last_minute=self.cutoff() // MINUTE_US)

    def cutoff(self) -> int:
        """The last instant of ``prev_mtd``: ``docs/figures.md``, "Like for like", by bisection."""
        working_us = self.calendar.working_us
        start = self.calendar.day_start(self.month_start)
        before = self.calendar.day_start(self.previous_month_start)
        done = working_us(start, self.now)
        if working_us(before, start) < done:
            return start - 1
        reached = _first(start, self.now, lambda at: working_us(start, at) >= done)
        reached_before = _first(before, start, lambda at: working_us(before, at) >= done)
        pause_end = _first(before, start + 1, lambda at: at > start or working_us(before, at) > done) - 1
        return min(reached_before + (self.now - reached), pause_end, start - 1)


def _first(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """The first instant in [low, high] from which on ``holds``, which holds at ``high``."""
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low
