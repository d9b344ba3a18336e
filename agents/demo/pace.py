"""How fast the simulated floor lives: working time sped up, nights and days off skipped, never past the real now."""

from __future__ import annotations

from typing import Final

from funnelwatch.streams.calendar import DAY_US, Calendar

BEHIND_DAYS: Final = 200
"""The floor's live days begin so long before the real now: room to be faster than the clock (events of the future are
refused)."""

_SECOND_US = 1_000_000


def first_live_instant(calendar: Calendar, now_us: int) -> int:
    """The begin of a working day's work, about `BEHIND_DAYS` before the real now."""
    begin = calendar.day_start(calendar.day(now_us - BEHIND_DAYS * DAY_US))
    return calendar.working_after(begin, _SECOND_US) - _SECOND_US


class Pace:
    """Simulated instants from seconds lived. ``speed`` is working seconds per second."""

    def __init__(self, calendar: Calendar, begin: int, speed: float) -> None:
        self._calendar = calendar
        self._begin = begin
        self._speed = speed

    def at(self, lived_seconds: float, now_us: int) -> int:
        """The simulated instant after so many seconds of life; at the latest the real now, from there on that."""
        worked = round(lived_seconds * self._speed * _SECOND_US)
        if worked <= 0:
            return self._begin
        if worked >= self._calendar.working_us(self._begin, now_us):
            return now_us
        return self._calendar.working_after(self._begin, worked)
