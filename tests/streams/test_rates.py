from datetime import date

import pytest

from funnelwatch.schemas.settings import Rate, Settings
from funnelwatch.streams.rates import Exchange

DAY = date(2026, 11, 23).toordinal()
EXCHANGE = Exchange(
    [Rate("2026-11-23", "USD", "0.9"), Rate("2026-11-01", "USD", "0.8"), Rate("2026-11-01", "EUR", "7")], "EUR"
)


@pytest.mark.parametrize(
    ("currency", "units", "day", "expected"),
    [
        ("USD", 100, DAY, ("EUR", 90)),
        ("USD", 100, DAY + 400, ("EUR", 90)),
        ("USD", 100, DAY - 1, ("EUR", 80)),
        ("USD", 100, DAY - 23, ("USD", 100)),
        ("GBP", 100, DAY, ("GBP", 100)),
        ("EUR", 100, DAY, ("EUR", 100)),
        ("USD", -100, DAY, ("EUR", -90)),
    ],
)
def test_the_last_rate_on_or_before_the_day_applies(currency, units, day, expected):
    assert EXCHANGE.convert(currency, units, day) == expected


@pytest.mark.parametrize(("units", "expected"), [(5, 4), (15, 14), (25, 22), (-5, -4)])
def test_halves_are_rounded_to_even(units, expected):
    assert EXCHANGE.convert("USD", units, DAY) == ("EUR", expected)


def test_without_rates_there_is_nothing_to_exchange():
    assert Exchange.of(Settings()) is None
