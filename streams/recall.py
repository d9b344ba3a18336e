"""Figures of days and months, computed again only where a day has changed since they were asked for last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from funnelwatch.schemas.document import Figures
from funnelwatch.streams import merging
from funnelwatch.streams.cells import Sums
from funnelwatch.streams.kpis.figures import CLOSES, CYCLE, Change, figures, renewed
from funnelwatch.streams.kpis.flow import ended_bins
from funnelwatch.streams.kpis.outreach import done
from funnelwatch.streams.kpis.parts import Bins, Index, bins_of
from funnelwatch.streams.kpis.sales import Closed
from funnelwatch.streams.rates import Exchange
from funnelwatch.streams.table import Table
from funnelwatch.streams.windows import DaySpan, Windows

SUBJECTS_MAX: Final = 1_000
"""Of how many subjects the sums of past days are kept (some 200 kB each); the one asked for longest ago is dropped."""
FIGURES_MAX: Final = 20_000
"""Of how many subjects the figures of all windows, and how many months' figures, are kept; then all are made again.

Either is some 10 kB a window or month, and mostly the same objects that the newest documents refer to.
"""

Key = tuple[str, str]
"""(level, id) of a subject."""


class Month(NamedTuple):
    """A whole month."""

    revision: int
    figures: Figures
    closed: Closed


class ByDay(NamedTuple):
    """What the windows of whole days come to, and what the funnel and sales need of them.

    ``sums`` are today's; ``settled`` is when any day before last changed.
    """

    today: int
    revision: int
    settled: int
    sums: Sums
    figures: dict[str, Figures]
    mtd: Closed
    prev_month: Closed
    closed_90d: Closed
    cycle_90d: Bins
    ended_30d: dict[tuple[str, str], Bins]


class _Past(NamedTuple):
    """Sums of the windows that end today, without today; and what was closed on some past days."""

    today: int
    revision: int
    windows: dict[str, Index]
    closes: dict[DaySpan, Sums]
    outreach: dict[int, int]


class Recall:
    """The sums of days of a table. Keeps nothing that it could not compute again."""

    def __init__(self, table: Table, exchange: Exchange | None) -> None:
        self._table = table
        self._exchange = exchange
        self._past: dict[Key, _Past] = {}
        self._by_day: dict[Key, ByDay] = {}
        self._by_minute: dict[tuple[Key, str], tuple[Index, Figures]] = {}
        self._months: dict[tuple[Key, int], Month] = {}

    def by_day(self, key: Key, spans: Windows) -> ByDay:
        """The windows of whole days of a subject."""
        kept = self._by_day.get(key)
        revision = self._table.freshness(*key).ever
        if kept is not None and (kept.today, kept.revision) == (spans.today, revision):
            return kept
        if len(self._by_day) >= FIGURES_MAX:
            self._by_day.clear()
        result = self._by_day[key] = self._computed(key, spans, revision)
        return result

    def month(self, key: Key, days: DaySpan) -> Figures | None:
        """The figures of some days of one month; None if nothing happened on them."""
        calendar, book = self._table.calendar, self._table.days(*key)
        first, following = calendar.month_start(days.first), calendar.next_month_start(days.first)
        if any(day in book for day in (*range(first, days.first), *range(days.last + 1, following))):
            sums = merging.over_days(book, days)
            return self.figures(Index(sums)) if sums else None
        return self.whole_month(key, first).figures if first in self._table.months(*key) else None

    def whole_month(self, key: Key, first: int) -> Month:
        """The month that begins with a day."""
        revision = self._table.freshness(*key).month(first)
        kept = self._months.get((key, first))
        if kept is not None and kept.revision == revision:
            return kept
        if len(self._months) >= FIGURES_MAX:
            self._months.clear()
        index = Index(self._table.months(*key).get(first))
        result = self._months[key, first] = Month(revision, *self._figures(index))
        return result

    def closed_until(self, key: Key, spans: Windows) -> Closed:
        """What ``prev_mtd`` covers: whole days of the previous month, then the minutes of the cutoff's day."""
        calendar = self._table.calendar
        days, minutes = merging.split(spans.previous, calendar)
        past = self._past_of(key, spans)
        if days not in past.closes:
            past.closes.clear()
            past.closes[days] = merging.closes_of(self._table.days(*key), days)
        index = Index(past.closes[days])
        for sums in merging.within(self._table.closes(*key), minutes):
            index.add(sums)
        return Closed.of(index, self._exchange)

    def outreach_of(self, key: Key, spans: Windows) -> Callable[[int], int]:
        """The outreach done on days before today."""
        known, days = self._past_of(key, spans).outreach, self._table.days(*key)

        def done_on(day: int) -> int:
            if day not in known:
                known[day] = done(days.get(day, {}))
            return known[day]

        return done_on

    def _computed(self, key: Key, spans: Windows, revision: int) -> ByDay:
        today = self._table.days(*key).get(spans.today, {})
        past = self._past_of(key, spans)
        before = self._by_day.get(key)
        if before is not None and (before.today, before.settled) == (spans.today, past.revision):
            return self._renewed(before, past.windows, today, revision)
        indexes = {name: index.plus(today) if today else index for name, index in past.windows.items()}
        shown = {name: self._figures(index) for name, index in indexes.items()}
        previous = self.whole_month(key, spans.days["prev_month"].first)
        return ByDay(
            today=spans.today,
            revision=revision,
            settled=past.revision,
            sums=dict(today),
            figures={name: found for name, (found, _) in shown.items()} | {"prev_month": previous.figures},
            mtd=shown["mtd"][1],
            prev_month=previous.closed,
            closed_90d=shown["90d"][1],
            cycle_90d=bins_of(indexes["90d"].of("cycle")),
            ended_30d=ended_bins(indexes["30d"]),
        )

    def _renewed(self, before: ByDay, past: dict[str, Index], today: Sums, revision: int) -> ByDay:
        """What only today's sums made different."""
        change = Change.of({measure for measure, _ in before.sums.items() ^ today.items()})
        names = change.measured
        indexes = {name: index.some(today, names, change.stages) for name, index in past.items()}
        closed = {name: self._closed(index) for name, index in indexes.items()}
        shown = {
            name: renewed(before.figures[name], change, index, closed[name], self._exchange)
            for name, index in indexes.items()
        }
        result = before._replace(revision=revision, sums=dict(today), figures=before.figures | shown)
        if not CLOSES.isdisjoint(change.names):
            result = result._replace(mtd=closed["mtd"], closed_90d=closed["90d"])
        if not CYCLE.isdisjoint(change.names):
            result = result._replace(cycle_90d=bins_of(indexes["90d"].of("cycle")))
        if change.stages:
            kept = {key: bins for key, bins in before.ended_30d.items() if key not in change.stages}
            result = result._replace(ended_30d=kept | ended_bins(indexes["30d"]))
        return result

    def of_minutes(self, key: Key, window: str, index: Index) -> Figures:
        """The figures of the sums of a window of minutes."""
        before = self._by_minute.get((key, window))
        closed = self._closed(index)
        if before is None:
            found = figures(index, closed, self._exchange)
        else:
            found = renewed(before[1], Change.between(before[0], index), index, closed, self._exchange)
        if len(self._by_minute) >= FIGURES_MAX:
            self._by_minute.clear()
        self._by_minute[key, window] = index, found
        return found

    def figures(self, index: Index) -> Figures:
        """The figures of any sums."""
        return self._figures(index)[0]

    def _closed(self, index: Index) -> Closed:
        return Closed.of(index, self._exchange)

    def _figures(self, index: Index) -> tuple[Figures, Closed]:
        closed = Closed.of(index, self._exchange)
        return figures(index, closed, self._exchange), closed

    def _past_of(self, key: Key, spans: Windows) -> _Past:
        revision = self._table.freshness(*key).before(spans.today)
        kept = self._past.pop(key, None)
        if kept is None or (kept.today, kept.revision) != (spans.today, revision):
            kept = _Past(spans.today, revision, self._sum_past(key, spans), {}, {})
            if len(self._past) >= SUBJECTS_MAX:
                del self._past[next(iter(self._past))]
        self._past[key] = kept
        return kept

    def _sum_past(self, key: Key, spans: Windows) -> dict[str, Index]:
        until_today = {name: span for name, span in spans.days.items() if span.last == spans.today}
        sums = merging.backwards(self._table.days(*key), until_today, spans.today - 1)
        return {name: Index(merged) for name, merged in sums.items()}
