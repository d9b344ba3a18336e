"""Which local days are worked, and in which spans of the wall clock."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date
from functools import lru_cache
from itertools import pairwise
from typing import Final

import holidays
import msgspec

from funnelwatch.schemas.settings import CalendarSettings, RepOverride

WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
HOLIDAY_YEARS_MAX: Final = 4096
"""Years of countries whose holidays are remembered."""

Span = tuple[int, int]
"""µs since local midnight: from, to (exclusive)."""

_MINUTE_US = 60_000_000
_DAY_MINUTES = 24 * 60
_SPAN = re.compile(r"(\d\d):([0-5]\d)-(\d\d):([0-5]\d)")


class Plan:
    """The working spans of every local day.

    Raises:
        ValueError: A weekday, a span, a date or a country is none; the message names it.
    """

    def __init__(self, settings: CalendarSettings) -> None:
        by_day = {weekday(name): spans(texts) for name, texts in settings.hours_by_day.items()}
        hours = spans(settings.hours)
        worked = {weekday(name) for name in settings.working_days}
        self._week = [by_day.get(number, hours) if number in worked else () for number in range(7)]
        self._country, self._subdivision = settings.holidays.country, settings.holidays.subdivision
        self._extra = {_day(text) for text in settings.holidays.extra}
        self._worked = {_day(text) for text in settings.holidays.worked}
        if self._country:
            _holidays(self._country, self._subdivision, date(2000, 1, 1).year)

    def spans(self, day: int) -> tuple[Span, ...]:
        """The spans worked on a local day, in order; none on a day off."""
        week = self._week[(day - 1) % 7]
        if not week or day in self._worked:
            return week
        return () if day in self._extra or self._is_public_holiday(day) else week

    def week(self, number: int) -> tuple[Span, ...]:
        """The spans of a weekday (Monday being 0) that is no holiday."""
        return self._week[number]

    def _is_public_holiday(self, day: int) -> bool:
        return bool(self._country) and day in _holidays(self._country, self._subdivision, date.fromordinal(day).year)


def overridden(settings: CalendarSettings, override: RepOverride | None) -> CalendarSettings:
    """The organisation's calendar with the hours and days of one rep in place of its own, and without days of leave.

    A rep's own hours hold for each of the working days: the organisation's exceptions for a weekday do not apply.
    """
    if override is None:
        return settings
    if override.hours:
        settings = msgspec.structs.replace(settings, hours=override.hours, hours_by_day={})
    if override.working_days:
        settings = msgspec.structs.replace(settings, working_days=override.working_days)
    if override.leave:
        holidays = settings.holidays
        extra = (*holidays.extra, *(day for span in override.leave for day in _days_of(span)))
        settings = msgspec.structs.replace(settings, holidays=msgspec.structs.replace(holidays, extra=extra))
    return settings


def _days_of(span: str) -> Iterator[str]:
    """The dates of ``2026-12-24`` or ``2026-12-24..2027-01-06``."""
    first, last = (date.fromisoformat(part).toordinal() for part in (span.split("..") * 2)[:2])
    for day in range(first, last + 1):
        yield date.fromordinal(day).isoformat()


def longest_day_us(settings: CalendarSettings) -> int:
    """The most working µs that any working day of the week is configured to have; 0 if there is none."""
    plan = Plan(settings)
    return max(sum(closes - opens for opens, closes in plan.week(number)) for number in range(7))


def weekday(name: str) -> int:
    """The number of a weekday, Monday being 0.

    Raises:
        ValueError: It is no English weekday.
    """
    try:
        return WEEKDAYS.index(name.lower())
    except ValueError:
        raise ValueError(f"{name!r} is no weekday; write one of {', '.join(WEEKDAYS)}") from None


def spans(texts: Iterable[str]) -> tuple[Span, ...]:
    """Spans like ``09:00-17:00`` in order; ``24:00`` is the end of the day.

    Raises:
        ValueError: One is no span, or ends before it begins, or two overlap.
    """
    found = sorted(_span(text) for text in texts)
    for (_, ended), (begins, _) in pairwise(found):
        if begins < ended:
            raise ValueError(f"working hours {', '.join(texts)} overlap; write spans that follow each other")
    return tuple(found)


def _span(text: str) -> Span:
    match = _SPAN.fullmatch(text)
    if match:
        hours, minutes, end_hours, end_minutes = map(int, match.groups())
        start, end = hours * 60 + minutes, end_hours * 60 + end_minutes
        if start < end <= _DAY_MINUTES:
            return start * _MINUTE_US, end * _MINUTE_US
    raise ValueError(f"{text!r} is no span of working hours; write one like '09:00-17:00', ending at '24:00' at most")


def _day(text: str) -> int:
    try:
        return date.fromisoformat(text).toordinal()
    except ValueError:
        raise ValueError(f"{text!r} is no date of a holiday; write one like '2026-12-24'") from None


@lru_cache(maxsize=HOLIDAY_YEARS_MAX)
def _holidays(country: str, subdivision: str, year: int) -> frozenset[int]:
    try:
        found = holidays.country_holidays(country, subdiv=subdivision or None, years=year)
    except NotImplementedError as error:
        raise ValueError(f"no holidays are known for {country!r} {subdivision!r}: {error}") from error
    return frozenset(day.toordinal() for day in found if day.year == year)
