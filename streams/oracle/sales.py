"""KPI 1: what was sold this month against the previous one and the quota, and why it fell."""

from __future__ import annotations

from math import log
from typing import NamedTuple

from funnelwatch.schemas.document import Change, Sales
from funnelwatch.schemas.settings import Settings
from funnelwatch.streams.oracle.facts import Facts, Lost, Won, of
from funnelwatch.streams.oracle.figures import Counting, ratio
from funnelwatch.streams.oracle.periods import Periods
from funnelwatch.streams.oracle.subjects import Subject
from funnelwatch.streams.oracle.worth import Part, Units, money, money_text


class Side(NamedTuple):
    """One period in one currency: deals closed and won, and what the won ones are worth in money units."""

    closed: int
    won: int
    units: int


def sales(subject: Subject, settings: Settings, periods: Periods, counting: Counting) -> Sales:
    """KPI 1 of a subject."""
    this = subject.window("mtd")
    before = subject.during(periods.previous_to_date())
    sold = counting.worth(of(Won, this)).units
    sold_before = counting.worth(of(Won, before)).units
    month = periods.calendar.month_label(periods.today)
    quota, quota_count = _quota(subject, month, settings, periods, counting)
    elapsed = _elapsed(subject, periods)
    attainment = {currency: sold.get(currency, 0) / units for currency, units in quota.items() if units}
    return Sales(
        month=month,
        elapsed=elapsed,
        mtd=counting.closes(this),
        prev_mtd=counting.closes(before),
        prev_month=counting.closes(subject.window("prev_month")),
        growth={currency: sold.get(currency, 0) / units - 1 for currency, units in sold_before.items() if units},
        quota=money(quota),
        quota_count=quota_count,
        attainment=attainment,
        attainment_count=None if quota_count is None else ratio(len(of(Won, this)), quota_count),
        pace={currency: share / elapsed for currency, share in attainment.items()} if elapsed else {},
        projection=money({currency: round(units / elapsed) for currency, units in sold.items()}) if elapsed else {},
        change={
            currency: change(_side(currency, before, counting), _side(currency, this, counting))
            for currency in _currencies(before, counting) | _currencies(this, counting)
        },
    )


def _quota(
    subject: Subject, month: str, settings: Settings, periods: Periods, counting: Counting
) -> tuple[Units, int | None]:
    """The month's quotas of everybody who has one, by currency, and as a number of deals."""
    quotas = [(rep.id, rep.quotas[month]) for rep in subject.staffed if month in rep.quotas]
    worth = counting.exchange.worth(
        Part(rep, periods.month_start, quota.currency or settings.currency, quota.amount)
        for rep, quota in quotas
        if quota.amount is not None
    )
    counts = [quota.count for _, quota in quotas if quota.count is not None]
    return worth.units, sum(counts) if counts else None


def _elapsed(subject: Subject, periods: Periods) -> float | None:
    """The share of the month's working time that has passed."""
    start = periods.calendar.day_start(periods.month_start)
    end = periods.calendar.day_start(periods.next_month_start)
    return ratio(subject.calendar.working_us(start, periods.now), subject.calendar.working_us(start, end))


def _currencies(facts: Facts, counting: Counting) -> set[str]:
    return set(counting.worth([*of(Won, facts), *of(Lost, facts)]).counts)


def _side(currency: str, facts: Facts, counting: Counting) -> Side:
    won, lost = counting.worth(of(Won, facts)), counting.worth(of(Lost, facts))
    wins = won.counts.get(currency, 0)
    return Side(wins + lost.counts.get(currency, 0), wins, won.units.get(currency, 0))


def change(before: Side, now: Side) -> Change:
    """The split of a change in won amount: ``docs/figures.md``, "Why it fell"."""
    total = now.units - before.units
    parts = {"volume": 0, "win_rate": 0, "deal_size": 0}
    if before.units > 0 and now.units > 0:
        growth = now.units / before.units
        weight = float(before.units) if growth == 1 else total / log(growth)
        parts["volume"] = round(weight * log(now.closed / before.closed))
        parts["win_rate"] = round(weight * log((now.won / now.closed) / (before.won / before.closed)))
        parts["deal_size"] = total - parts["volume"] - parts["win_rate"]
    elif before.units < 0 or now.units < 0:
        parts["deal_size"] = total
    else:
        empty = before if before.units == 0 else now
        parts["volume" if empty.closed == 0 else "win_rate" if empty.won == 0 else "deal_size"] = total
    cause = min(parts, key=lambda name: parts[name])
    return Change(
        amount=money_text(total),
        volume=money_text(parts["volume"]),
        win_rate=money_text(parts["win_rate"]),
        deal_size=money_text(parts["deal_size"]),
        cause=cause if parts[cause] < 0 else None,
    )
