"""Sums of several days or minutes added up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from funnelwatch.streams.calendar import MINUTE_US, Calendar
from funnelwatch.streams.cells import CLOSE_MEASURES, Measure, Sums
from funnelwatch.streams.kpis.parts import Index
from funnelwatch.streams.windows import DaySpan, LikeForLike, MinuteSpan


def backwards(days: Mapping[int, Sums], spans: Mapping[str, DaySpan], last: int) -> dict[str, Sums]:
    """Sums from each span's first day to ``last``, in one walk back from it."""
    found: dict[str, Sums] = {}
    running: Sums = {}
    day = last
    for name, span in sorted(spans.items(), key=lambda item: item[1].first, reverse=True):
        while day >= span.first:
            if day in days:
                take(running, days[day])
            day -= 1
        found[name] = running.copy()
    return found


def over_days(days: Mapping[int, Sums], span: DaySpan) -> Sums:
    """The sums of some days."""
    result: Sums = {}
    for day in range(span.first, span.last + 1):
        if day in days:
            take(result, days[day])
    return result


def over_minutes(minutes: Mapping[int, Sums], spans: Mapping[str, MinuteSpan]) -> dict[str, Index]:
    """The sums of some windows of minutes."""
    found = {name: Index() for name in spans}
    for minute, sums in minutes.items():
        for name, span in spans.items():
            if span.after < minute <= span.last:
                found[name].add(sums)
    return found


def split(period: LikeForLike, calendar: Calendar) -> tuple[DaySpan, MinuteSpan]:
    """``prev_mtd`` as whole days, and the minutes of the cutoff's own day up to the cutoff."""
    last = period.cutoff // MINUTE_US
    day = calendar.day_of_minute(last)
    return DaySpan(period.month.first, day - 1), MinuteSpan(calendar.day_start(day) // MINUTE_US - 1, last)


def closes_of(days: Mapping[int, Sums], span: DaySpan) -> Sums:
    """What was closed on some days."""
    result: Sums = {}
    for day in range(span.first, span.last + 1):
        if day in days:
            take(result, {measure: amount for measure, amount in days[day].items() if measure[0] in CLOSE_MEASURES})
    return result


def within(minutes: Mapping[int, Sums], span: MinuteSpan) -> Iterator[Sums]:
    """The sums of the minutes of a span, one by one."""
    if len(minutes) < span.last - span.after:
        return (sums for minute, sums in minutes.items() if span.after < minute <= span.last)
    return (minutes[minute] for minute in range(span.after + 1, span.last + 1) if minute in minutes)


def take(into: Sums, sums: Mapping[Measure, int]) -> None:
    """Adds ``sums`` to ``into``."""
    if not into:
        into.update(sums)
        return
    get = into.get
    for measure, amount in sums.items():
        into[measure] = get(measure, 0) + amount
