"""Telephone numbers as they are compared: one spelling for all that reach the same telephone."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import phonenumbers

from funnelwatch.schemas.written import western

NUMBERS_CACHED_MAX: Final = 65_536
NUMBER_CHARS_MAX: Final = 64
LAST_DIGITS: Final = 9
"""Without a country, numbers with the same last digits are one: national and international spellings agree in them."""
SHORT_DIGITS_MAX: Final = 5


@lru_cache(maxsize=NUMBERS_CACHED_MAX)
def comparable(text: str, country: str = "") -> str:
    """A number in the spelling in which it is compared; empty for none (``anonymous``).

    Args:
        text: As any system writes it.
        country: The ISO 3166 code of the country whose national spelling is used; with it, ``09331112233`` and
            ``+98 933 111 2233`` are the same by the numbering plan. Without it the last digits decide.
    """
    plain = western(text[:NUMBER_CHARS_MAX]).strip()
    digits = "".join(character for character in plain if character in "0123456789")
    if len(digits) <= SHORT_DIGITS_MAX:
        return digits
    if plain.startswith("00"):
        plain = f"+{plain[2:]}"
    try:
        number = phonenumbers.parse(plain, country or None)
        if country and phonenumbers.is_possible_number(number):
            return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    except phonenumbers.NumberParseException:
        pass
    return digits.lstrip("0")[-LAST_DIGITS:]


def country_exists(code: str) -> bool:
    """Whether numbers of a country are known."""
    return code in phonenumbers.SUPPORTED_REGIONS
