"""KPI 1: sales, month over month, and why they fell."""

from __future__ import annotations

from collections.abc import Mapping
from math import log
from typing import NamedTuple

from funnelwatch.schemas.document import Change, Closes, Money, Sales
from funnelwatch.streams import money
from funnelwatch.streams.kpis.parts import Amount, Index, by_currency, money_of, ratio
from funnelwatch.streams.rates import Exchange

NONE = Amount()

FACTORS = ("volume", "win_rate", "deal_size")
"""The parts of a change; the first one is the cause if several fell alike."""


class Closed(NamedTuple):
    """What was closed in a period, by currency."""

    won: dict[str, Amount]
    lost: dict[str, Amount]

    @classmethod
    def of(cls, index: Index, exchange: Exchange | None) -> Closed:
        """The closes among the sums of a period."""
        return cls(
            by_currency(index.of("won"), index.of("won_amount"), exchange),
            by_currency(index.of("lost"), index.of("lost_amount"), exchange),
        )

    def document(self) -> Closes:
        """The same as the document shows it."""
        return Closes(count(self.won), count(self.lost), money_of(self.won), money_of(self.lost))


class Quota(NamedTuple):
    """What is to be won in the month: money units by currency, and a number of deals."""

    units: dict[str, int]
    deals: int | None


class Side(NamedTuple):
    """One side of a comparison, in one currency."""

    closed: int
    won: int
    units: int


class Elapsed(NamedTuple):
    """Working µs of the month: until now, and altogether."""

    us: int
    whole_us: int


def count(amounts: Mapping[str, Amount]) -> int:
    """Deals over all currencies."""
    return sum(amount.deals for amount in amounts.values())


def sales(*, month: str, elapsed: Elapsed, quota: Quota, mtd: Closed, prev_mtd: Closed, prev_month: Closed) -> Sales:
    """KPI 1 from what was closed in the three periods."""
    share = ratio(elapsed.us, elapsed.whole_us)
    attainment = {
        currency: mtd.won.get(currency, NONE).units / units for currency, units in quota.units.items() if units
    }
    won = count(mtd.won)
    return Sales(
        month=month,
        elapsed=share,
        mtd=mtd.document(),
        prev_mtd=prev_mtd.document(),
        prev_month=prev_month.document(),
        growth={
            currency: mtd.won.get(currency, NONE).units / before.units - 1
            for currency, before in prev_mtd.won.items()
            if before.units
        },
        quota={currency: money.text(units) for currency, units in quota.units.items()},
        quota_count=quota.deals,
        attainment=attainment,
        attainment_count=won / quota.deals if quota.deals else None,
        pace={currency: part / share for currency, part in attainment.items()} if share else {},
        projection=projection(mtd.won, share),
        change=changes(prev_mtd, mtd),
    )


def projection(won: Mapping[str, Amount], share: float | None) -> Money:
    """What the month would end with at this pace; nothing before its first working instant."""
    if not share:
        return {}
    return {currency: money.text(money.nearest(amount.units / share)) for currency, amount in won.items()}


def changes(before: Closed, after: Closed) -> dict[str, Change]:
    """Why won amount changed, for each currency with a close on either side; in order of currencies."""
    currencies = before.won.keys() | before.lost.keys() | after.won.keys() | after.lost.keys()
    return {currency: change(_side(before, currency), _side(after, currency)) for currency in sorted(currencies)}


def _side(closed: Closed, currency: str) -> Side:
    won, lost = closed.won.get(currency, NONE), closed.lost.get(currency, NONE)
    return Side(won.deals + lost.deals, won.deals, won.units)


def change(before: Side, after: Side) -> Change:
    """The change of won amount, split without a residual (log-mean Divisia, its limits where a side is 0)."""
    parts = dict(zip(FACTORS, decompose(before, after), strict=True))
    cause = min(FACTORS, key=parts.__getitem__)
    return Change(
        amount=money.text(after.units - before.units),
        volume=money.text(parts["volume"]),
        win_rate=money.text(parts["win_rate"]),
        deal_size=money.text(parts["deal_size"]),
        cause=cause if parts[cause] < 0 else None,
    )


def decompose(before: Side, after: Side) -> tuple[int, int, int]:
    """Money units due to volume, win rate and deal size; they add up to the change exactly.

    Ang: "The LMDI approach to decomposition analysis: a practical guide", Energy Policy 33 (2005).
    """
    whole = after.units - before.units
    if before.units < 0 or after.units < 0:
        return 0, 0, whole
    if not before.units or not after.units:
        empty = after if before.units else before
        if not empty.closed:
            return whole, 0, 0
        return (0, 0, whole) if empty.won else (0, whole, 0)
    growth = after.units / before.units
    mean = float(before.units) if growth == 1 else whole / log(growth)
    volume = money.nearest(mean * log(after.closed / before.closed))
    win_rate = money.nearest(mean * log((after.won / after.closed) / (before.won / before.closed)))
    return volume, win_rate, whole - volume - win_rate
