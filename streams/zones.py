"""Time zones as segments: stretches of UTC during which the local clock runs at one offset."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

YEAR_FIRST: Final = 1900
YEAR_LAST: Final = 2199
"""The years for which offsets and working time are known; instants outside take the nearest offset."""

EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()
SEGMENT_YEARS_MAX: Final = 4096
"""Years of zones whose segments are remembered."""

_SECOND_US = 1_000_000
_SAMPLE_SECONDS = 12 * 3_600
"""Offsets are compared this often; no zone has two changes that cancel within half a day."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Segment(NamedTuple):
    """From ``start`` to ``end`` (µs, exclusive) local time is UTC plus ``offset_us``."""

    start: int
    end: int
    offset_us: int


def year_start(year: int) -> int:
    """The first instant of a year in UTC."""
    return (date(year, 1, 1).toordinal() - EPOCH_ORDINAL) * 86_400 * _SECOND_US


@lru_cache(maxsize=SEGMENT_YEARS_MAX)
def local_segments(zone: str, year: int) -> tuple[Segment, ...]:
    """The segments of one year in UTC, in order and without gaps."""
    info = ZoneInfo(zone)
    first, end = year_start(year) // _SECOND_US, year_start(year + 1) // _SECOND_US
    samples = [(second, _offset(info, second)) for second in (*range(first, end, _SAMPLE_SECONDS), end - 1)]
    begins = [samples[0]]
    for (before, old), (after, new) in pairwise(samples):
        if old != new:
            begins.append((_change(info, before, after), new))
    ends = [second for second, _ in begins[1:]] + [end]
    return tuple(
        Segment(second * _SECOND_US, last * _SECOND_US, offset)
        for (second, offset), last in zip(begins, ends, strict=True)
    )


def _change(info: ZoneInfo, before: int, after: int) -> int:
    """The first second in (before, after] that has the offset of ``after``."""
    new = _offset(info, after)
    while after - before > 1:
        middle = (before + after) // 2
        if _offset(info, middle) == new:
            after = middle
        else:
            before = middle
    return after


def _offset(info: ZoneInfo, second: int) -> int:
    offset = (_EPOCH + timedelta(seconds=second)).astimezone(info).utcoffset()
    assert offset is not None  # an aware time has one
    return offset // timedelta(microseconds=1)
