"""What all figures are made of: measures by name, ratios, amounts by currency, durations from bins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from funnelwatch.schemas.document import Counted, Durations, Money
from funnelwatch.streams import money
from funnelwatch.streams.cells import Measure, Sums
from funnelwatch.streams.rates import Exchange
from funnelwatch.streams.sketch import bin_seconds, rank

SECOND_US = 1_000_000

Entries = list[tuple[Measure, int]]
"""Measures of one name with their sums."""

Bins = Mapping[int, int]
"""Durations counted by bin (``streams.sketch``)."""

CURRENCY = 2
"""Where the measures of what was closed have their currency."""


class Amount(NamedTuple):
    """A number of deals and what they are worth, in one currency."""

    deals: int = 0
    units: int = 0


class Index(dict[str, Entries]):
    """The sums of a period by the name of the measure."""

    def __init__(self, sums: Sums) -> None:
        for item in sums.items():
            name = str(item[0][0])
            if name in self:
                self[name].append(item)
            else:
                self[name] = [item]

    def of(self, name: str) -> Entries:
        """The entries of a name; none is an empty list."""
        return self.get(name, [])

    def total(self, name: str) -> int:
        """The sum over all dimensions."""
        return sum(amount for _, amount in self.get(name, ()))


def ratio(numerator: int, denominator: int) -> float | None:
    """The quotient; None if the denominator is 0: nothing is invented."""
    return numerator / denominator if denominator else None


def by_currency(counts: Entries, amounts: Entries, exchange: Exchange | None) -> dict[str, Amount]:
    """Deals and money units of closes by currency, at the rates of their days if there are any.

    With rates, the sum of each (rep, day, currency) is rounded; rep and day end each measure (`ledger.tagged`).
    """
    if exchange is None:
        return amounts_of(
            [(str(measure[CURRENCY]), count) for measure, count in counts],
            [(str(measure[CURRENCY]), units) for measure, units in amounts],
        )
    numbers = [(exchange.convert(str(m[CURRENCY]), 0, int(m[-1]))[0], count) for m, count in counts]
    parts: dict[tuple[str, str, int], int] = {}
    for measure, units in amounts:
        part = (str(measure[CURRENCY]), str(measure[-2]), int(measure[-1]))
        parts[part] = parts.get(part, 0) + units
    return amounts_of(numbers, [exchange.convert(currency, units, day) for (currency, _, day), units in parts.items()])


def amounts_of(counts: Iterable[tuple[str, int]], units: Iterable[tuple[str, int]]) -> dict[str, Amount]:
    """Counts and money units by currency; a currency has an entry where it has a count."""
    numbers: dict[str, int] = {}
    for currency, count in counts:
        numbers[currency] = numbers.get(currency, 0) + count
    worth = dict.fromkeys(numbers, 0)
    for currency, amount in units:
        if currency in worth:
            worth[currency] += amount
    return {currency: Amount(count, worth[currency]) for currency, count in numbers.items() if count}


def money_of(amounts: Mapping[str, Amount]) -> Money:
    """The amounts as decimal texts."""
    return {currency: money.text(amount.units) for currency, amount in amounts.items()}


def counted(amounts: Mapping[str, Amount]) -> Counted:
    """All deals, and what they are worth by currency."""
    return Counted(sum(amount.deals for amount in amounts.values()), money_of(amounts))


def bins_of(entries: Entries) -> dict[int, int]:
    """Counts by bin of measures whose only dimension is the bin."""
    return {int(measure[1]): count for measure, count in entries}


def durations(bins: Bins, total_us: int) -> Durations:
    """Count, mean, median and 90 % quantile. The mean is exact, the quantiles are those of the bins."""
    count = sum(bins.values())
    if not count:
        return Durations(0, None, None, None)
    median, p90 = quantiles(bins, (0.5, 0.9))
    return Durations(count, total_us / (count * SECOND_US), median, p90)


def quantiles(bins: Bins, wanted: tuple[float, ...]) -> list[float]:
    """Quantiles in rising order, in seconds, in one walk over the bins. There must be something in them."""
    count = sum(bins.values())
    ranks = [rank(quantile, count) for quantile in wanted]
    found: list[float] = []
    seen = 0
    for number in sorted(bins):
        seen += bins[number]
        while len(found) < len(ranks) and seen > ranks[len(found)]:
            found.append(bin_seconds(number))
        if len(found) == len(ranks):
            break
    return found
