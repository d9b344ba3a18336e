"""KPI documents of reps, teams and the organisation, assembled from the merged table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import fsum
from typing import Final

import msgspec

from funnelwatch.schemas.document import Document, Figures, Funnel, LeadFigures, Leak, Outreach, Recording, Sales
from funnelwatch.schemas.settings import Settings
from funnelwatch.streams import merging, windows
from funnelwatch.streams.ages import Ages
from funnelwatch.streams.calendar import DAY_US
from funnelwatch.streams.cells import LEAD_PIPELINE, Measure, OpenDeal, RepRecord
from funnelwatch.streams.kpis import conversion, funnel, outreach, sales, standing
from funnelwatch.streams.kpis.coaching import Listening, Shelf
from funnelwatch.streams.kpis.parts import SECOND_US, Index, money_of
from funnelwatch.streams.ledger import ORGANISATION
from funnelwatch.streams.piles import Piles, Stages, total_worth
from funnelwatch.streams.rates import Exchange
from funnelwatch.streams.recall import ByDay, Key, Recall
from funnelwatch.streams.subjects import Subject, Subjects
from funnelwatch.streams.table import Table
from funnelwatch.streams.windows import Windows
from funnelwatch.streams.workdays import longest_day_us

CONVERSION_WINDOWS: Final = ("7d", "30d", "90d", "mtd")
OUTREACH_WINDOWS: Final = ("today", "wtd", "30d")

LEAD_MEASURES: Final[tuple[Measure, ...]] = (
    ("lead", "created"),
    ("lead", "qualified"),
    ("lead", "accepted"),
    ("lead", "converted"),
    ("lead", "disqualified"),
    ("cohort", "accepted"),
    ("cohort", "converted"),
)


class RepRow(msgspec.Struct, frozen=True, gc=False):
    """A listed rep."""

    id: str
    name: str
    team: str | None
    manager: str | None
    active: bool


class Documents:
    """Assembles documents from a table. Holds nothing but what can be computed again.

    Args:
        settings: The organisation's configuration.
        table: The merged cells.
    """

    def __init__(self, settings: Settings, table: Table) -> None:
        self._settings = settings
        self._table = table
        self._calendar = table.calendar
        self._subjects = Subjects(settings, table)
        self._exchange = Exchange.of(settings)
        self._plan = standing.Plan(settings)
        self._ages = Ages(self._calendar)
        self._working_day_us = longest_day_us(settings.calendar)
        self._windows: Windows | None = None
        self._peers: dict[Key, tuple[tuple[int, int], dict[str, LeadFigures]]] = {}
        self._listening = Listening(self._calendar)
        self._recall = Recall(table, self._exchange)

    def rep(self, rep: str, now: int) -> Document:
        """The document of a rep at an instant (µs).

        Raises:
            UnknownSubjectError: The rep is not listed.
        """
        return self._document(self._subjects.rep(rep, now), now)

    def team(self, name: str, now: int) -> Document:
        """The document of a team at an instant (µs).

        Raises:
            UnknownSubjectError: The team is not listed.
        """
        return self._document(self._subjects.team(name, now), now)

    def organisation(self, now: int) -> Document:
        """The document of the whole organisation at an instant (µs)."""
        return self._document(self._subjects.organisation(now), now)

    def reps(self, now: int) -> list[RepRow]:
        """The listed reps at an instant (µs), in order of their ids."""
        return [_row(rep, self._table.record(rep), self._table) for rep in self._subjects.reps(now)]

    def teams(self, now: int) -> list[str]:
        """The listed teams at an instant (µs), in order."""
        return self._subjects.teams(now)

    def listed_reps(self, now: int) -> Iterator[str]:
        """The ids of the listed reps at an instant (µs), in order."""
        return self._subjects.reps(now)

    def is_rep(self, rep: str, now: int) -> bool:
        """Whether a rep is listed at an instant (µs)."""
        return self._subjects.is_rep(rep, now)

    def is_team(self, name: str, now: int) -> bool:
        """Whether a team is listed at an instant (µs)."""
        return self._subjects.is_team(name, now)

    def _windows_at(self, now: int) -> Windows:
        if self._windows is None or self._windows.now != now:
            self._windows = windows.at(now, self._calendar, self._settings.retention_days)
        return self._windows

    def _document(self, subject: Subject, now: int) -> Document:
        spans = self._windows_at(now)
        key = (subject.level, subject.id)
        by_day = self._recall.by_day(key, spans)
        by_minute = merging.over_minutes(self._table.minutes(*key), spans.minutes)
        shown = {name: self._recall.of_minutes(key, name, index) for name, index in by_minute.items()}
        shown |= by_day.figures
        return Document(
            level=subject.level,
            id=subject.id,
            name=subject.name,
            team=subject.team,
            manager=subject.manager,
            active=subject.active,
            as_of=self._calendar.text(now),
            windows=shown,
            months=self._history(key, spans, by_day),
            sales=self._sales(subject, spans, by_day),
            funnel=self._funnel(subject, spans, by_day),
            conversion={window: self._leak(subject, window, shown[window].leads) for window in CONVERSION_WINDOWS},
            outreach=self._outreach(subject, spans, shown),
            coaching=self._coaching(subject, now),
        )

    def _history(self, key: Key, spans: Windows, by_day: ByDay) -> dict[str, Figures]:
        """The months; the present one is mostly ``mtd``, unless the retention begins within it."""
        months: dict[str, Figures] = {}
        book = self._table.days(*key)
        for month in spans.months:
            if month.days == spans.days["mtd"]:
                found = (
                    by_day.figures["mtd"]
                    if any(day in book for day in range(month.days.first, spans.today + 1))
                    else None
                )
            else:
                found = self._recall.month(key, month.days)
            if found is not None:
                months[month.label] = found
        return months

    def _sales(self, subject: Subject, spans: Windows, by_day: ByDay) -> Sales:
        month = spans.days["mtd"].first
        start = self._calendar.day_start(month)
        end = self._calendar.day_start(self._calendar.next_month_start(month))
        return sales.sales(
            month=self._calendar.month_label(month),
            elapsed=sales.Elapsed(
                subject.calendar.working_us(start, spans.now), subject.calendar.working_us(start, end)
            ),
            quota=self._quota(subject, month),
            mtd=by_day.mtd,
            prev_mtd=self._recall.closed_until((subject.level, subject.id), spans),
            prev_month=by_day.prev_month,
        )

    def _quota(self, subject: Subject, month: int) -> sales.Quota:
        """The quotas of a subject's reps, as of the first day of the month."""
        label = self._calendar.month_label(month)
        units: dict[str, int] = {}
        counts: list[int] = []
        for record in subject.measured:
            amount, currency, count = record.quotas.get(label, (None, "", None)) if record else (None, "", None)
            if amount is not None:
                currency = currency or self._settings.currency
                if self._exchange is not None:
                    currency, amount = self._exchange.convert(currency, amount, month)
                units[currency] = units.get(currency, 0) + amount
            if count is not None:
                counts.append(count)
        return sales.Quota(units, sum(counts) if counts else None)

    def _funnel(self, subject: Subject, spans: Windows, by_day: ByDay) -> Funnel:
        view = standing.View(self._plan, self._ages, self._exchange, spans.now, spans.today)
        deals, leads = self._open(subject, self._table.deal_piles), self._open(subject, self._table.lead_piles)
        deals_now, leads_now = standing.standings(deals, view), standing.standings(leads, view)
        amounts = standing.amounts(total_worth(deals.values()), view)
        open_deals = sum(map(len, deals.values()))
        last = self._last_advance(subject.holders, spans.now)
        since = funnel.idle_since(last, open_deals, self._deals(subject.holders))
        return Funnel(
            open_deals=open_deals,
            open_amount=money_of(amounts),
            overdue_deals=sum(stage.overdue for stage in deals_now.values()),
            pipelines=funnel.pipelines(deals_now, by_day.ended_30d, view),
            leads=funnel.pipeline(LEAD_PIPELINE, standing.LEAD_STATES, leads_now, by_day.ended_30d, view),
            last_advance=None if last is None else self._calendar.text(last),
            idle_seconds=0.0 if since is None else subject.calendar.working_us(since, spans.now) / SECOND_US,
            idle_wall_seconds=0.0 if since is None else max(0, spans.now - since) / SECOND_US,
            velocity=funnel.velocity(amounts, by_day.closed_90d, by_day.cycle_90d, self._working_day_us),
        )

    def _last_advance(self, reps: Iterable[str], now: int) -> int | None:
        """When (µs) one of them last advanced; what is older than the retention may be forgotten, so it is none."""
        oldest = now - self._settings.retention_days * DAY_US
        advances = (self._table.last_advance(rep) for rep in reps)
        return max((at for at in advances if at is not None and at >= oldest), default=None)

    def _deals(self, reps: Iterable[str]) -> Iterator[OpenDeal]:
        return (deal for rep in reps for deal in self._table.open_deals(rep).values())

    @staticmethod
    def _open(subject: Subject, piles: Piles) -> Stages:
        return piles.organisation if subject.level == ORGANISATION else piles.of(subject.holders)

    def _leak(self, subject: Subject, window: str, own: LeadFigures) -> Leak:
        expected = subject.conversion_rate
        if own.period is None or subject.peer is None or (expected is not None and own.period >= expected):
            return conversion.leak(own, expected, None)
        return conversion.leak(own, expected, self._peer(*subject.peer)[window])

    def _peer(self, level: str, name: str) -> dict[str, LeadFigures]:
        """Lead figures of a team or the organisation, kept until its days change or the day ends."""
        assert self._windows is not None
        today, spans = self._windows.today, self._windows.days
        as_of = (self._table.freshness(level, name).ever, today)
        kept = self._peers.get((level, name))
        if kept is None or kept[0] != as_of:
            days = self._table.days(level, name)
            first = min(spans[window].first for window in CONVERSION_WINDOWS)
            only_leads = {
                day: {measure: days[day][measure] for measure in LEAD_MEASURES if measure in days[day]}
                for day in range(first, today + 1)
                if day in days
            }
            sums = merging.backwards(only_leads, {window: spans[window] for window in CONVERSION_WINDOWS}, today)
            found = {window: conversion.lead_figures(Index(merged)) for window, merged in sums.items()}
            kept = self._peers[level, name] = as_of, found
        return kept[1]

    def _outreach(self, subject: Subject, spans: Windows, shown: dict[str, Figures]) -> Outreach:
        per_day = self._per_day(subject)
        paces = {
            window: outreach.pace(
                shown[window].outreach.total,
                per_day,
                subject.calendar.working_days(self._calendar.day_start(spans.days[window].first), spans.now),
            )
            for window in OUTREACH_WINDOWS
        }
        recent = outreach.recent_days(spans.today, subject.calendar)
        return outreach.outreach(
            paces,
            per_day,
            outreach.recent_attainment(self._recall.outreach_of((subject.level, subject.id), spans), recent, per_day),
            self._settings.benchmarks.support_ratio,
        )

    def _per_day(self, subject: Subject) -> float | None:
        default = self._settings.benchmarks.outreach_per_day
        asked = [
            default if record is None or record.outreach_per_day is None else record.outreach_per_day
            for record in subject.measured
        ]
        known = [number for number in asked if number is not None]
        return fsum(known) if known else None

    def _coaching(self, subject: Subject, now: int) -> list[Recording]:
        shelf = Shelf.at(now, self._settings.recordings_days, self._table.lost_deals())
        known = self._table.all_recordings()
        if subject.level != ORGANISATION:
            known = {rep: known[rep] for rep in subject.holders if rep in known}
        return self._listening.coaching(known, shelf)


def _row(rep: str, record: RepRecord | None, table: Table) -> RepRow:
    if record is None:
        return RepRow(rep, rep, None, None, active=True)
    return RepRow(
        rep, rep if record.name is None else record.name, table.present_team(rep), record.manager, record.active
    )
