"""Money: sums by currency, exact, converted where the organisation has rates; and as decimal text."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from funnelwatch.schemas.settings import MONEY_UNITS, Settings

Units = dict[str, int]


class Part(NamedTuple):
    """Something worth ``units`` of a currency, of one rep on one local day."""

    rep: str
    day: int
    currency: str
    units: int


class Worth(NamedTuple):
    """How many, and what they are worth, by currency."""

    counts: dict[str, int]
    units: Units

    @property
    def number(self) -> int:
        """How many there are in all currencies."""
        return sum(self.counts.values())

    @property
    def money(self) -> dict[str, str]:
        """The sums as decimal texts."""
        return money(self.units)


class Exchange:
    """Adds parts up, converting each (rep, day, currency) if there is a rate for it on that day."""

    def __init__(self, settings: Settings) -> None:
        self._into = settings.currency
        dated = [(rate.currency, date.fromisoformat(rate.date).toordinal(), rate.rate) for rate in settings.rates]
        self._rates = sorted(dated, key=lambda rate: rate[1])

    def worth(self, parts: Iterable[Part]) -> Worth:
        """Parts of one figure, added up."""
        sums: dict[tuple[str, int, str], list[int]] = {}
        for part in parts:
            row = sums.setdefault((part.rep, part.day, part.currency), [0, 0])
            row[0] += 1
            row[1] += part.units
        total = Worth({}, {})
        for (_, day, currency), (count, units) in sums.items():
            into, converted = self._convert(day, currency, units)
            total.counts[into] = total.counts.get(into, 0) + count
            total.units[into] = total.units.get(into, 0) + converted
        return total

    def _convert(self, day: int, currency: str, units: int) -> tuple[str, int]:
        rates = [rate for of, since, rate in self._rates if of == currency and since <= day]
        if not rates or currency == self._into:
            return currency, units
        return self._into, round(Fraction(rates[-1]) * units)


def money(units: Units) -> dict[str, str]:
    """Amounts as decimal texts by currency."""
    return {currency: money_text(amount) for currency, amount in units.items()}


def money_text(units: int) -> str:
    """Money units as a decimal text without exponent and trailing zeros."""
    text = f"{Decimal(units) / MONEY_UNITS:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
