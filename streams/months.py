"""Months of the calendar systems: which days they hold and how they are written."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import lru_cache
from typing import Final, NamedTuple

import jdatetime

MONTH_CACHE_DAYS: Final = 1 << 14
"""Days whose month is remembered."""
_MONTHS = 12


class Month(NamedTuple):
    """A month: its label and its days, ``next_first`` excluded."""

    label: str
    first: int
    next_first: int


@lru_cache(maxsize=MONTH_CACHE_DAYS)
def _gregorian(day: int) -> Month:
    first = date.fromordinal(day).replace(day=1)
    following = date(first.year + first.month // _MONTHS, first.month % _MONTHS + 1, 1)
    return Month(f"{first.year:04d}-{first.month:02d}", first.toordinal(), following.toordinal())


@lru_cache(maxsize=MONTH_CACHE_DAYS)
def _jalali(day: int) -> Month:
    then = jdatetime.date.fromgregorian(date=date.fromordinal(day))
    year, month = int(then.year), int(then.month)
    return Month(
        f"{year:04d}-{month:02d}",
        _jalali_first(year, month),
        _jalali_first(year + month // _MONTHS, month % _MONTHS + 1),
    )


def _jalali_first(year: int, month: int) -> int:
    return int(jdatetime.date(year, month, 1).togregorian().toordinal())


class System(NamedTuple):
    """A calendar system: the month of a day."""

    name: str
    month_of: Callable[[int], Month]


SYSTEMS: Final = {"gregorian": System("gregorian", _gregorian), "jalali": System("jalali", _jalali)}


def system(name: str) -> System:
    """The calendar system of that name.

    Raises:
        ValueError: There is none.
    """
    try:
        return SYSTEMS[name]
    except KeyError:
        raise ValueError(f"{name!r} is no calendar system; write one of {', '.join(SYSTEMS)}") from None
