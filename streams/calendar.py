"""The organisation's calendar: local days, months of its system, and working time between two instants.

Instants are integer µs since the Unix epoch. A *day* is its proleptic Gregorian ordinal (``date.toordinal()``) in the
calendar's zone, whatever the calendar system: only months and their labels differ between systems.

An instant is working time if the wall clock of the zone shows, at that instant, a time inside a configured span of a
working day. So an hour that the clocks skip is not worked, and one that they show twice is worked twice.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from funnelwatch.schemas.settings import CalendarSettings
from funnelwatch.streams import months, workdays
from funnelwatch.streams.zones import EPOCH_ORDINAL, YEAR_FIRST, YEAR_LAST, Segment, local_segments, year_start

MINUTE_US: Final = 60_000_000
DAY_US: Final = 86_400_000_000
DAY_CACHE_MINUTES: Final = 1 << 17
"""Minutes whose day is remembered (a quarter of a year of consecutive ones); then the memory starts afresh."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_US = year_start(YEAR_FIRST)
_LAST_US = year_start(YEAR_LAST + 1) - 1


class Tables(NamedTuple):
    """What is precomputed, for whoever computes elsewhere with it.

    ``segments``: (end, µs that local time is ahead), each from where the one before ends, the first from ``first``, to
    ``end``. ``spans``: (begin, length, working µs before), complete from ``covered[0]`` to ``covered[1]``, exclusive.
    """

    first: int
    end: int
    segments: list[tuple[int, int]]
    covered: tuple[int, int]
    spans: list[tuple[int, int, int]]


