"""The organisation's calendar: local days, months of its system, and working time between two instants.

Instants are integer µs since the Unix epoch. A *day* is its proleptic Gregorian ordinal (``date.toordinal()``) in the
calendar's zone, whatever the calendar system: only months and their labels differ between systems.
"""

from __future__ import annotations

from funnelwatch.schemas.settings import CalendarSettings


class Calendar:
    """Days, months and working time of one organisation, or of one rep who overrides the zone or the hours.

    Everything is precomputed or cached: working time between two instants is two lookups in cumulated sums.
    """

    def __init__(self, settings: CalendarSettings, zone: str | None = None) -> None:
        raise NotImplementedError

    def day(self, at: int) -> int:
        """The local day of an instant."""
        raise NotImplementedError

    def day_of_minute(self, minute: int) -> int:
        """The local day of a minute (µs // 60,000,000), from a cache: the hot path of the folds."""
        raise NotImplementedError

    def day_start(self, day: int) -> int:
        """The first instant of a local day (some days do not begin at 00:00)."""
        raise NotImplementedError

    def week_start(self, day: int) -> int:
        """The first day of the week that ``day`` is in."""
        raise NotImplementedError

    def month_start(self, day: int) -> int:
        """The first day of the month of ``day``."""
        raise NotImplementedError

    def next_month_start(self, day: int) -> int:
        """The first day of the month after that of ``day``."""
        raise NotImplementedError

    def month_label(self, day: int) -> str:
        """The month of ``day`` in the calendar's system: ``2026-11``, ``1405-09``."""
        raise NotImplementedError

    def day_working_us(self, day: int) -> int:
        """Working µs of a whole local day; 0 on days off and holidays."""
        raise NotImplementedError

    def working_us(self, start: int, end: int) -> int:
        """Working µs between two instants; 0 when ``end`` is not after ``start``."""
        raise NotImplementedError

    def working_days(self, start: int, end: int) -> float:
        """Working days between two instants: whole ones plus the shares of the first and last one's working time."""
        raise NotImplementedError

    def previous_cutoff(self, now: int) -> int:
        """The last instant that ``prev_mtd`` covers, at ``now``. See ``docs/figures.md``, "Like for like"."""
        raise NotImplementedError

    def text(self, at: int) -> str:
        """An instant as RFC 3339 in the calendar's zone, to the second (fractions only where there are any)."""
        raise NotImplementedError
