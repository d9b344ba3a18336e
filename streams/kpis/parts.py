"""What all figures are made of: measures by name, ratios, amounts by currency, durations from bins."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import accumulate
from typing import Final, NamedTuple

from funnelwatch.schemas.document import Counted, Durations, Money
from funnelwatch.streams import money
from funnelwatch.streams.cells import Measure, Sums
from funnelwatch.streams.rates import Exchange
from funnelwatch.streams.sketch import bin_seconds, rank

SECOND_US = 1_000_000

Entries = AbstractSet[tuple[Measure, int]] | Sequence[tuple[Measure, int]]
"""Measures of one name with their sums."""

Bins = Mapping[int, int]
"""Durations counted by bin (``streams.sketch``)."""

BinsKey = tuple[str, str, str]

BINNED: Final = frozenset({"work", "wall"})
"""Measures of which there are so many that they are kept as bins from the start."""
FLOW: Final = BINNED | {"entered", "left", "work_us", "wall_us"}
"""Measures of the traffic through stages."""

StageKey = tuple[str, str]
"""(pipeline, stage)."""

_EMPTY: Sums = {}

CURRENCY = 2
"""Where the measures of what was closed have their currency."""


class Amount(NamedTuple):
    """A number of deals and what they are worth, in one currency."""

    deals: int = 0
    units: int = 0


class Index:
    """The sums of a period by the name of the measure; the bins of sojourns by (name, pipeline, stage)."""

    __slots__ = ("bins", "names")

    def __init__(self, sums: Sums | None = None) -> None:
        self.names: dict[str, Sums] = {}
        self.bins: dict[BinsKey, dict[int, int]] = {}
        if sums:
            self.add(sums)

    def add(self, sums: Mapping[Measure, int]) -> None:
        """Adds the sums of one more period."""
        names, bins = self.names, self.bins
        for measure, amount in sums.items():
            name: str = measure[0]  # type: ignore[assignment]  # the name is a text
            if name in BINNED:
                key: BinsKey = measure[:3]  # type: ignore[assignment]  # name, pipeline and stage are texts
                number: int = measure[3]  # type: ignore[assignment]  # and bins are numbers
                if key in bins:
                    counts = bins[key]
                    counts[number] = counts.get(number, 0) + amount
                else:
                    bins[key] = {number: amount}
            elif name in names:
                entries = names[name]
                entries[measure] = entries.get(measure, 0) + amount
            else:
                names[name] = {measure: amount}

    def plus(self, sums: Mapping[Measure, int]) -> Index:
        """These and other sums together; this index stays what it is."""
        result = Index()
        result.names = {name: entries.copy() for name, entries in self.names.items()}
        result.bins = {key: counts.copy() for key, counts in self.bins.items()}
        result.add(sums)
        return result

    def some(self, sums: Mapping[Measure, int], names: AbstractSet[str], stages: AbstractSet[StageKey]) -> Index:
        """As `plus`, only of measures of some names; of those of flow only what some stages have."""
        result = Index()
        result.names = {name: self.names[name].copy() for name in names if name in self.names}
        if stages:
            result.bins = {key: counts.copy() for key, counts in self.bins.items() if key[1:] in stages}
        own = (measure for measure in sums if measure[0] in names)
        result.add({measure: sums[measure] for measure in own if measure[0] not in FLOW or measure[1:3] in stages})
        return result

    def of(self, name: str) -> AbstractSet[tuple[Measure, int]]:
        """The entries of a name; none is an empty collection."""
        return self.names.get(name, _EMPTY).items()

    def total(self, name: str) -> int:
        """The sum over all dimensions."""
        return sum(self.names.get(name, _EMPTY).values())


def ratio(numerator: int, denominator: int) -> float | None:
    """The quotient; None if the denominator is 0: nothing is invented."""
    return numerator / denominator if denominator else None


def by_currency(counts: Entries, amounts: Entries, exchange: Exchange | None) -> dict[str, Amount]:
    """Deals and money units of closes by currency, at the rates of their days if there are any.

    With rates, the sum of each (rep, day, currency) is rounded; rep and day end each measure (`ledger.tagged`).
    """
    if exchange is None:
        worth: dict[str, int] = {}
        for measure, units in amounts:
            currency: str = measure[CURRENCY]  # type: ignore[assignment]  # a text
            worth[currency] = worth.get(currency, 0) + units
        deals: dict[str, int] = {}
        for measure, count in counts:
            currency = measure[CURRENCY]  # type: ignore[assignment]  # as above
            deals[currency] = deals.get(currency, 0) + count
        return {currency: Amount(count, worth.get(currency, 0)) for currency, count in deals.items()}
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
    if not bins:
        return Durations(0, None, None, None)
    count, (median, p90) = quantiles(bins, (0.5, 0.9))
    return Durations(count, total_us / (count * SECOND_US), median, p90)


def quantiles(bins: Bins, wanted: Iterable[float]) -> tuple[int, list[float]]:
    """How many there are (at least one), and their quantiles in seconds."""
    numbers = sorted(bins)
    seen = list(accumulate(map(bins.__getitem__, numbers)))
    count = seen[-1]
    return count, [bin_seconds(numbers[bisect_right(seen, rank(quantile, count))]) for quantile in wanted]
