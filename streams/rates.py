"""Exchange rates: what an amount of a day is worth in the organisation's currency."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from datetime import date
from fractions import Fraction

from funnelwatch.schemas.settings import Rate, Settings


class Exchange:
    """The configured rates by currency. Without any, every amount stays in its currency.

    Args:
        rates: Each is valid from its date on, until the next one of the same currency.
        currency: What the rates lead to.

    Raises:
        ValueError: A date is no ISO date or a rate no decimal number.
    """

    def __init__(self, rates: Iterable[Rate], currency: str) -> None:
        self._currency = currency
        dated: dict[str, dict[int, Fraction]] = {}
        for rate in rates:
            dated.setdefault(rate.currency, {})[date.fromisoformat(rate.date).toordinal()] = Fraction(rate.rate)
        self._days = {currency: sorted(by_day) for currency, by_day in dated.items()}
        self._rates = {currency: [by_day[day] for day in sorted(by_day)] for currency, by_day in dated.items()}

    @classmethod
    def of(cls, settings: Settings) -> Exchange | None:
        """The organisation's rates; None if it configures none."""
        return cls(settings.rates, settings.currency) if settings.rates else None

    def convert(self, currency: str, units: int, day: int) -> tuple[str, int]:
        """Currency and units that stand for an amount of a day (ordinal), rounded half-even.

        The last rate dated on or before the day applies; without one the amount stays as it is.
        """
        if currency == self._currency or currency not in self._days:
            return currency, units
        index = bisect_right(self._days[currency], day) - 1
        if index < 0:
            return currency, units
        return self._currency, round(units * self._rates[currency][index])
