"""Money: integer units of 1/10,000 of the major unit inside, decimal text outside, no binary fraction in between."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

from funnelwatch.schemas.settings import MONEY_UNITS

UNITS_MAX: Final = 10**18
"""The largest amount taken, so that sums of amounts stay far from 64 bits in what is stored."""

_DIGITS = 4
_DECIMAL = re.compile(r"([+-]?)(\d{1,40})?(?:\.(\d{0,40}))?(?:[eE]([+-]?\d{1,3}))?")


def parse(text: str) -> int:
    """Units of a decimal text, as in JSON (an exponent is understood).

    Raises:
        ValueError: It is no decimal number, has more than 4 fractional digits, or is beyond ``UNITS_MAX``.
    """
    units = _exact(text) * MONEY_UNITS
    if units.denominator != 1:
        raise ValueError(f"{text!r} has more than {_DIGITS} fractional digits; amounts have {_DIGITS} at most")
    if abs(units.numerator) > UNITS_MAX:
        raise ValueError(f"{text!r} is beyond the largest amount, {UNITS_MAX // MONEY_UNITS}")
    return units.numerator


def text(units: int) -> str:
    """The one decimal text of an amount: no exponent, no trailing zero, no "-0"."""
    whole, part = divmod(abs(units), MONEY_UNITS)
    sign = "-" if units < 0 else ""
    if not part:
        return f"{sign}{whole}"
    return f"{sign}{whole}.{part:04d}".rstrip("0")


def half_even(numerator: int, denominator: int) -> int:
    """The integer nearest to a fraction of integers, a tie to the even one.

    Raises:
        ZeroDivisionError: The denominator is 0.
    """
    return round(Fraction(numerator, denominator))


def nearest(units: float) -> int:
    """The integer nearest to a computed number of units, a tie to the even one.

    Raises:
        ValueError: It is not finite.
    """
    try:
        return round(units)
    except OverflowError as error:
        raise ValueError("an infinite amount has no nearest unit") from error


def convert(units: int, rate: str) -> int:
    """An amount at a rate (decimal text), rounded half-even to units.

    Raises:
        ValueError: The rate is no decimal number.
    """
    return round(units * _exact(rate))


def _exact(number: str) -> Fraction:
    match = _DECIMAL.fullmatch(number)
    if match is None or not (match[2] or match[3]):
        raise ValueError(f"{number[:50]!r} is no decimal number; write one like '1200.5'")
    sign, whole, part, exponent = match[1], match[2] or "", match[3] or "", int(match[4] or 0)
    digits = int(f"{sign}{whole}{part}")
    power = exponent - len(part)
    return Fraction(digits * 10**power) if power >= 0 else Fraction(digits, 10**-power)
