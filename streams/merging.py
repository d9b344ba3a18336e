"""The sums of each window, added up from days and minutes."""

from __future__ import annotations

from collections.abc import Mapping

from funnelwatch.streams.calendar import MINUTE_US, Calendar
from funnelwatch.streams.cells import CLOSE_MEASURES, Measure, Sums
from funnelwatch.streams.table import Table
from funnelwatch.streams.windows import DaySpan, LikeForLike, MinuteSpan, Windows


def window_sums(table: Table, level: str, subject: str, windows: Windows) -> dict[str, Sums]:
    """The merged sums of every window of the document but ``prev_mtd``."""
    days = table.days(level, subject)
    until_today = {name: span for name, span in windows.days.items() if span.last == windows.today}
    sums = backwards(days, until_today, windows.today)
    for name, span in windows.days.items():
        if name not in until_today:
            sums[name] = over_days(days, span)
    sums.update(over_minutes(table.minutes(level, subject), windows.minutes))
    return sums


def backwards(days: Mapping[int, Sums], spans: Mapping[str, DaySpan], today: int) -> dict[str, Sums]:
    """Sums of spans that end today, in one walk back from it."""
    found: dict[str, Sums] = {}
    running: Sums = {}
    day = today
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
    if len(days) < span.last - span.first:
        for day, sums in days.items():
            if span.first <= day <= span.last:
                take(result, sums)
        return result
    for day in range(span.first, span.last + 1):
        if day in days:
            take(result, days[day])
    return result


def over_minutes(minutes: Mapping[int, Sums], spans: Mapping[str, MinuteSpan]) -> dict[str, Sums]:
    """The sums of some windows of minutes."""
    found: dict[str, Sums] = {name: {} for name in spans}
    for minute, sums in minutes.items():
        for name, span in spans.items():
            if span.after < minute <= span.last:
                take(found[name], sums)
    return found


def like_for_like(table: Table, level: str, subject: str, period: LikeForLike, calendar: Calendar) -> Sums:
    """The closes of the previous month up to the minute of the cutoff: whole days, then the minutes of its day."""
    last = period.cutoff // MINUTE_US
    day = calendar.day_of_minute(last)
    whole = over_days(table.days(level, subject), DaySpan(period.month.first, day - 1))
    result = {measure: amount for measure, amount in whole.items() if measure[0] in CLOSE_MEASURES}
    minutes = table.closes(level, subject)
    for minute in range(calendar.day_start(day) // MINUTE_US, last + 1):
        if minute in minutes:
            take(result, minutes[minute])
    return result


def take(into: Sums, sums: Mapping[Measure, int]) -> None:
    """Adds ``sums`` to ``into``."""
    if not into:
        into.update(sums)
        return
    get = into.get
    for measure, amount in sums.items():
        into[measure] = get(measure, 0) + amount
