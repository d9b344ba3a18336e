from decimal import ROUND_HALF_EVEN, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from funnelwatch.streams import money

units = st.integers(-money.UNITS_MAX, money.UNITS_MAX)


@given(units)
def test_text_and_units_are_two_forms_of_one_amount(amount):
    assert money.parse(money.text(amount)) == amount


@given(units)
def test_text_is_the_canonical_decimal(amount):
    text = money.text(amount)

    assert Decimal(text) == Decimal(amount) / 10_000
    assert "E" not in text
    assert text != "-0"
    assert "." not in text or text[-1] not in "0."


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("1200.5", 12_005_000),
        ("0.0001", 1),
        ("-0", 0),
        ("-0.00", 0),
        ("+7", 70_000),
        ("007", 70_000),
        (".5", 5_000),
        ("5.", 50_000),
        ("1.2e3", 12_000_000),
        ("125E-2", 12_500),
        ("1.500000", 15_000),
    ],
)
def test_decimal_texts_are_read_exactly(text, amount):
    assert money.parse(text) == amount


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0.00001", "more than 4 fractional digits"),
        ("1e-5", "more than 4 fractional digits"),
        ("100000000000000.0001", "beyond the largest amount"),
        ("1e999", "beyond the largest amount"),
        ("", "no decimal number"),
        (".", "no decimal number"),
        ("-", "no decimal number"),
        ("NaN", "no decimal number"),
        ("Infinity", "no decimal number"),
        ("1,000", "no decimal number"),
        (" 1", "no decimal number"),
        ("1_000", "no decimal number"),
        ("1e9999999", "no decimal number"),
    ],
)
def test_what_is_no_amount_is_refused_with_a_reason(text, words):
    with pytest.raises(ValueError, match=words):
        money.parse(text)


@given(st.integers(-(10**20), 10**20), st.integers(1, 10**6))
def test_halves_go_to_the_even_neighbour(numerator, denominator):
    rounded = money.half_even(numerator, denominator)

    assert abs(rounded * denominator - numerator) * 2 <= denominator
    if abs(rounded * denominator - numerator) * 2 == denominator:
        assert rounded % 2 == 0


@pytest.mark.parametrize(("computed", "rounded"), [(0.5, 0), (1.5, 2), (2.5, 2), (-0.5, 0), (-1.5, -2), (2.4999, 2)])
def test_computed_units_go_to_the_nearest_integer(computed, rounded):
    assert money.nearest(computed) == rounded


def test_there_is_no_unit_nearest_to_infinity():
    with pytest.raises(ValueError, match="infinite"):
        money.nearest(float("inf"))


@given(units, st.decimals("0.000001", "1000000", places=6))
def test_conversion_is_exact_until_it_is_rounded_once(amount, rate):
    exact = (Decimal(amount) * rate).quantize(Decimal(1), ROUND_HALF_EVEN)

    assert money.convert(amount, str(rate)) == int(exact)