class Calendar:
    """Days, months and working time of one organisation, or of one rep who overrides the zone or the hours.

    Everything is precomputed or cached: working time between two instants is two lookups in cumulated sums. The sums
    are made for the years asked for; before ``YEAR_FIRST`` and after ``YEAR_LAST`` nobody works.

    Args:
        settings: System, zone, week, working days, hours and holidays.
        zone: An IANA zone to use instead of the settings' one.

    Raises:
        ValueError: The zone, the system, a weekday, a span or a holiday is none; the message names it.
    """

    def __init__(self, settings: CalendarSettings, zone: str | None = None) -> None:
        self.settings = settings
        self.zone = zone or settings.zone
        self._zone = _zone(self.zone)
        self._months = months.system(settings.system)
        self._week_start = workdays.weekday(settings.week_start)
        self._plan = workdays.Plan(settings)
        self._minutes: dict[int, int] = {}
        self._starts: dict[int, int] = {}
        self._segment = Segment(0, 0, 0)
        self._table = _WorkTable(self.zone, self._plan)

    def day(self, at: int) -> int:
        """The local day of an instant."""
        return self.day_of_minute(at // MINUTE_US)

    def day_of_minute(self, minute: int) -> int:
        """The local day of a minute (µs // 60,000,000), from a cache: the hot path of the folds."""
        known = self._minutes.get(minute)
        if known is not None:
            return known
        if len(self._minutes) >= DAY_CACHE_MINUTES:
            self._minutes.clear()
        at = minute * MINUTE_US
        day = (at + self._offset_us(at)) // DAY_US + EPOCH_ORDINAL
        self._minutes[minute] = day
        return day

    def day_start(self, day: int) -> int:
        """The first instant of a local day (some days do not begin at 00:00).

        A day that the zone skipped has the start of the next one.
        """
        known = self._starts.get(day)
        if known is None:
            if len(self._starts) >= DAY_CACHE_MINUTES:
                self._starts.clear()
            known = self._starts[day] = _first_minute_of(self.zone, day)
        return known

    def week_start(self, day: int) -> int:
        """The first day of the week that ``day`` is in."""
        return day - (day - 1 - self._week_start) % 7

    def month_start(self, day: int) -> int:
        """The first day of the month of ``day``."""
        return self._months.month_of(day).first

    def next_month_start(self, day: int) -> int:
        """The first day of the month after that of ``day``."""
        return self._months.month_of(day).next_first

    def month_label(self, day: int) -> str:
        """The month of ``day`` in the calendar's system: ``2026-11``, ``1405-09``."""
        return self._months.month_of(day).label

    def day_working_us(self, day: int) -> int:
        """Working µs of a whole local day; 0 on days off and holidays."""
        return self._table.day_us(day)

    def working_us(self, start: int, end: int) -> int:
        """Working µs between two instants; 0 when ``end`` is not after ``start``."""
        if end <= start:
            return 0
        table = self._table
        if start < table.covered_from or end >= table.covered_to:
            table.cover(start, end)
        return table.between(start, end)

    def ages_us(self, since: Sequence[int], now: int) -> list[int]:
        """Working µs from each of some instants, which are in order, to ``now``."""
        if not since:
            return []
        self.working_us(since[0], now)  # covers all that matter
        before = self._table.before
        here = before(now)
        return [here - before(at) if at < now else 0 for at in since]

    def tables(self, start: int, end: int) -> Tables:
        """All that is precomputed, once it reaches over both instants and the years around them."""
        self._table.cover(start, end)
        return self._table.tables()

    def working_after(self, start: int, worked_us: int) -> int:
        """The earliest instant, not before ``start``, with that much working time since ``start``.

        Raises:
            ValueError: There is not so much working time until the end of ``YEAR_LAST``.
        """
        if worked_us <= 0:
            return start
        self._table.cover_working(start, worked_us)
        return self._earliest(start, worked_us)

    def working_before(self, end: int, worked_us: int) -> int:
        """The last instant with at least that much working time until ``end``; there has to be one in the years before.

        ``worked_us`` is more than 0.
        """
        table = self._table
        if end < table.covered_from or end >= table.covered_to:
            table.cover(end, end)
        while table.before(end) < worked_us and table.covered_from > _FIRST_US:
            table.cover(table.covered_from - 1, end)
        return table.latest(table.before(end) - worked_us)

    def working_days(self, start: int, end: int) -> float:
        """Working days between two instants: whole ones plus the shares of the first and last one's working time."""
        if end <= start:
            return 0.0
        first, last = self.day(start), self.day(end)
        if first >= last:
            return self._share(first, start, end)
        head = self._share(first, start, self.day_start(first + 1))
        tail = self._share(last, self.day_start(last), end)
        return head + self._table.worked_days(first + 1, last - 1) + tail

    def previous_cutoff(self, now: int) -> int:
        """The last instant that ``prev_mtd`` covers, at ``now``. See ``docs/figures.md``, "Like for like"."""
        month = self.month_start(self.day(now))
        this, before = self.day_start(month), self.day_start(self.month_start(month - 1))
        worked = self.working_us(this, now)
        if self.working_us(before, this) < worked:
            return this - 1
        pause_began = self._earliest(this, worked)
        previous_began = self._earliest(before, worked)
        previous_ended = min(self._table.latest(self._table.before(before) + worked), this)
        return min(previous_began + (now - pause_began), previous_ended, this - 1)

    def text(self, at: int) -> str:
        """An instant as RFC 3339 in the calendar's zone, to the second (fractions only where there are any)."""
        return (_EPOCH + timedelta(microseconds=at)).astimezone(self._zone).isoformat()

    def _earliest(self, start: int, worked: int) -> int:
        """The first instant not before ``start`` with ``worked`` µs of working time since then."""
        return start if worked == 0 else self._table.earliest(self._table.before(start) + worked)

    def _share(self, day: int, start: int, end: int) -> float:
        whole = self.day_working_us(day)
        return self.working_us(start, end) / whole if whole else 0.0

    def _offset_us(self, at: int) -> int:
        start, end, offset = self._segment
        if start <= at < end:
            return offset
        within = min(max(at, _FIRST_US), _LAST_US)
        self._segment = next(segment for segment in local_segments(self.zone, _year(at)) if within < segment.end)
        return self._segment.offset_us


class _WorkTable:
    """Spans of working time as instants, with the working time before each, for a growing range of years."""

    def __init__(self, zone: str, plan: workdays.Plan) -> None:
        self.covered_from = self.covered_to = 0
        self._zone = zone
        self._plan = plan
        self._years: dict[int, list[tuple[int, int, int]]] = {}
        self._starts: list[int] = []
        self._lengths: list[int] = []
        self._before: list[int] = []
        self._after: list[int] = []
        self._day_us: dict[int, int] = {}
        self._worked: list[int] = []
        self._first_day, self._last_day = 1, 0

    def cover(self, start: int, end: int) -> None:
        """Make the table reach over both instants and the years around them."""
        first, last = _year(start) - 1, _year(end) + 1
        if self._years:
            first, last = min(first, *self._years), max(last, *self._years)
        first, last = max(first, YEAR_FIRST), min(last, YEAR_LAST)
        for year in range(first, last + 1):
            if year not in self._years:
                self._years[year] = list(_spans(self._zone, self._plan, year))
        self.covered_from = -(1 << 62) if first == YEAR_FIRST else year_start(first)
        self.covered_to = 1 << 62 if last == YEAR_LAST else year_start(last + 1)
        self._accumulate()

    def cover_working(self, start: int, worked: int) -> None:
        """Make the table reach from ``start`` over so much working time.

        Raises:
            ValueError: There is not so much until the last year.
        """
        if start < self.covered_from or start >= self.covered_to:
            self.cover(start, start)
        while not self._after or self._after[-1] < self.before(start) + worked:
            if self.covered_to > _LAST_US:
                raise ValueError(f"less than {worked} µs of working time are left until the end of {YEAR_LAST}")
            self.cover(start, self.covered_to)

    def before(self, at: int) -> int:
        """Working µs from the table's begin to an instant that it covers."""
        index = bisect_right(self._starts, at) - 1
        if index < 0:
            return 0
        return self._before[index] + min(at - self._starts[index], self._lengths[index])

    def between(self, start: int, end: int) -> int:
        """Working µs between two instants that it covers, in one step: the hot path of the folds."""
        starts = self._starts
        first, last = bisect_right(starts, start) - 1, bisect_right(starts, end) - 1
        if last < 0:
            return 0
        worked = self._before[last] + min(end - starts[last], self._lengths[last])
        return worked if first < 0 else worked - self._before[first] - min(start - starts[first], self._lengths[first])

    def tables(self) -> Tables:
        """A copy of what is covered."""
        years = sorted(self._years)
        segments = [(part.end, part.offset_us) for year in years for part in local_segments(self._zone, year)]
        spans = list(zip(self._starts, self._lengths, self._before, strict=True))
        covered = self.covered_from, self.covered_to
        return Tables(year_start(years[0]), year_start(years[-1] + 1), segments, covered, spans)

    def earliest(self, worked: int) -> int:
        """The first instant with ``worked`` µs (more than 0, no more than there are) since the table's begin."""
        index = bisect_left(self._after, worked)
        return self._starts[index] + worked - self._before[index]

    def latest(self, worked: int) -> int:
        """The last instant with no more than ``worked`` µs since the table's begin."""
        index = bisect_right(self._after, worked)
        if index == len(self._after):
            return self.covered_to
        return self._starts[index] + worked - self._before[index]

    def day_us(self, day: int) -> int:
        """Working µs of a local day."""
        if not self._first_day <= day <= self._last_day:
            self._cover_days(day, day)
        return self._day_us.get(day, 0)

    def worked_days(self, first: int, last: int) -> int:
        """How many of these local days have working time."""
        self._cover_days(first, last)
        return max(0, bisect_right(self._worked, last) - bisect_left(self._worked, first))

    def _cover_days(self, first: int, last: int) -> None:
        start, end = (first - EPOCH_ORDINAL - 1) * DAY_US, (last - EPOCH_ORDINAL + 2) * DAY_US
        if start < self.covered_from or end >= self.covered_to:
            self.cover(start, end)

    def _accumulate(self) -> None:
        spans = [span for year in sorted(self._years) for span in self._years[year]]
        self._starts = [start for start, _, _ in spans]
        self._lengths = [end - start for start, end, _ in spans]
        self._before, self._after, self._day_us, total = [], [], {}, 0
        for (_, _, day), length in zip(spans, self._lengths, strict=True):
            self._before.append(total)
            total += length
            self._after.append(total)
            self._day_us[day] = self._day_us.get(day, 0) + length
        self._worked = sorted(self._day_us)
        # All of these are covered to their ends in any zone (as `_cover_days` has it).
        self._first_day = self.covered_from // DAY_US + EPOCH_ORDINAL + 2
        self._last_day = self.covered_to // DAY_US + EPOCH_ORDINAL - 3


def _spans(zone: str, plan: workdays.Plan, year: int) -> Iterator[tuple[int, int, int]]:
    """Working (start, end, local day) of a UTC year, in order, ends exclusive."""
    for segment in local_segments(zone, year):
        yield from _spans_of(segment, plan)


def _spans_of(segment: Segment, plan: workdays.Plan) -> Iterator[tuple[int, int, int]]:
    first_local, end_local = segment.start + segment.offset_us, segment.end + segment.offset_us
    for number in range(first_local // DAY_US, (end_local - 1) // DAY_US + 1):
        day = number + EPOCH_ORDINAL
        for opens, closes in plan.spans(day):
            start = max(number * DAY_US + opens, first_local)
            end = min(number * DAY_US + closes, end_local)
            if start < end:
                yield start - segment.offset_us, end - segment.offset_us, day


def _first_minute_of(zone: str, day: int) -> int:
    """The first whole minute whose local day is ``day`` or a later one."""
    midnight = (day - EPOCH_ORDINAL) * DAY_US
    year = _year(midnight)
    for near in range(max(year - 1, YEAR_FIRST), min(year + 1, YEAR_LAST) + 1):
        for segment in local_segments(zone, near):
            if segment.end + segment.offset_us > midnight:
                first = max(segment.start, midnight - segment.offset_us)
                return -(-first // MINUTE_US) * MINUTE_US
    return midnight


def _year(at: int) -> int:
    """The UTC year of an instant, held inside the years with working time."""
    if at < _FIRST_US:
        return YEAR_FIRST
    return YEAR_LAST if at > _LAST_US else date.fromordinal(at // DAY_US + EPOCH_ORDINAL).year


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError) as error:  # what is not found is a KeyError, a folder an OSError
        raise ValueError(f"{name!r} is no IANA time zone; write one like 'Europe/Berlin'") from error
