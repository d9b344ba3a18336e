"""The windows of ``docs/figures.md`` as data: which days and minutes each one covers at one instant."""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from funnelwatch.streams.calendar import MINUTE_US, Calendar

ROLLING_DAYS: Final = {"7d": 7, "30d": 30, "90d": 90}
ROLLING_MINUTES: Final = {"1h": 60, "24h": 1_440}
DAY_WINDOWS: Final = ("today", "7d", "30d", "90d", "wtd", "mtd", "prev_month")
MINUTE_WINDOWS: Final = ("1h", "24h")
PREVIOUS_MTD: Final = "prev_mtd"
WINDOWS: Final = (*MINUTE_WINDOWS, *DAY_WINDOWS, PREVIOUS_MTD)
"""All names, short windows first."""


class DaySpan(NamedTuple):
    """Whole local days, both included."""

    first: int
    last: int


class MinuteSpan(NamedTuple):
    """Minutes later than ``after``, ``last`` included."""

    after: int
    last: int


class LikeForLike(NamedTuple):
    """What ``prev_mtd`` covers: the closes of the previous month's days up to the minute of the cutoff (µs)."""

    month: DaySpan
    cutoff: int
    minutes: MinuteSpan


class HistoryMonth(NamedTuple):
    """A month of the history and those of its days that are kept and have come."""

    label: str
    days: DaySpan


class Windows(msgspec.Struct, frozen=True, gc=False):
    """Every window at one instant."""

    now: int
    today: int
    days: dict[str, DaySpan]
    minutes: dict[str, MinuteSpan]
    previous: LikeForLike
    months: tuple[HistoryMonth, ...]
    """Oldest first."""


def at(now: int, calendar: Calendar, retention_days: int) -> Windows:
    """All windows at ``now``, with the months of the history of that many days."""
    today = calendar.day(now)
    return Windows(
        now=now,
        today=today,
        days=day_spans(today, calendar),
        minutes=minute_spans(now),
        previous=like_for_like(now, calendar),
        months=history(today, calendar, retention_days),
    )


def day_spans(today: int, calendar: Calendar) -> dict[str, DaySpan]:
    """The windows of whole local days, by name."""
    month = calendar.month_start(today)
    return {
        "today": DaySpan(today, today),
        **{name: DaySpan(today - days + 1, today) for name, days in ROLLING_DAYS.items()},
        "wtd": DaySpan(calendar.week_start(today), today),
        "mtd": DaySpan(month, today),
        "prev_month": DaySpan(calendar.month_start(month - 1), month - 1),
    }


def minute_spans(now: int) -> dict[str, MinuteSpan]:
    """The windows that slide by the minute, by name."""
    minute = now // MINUTE_US
    return {name: MinuteSpan(minute - minutes, minute) for name, minutes in ROLLING_MINUTES.items()}


def like_for_like(now: int, calendar: Calendar) -> LikeForLike:
    """What ``prev_mtd`` covers."""
    month = calendar.month_start(calendar.day(now))
    previous = DaySpan(calendar.month_start(month - 1), month - 1)
    cutoff = calendar.previous_cutoff(now)
    before = calendar.day_start(previous.first) // MINUTE_US - 1
    return LikeForLike(previous, cutoff, MinuteSpan(before, cutoff // MINUTE_US))


def history(today: int, calendar: Calendar, retention_days: int) -> tuple[HistoryMonth, ...]:
    """The months with at least one day that is kept and not after today, oldest first."""
    kept, found = today - retention_days + 1, []
    day = kept
    while day <= today:
        following = calendar.next_month_start(day)
        found.append(HistoryMonth(calendar.month_label(day), DaySpan(day, min(following - 1, today))))
        day = following
    return tuple(found)
