"""The digests of all managers, from the table and from what is known of each rep already. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Final

from funnelwatch.schemas.board import Row
from funnelwatch.schemas.digest import DayFigures, Digest, Digests, Heard, RepDay
from funnelwatch.schemas.document import Alert, Document, Recording
from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.cells import Sums
from funnelwatch.streams.kpis.outreach import outreach_figures
from funnelwatch.streams.kpis.parts import Index, money_of
from funnelwatch.streams.kpis.sales import Closed
from funnelwatch.streams.ranking import worst_first
from funnelwatch.streams.rates import Exchange

BACK_DAYS_MAX: Final = 60
"""So far back a working day is looked for."""


def last_working_day(calendar: Calendar, today: int) -> int:
    """The last day before today with working time; yesterday if there is none."""
    return next(
        (day for day in range(today - 1, today - BACK_DAYS_MAX, -1) if calendar.day_working_us(day) > 0), today - 1
    )


def is_due(calendar: Calendar, now: int, time: str) -> bool:
    """Whether the digest of the day of ``now`` may go out: a working day, at ``time`` (local, ``HH:MM``) or later."""
    return calendar.day_working_us(calendar.day(now)) > 0 and calendar.text(now)[11:16] >= time


def day_figures(sums: Sums, exchange: Exchange | None, per_day: float | None) -> DayFigures:
    """The figures of one day's sums."""
    index = Index(sums)
    return DayFigures(
        created=index.total("created"),
        won=index.total("won"),
        won_amount=money_of(Closed.of(index, exchange).won),
        lost=index.total("lost"),
        advances=index.total("advance"),
        outreach=outreach_figures(index).total,
        outreach_expected=per_day,
    )


def digests(
    known: Iterable[tuple[Row, Document]],
    days: Mapping[str, Mapping[int, Sums]],
    alerts: Sequence[Alert],
    *,
    calendar: Calendar,
    exchange: Exchange | None,
    organisation: str,
    now: int,
    recordings_max: int,
) -> Digests:
    """All digests as of ``now``.

    Args:
        known: Row and document of every rep; inactive ones have no digest.
        days: The sums of each rep's days.
        alerts: What fires.
        calendar: The organisation's.
        exchange: Its rates, if it has any.
        organisation: Its name.
        now: µs.
        recordings_max: Recordings of one digest.
    """
    today = calendar.day(now)
    day = last_working_day(calendar, today)
    by_manager: dict[str, list[tuple[RepDay, Document]]] = defaultdict(list)
    for row, document in known:
        if row.active:
            figures = day_figures(days[row.id].get(day, {}), exchange, document.outreach.per_day)
            by_manager[row.manager or ""].append((RepDay(row, figures), document))
    as_of = calendar.text(now)
    found = [
        Digest(
            manager=manager,
            organisation=organisation,
            today=date.fromordinal(today).isoformat(),
            day=date.fromordinal(day).isoformat(),
            as_of=as_of,
            reps=_sorted([rep for rep, _ in reps]),
            total=_total([rep.day for rep, _ in reps]),
            alerts=_listed(alerts, reps),
            recordings=_recordings(reps, recordings_max),
        )
        for manager, reps in sorted(by_manager.items())
    ]
    return Digests(as_of, found)


def _sorted(reps: list[RepDay]) -> list[RepDay]:
    by_id = {rep.row.id: rep for rep in reps}
    return [by_id[row.id] for row in worst_first(rep.row for rep in reps)]


def _total(days: list[DayFigures]) -> DayFigures:
    amounts: dict[str, Decimal] = defaultdict(Decimal)
    for day in days:
        for currency, amount in day.won_amount.items():
            amounts[currency] += Decimal(amount)
    asked = [day.outreach_expected for day in days if day.outreach_expected is not None]
    return DayFigures(
        created=sum(day.created for day in days),
        won=sum(day.won for day in days),
        won_amount={currency: f"{amount.normalize():f}" for currency, amount in amounts.items()},
        lost=sum(day.lost for day in days),
        advances=sum(day.advances for day in days),
        outreach=sum(day.outreach for day in days),
        outreach_expected=sum(asked) if asked else None,
    )


def _listed(alerts: Sequence[Alert], reps: list[tuple[RepDay, Document]]) -> list[Alert]:
    """What nobody was paged for: of the manager's reps, and of the teams that are wholly the manager's."""
    ids = {rep.row.id for rep, _ in reps}
    teams = {rep.row.team for rep, _ in reps}
    return [
        alert
        for alert in alerts
        if (alert.severity != "critical" or alert.withheld)
        and (alert.subject in ids if alert.level == "rep" else alert.subject in teams)
    ]


def _recordings(reps: list[tuple[RepDay, Document]], most: int) -> list[Heard]:
    """Those on lost deals first, then each rep's first, second …; whoever needs help most comes first."""
    order = {row.id: place for place, row in enumerate(worst_first(rep.row for rep, _ in reps))}
    ranked = sorted(reps, key=lambda one: order[one[0].row.id])
    heard: list[tuple[bool, int, int, str, Recording]] = [
        (not recording.deal_lost, turn, place, rep.row.name, recording)
        for place, (rep, document) in enumerate(ranked)
        for turn, recording in enumerate(document.coaching[:most])
    ]
    heard.sort(key=lambda one: one[:3])
    return [Heard(name, recording) for *_, name, recording in heard[:most]]
