"""Which days and minutes a window covers, from the calendar's primitives alone."""

from __future__ import annotations

from collections.abc import Callable

from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.oracle.facts import Fact

MINUTE_US = 60_000_000
WINDOWS = ("1h", "24h", "today", "7d", "30d", "90d", "wtd", "mtd", "prev_month")
Covers = Callable[[Fact], bool]


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

    def window(self, name: str) -> Covers:
        """Whether a window covers a fact."""
        minutes = {"1h": 60, "24h": 24 * 60}.get(name)
        if minutes is not None:
            return lambda fact: self.minute - minutes < fact.at // MINUTE_US <= self.minute
        if name == "prev_month":
            return self.days(self.previous_month_start, self.month_start - 1)
        return self.days(self.first_days[name], self.today)

    def days(self, first: int, last: int) -> Covers:
        """Whether a fact is on one of the days from ``first`` to ``last``, both included."""
        return lambda fact: first <= self.day(fact.at) <= last

    def months(self) -> dict[str, Covers]:
        """The months of the history by label, newest first."""
        found: dict[str, Covers] = {}
        first = self.month_start
        last = self.today
        while last >= self.oldest_day:
            found[self.calendar.month_label(first)] = self.days(max(first, self.oldest_day), last)
            first, last = self.calendar.month_start(first - 1), first - 1
        return found

    def previous_to_date(self) -> Covers:
        """``prev_mtd``: the previous month up to the minute of the like-for-like cutoff."""
        cutoff_minute = self.cutoff() // MINUTE_US
        whole = self.window("prev_month")
        return lambda fact: whole(fact) and fact.at // MINUTE_US <= cutoff_minute

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
