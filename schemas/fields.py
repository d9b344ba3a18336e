"""How single values of an event are read: ids, texts, instants, amounts. Each reader returns the normalised value.

All of them raise `RefusedError` and nothing else, for any JSON value.
"""

from __future__ import annotations

import math
import re
import unicodedata
import zoneinfo
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Final

import msgspec

from funnelwatch.schemas.currencies import CURRENCIES, RIAL, TOMAN
from funnelwatch.schemas.reasons import Reason, RefusedError
from funnelwatch.schemas.settings import MONEY_UNITS

ID_CHARS_MAX: Final = 256
SOURCE_CHARS_MAX: Final = 1_024
TEXT_CHARS_MAX: Final = 1_024
"""Labels: stages, reasons, names, …"""
URL_CHARS_MAX: Final = 8_192
UNITS_MAX: Final = 10**18
"""Largest absolute amount in money units: 100 million million of any currency."""
TALK_SECONDS_MAX: Final = 7 * 86_400
RATIO_UNITS: Final = 10_000
"""A ratio is kept in so many parts of the whole: integers, which are the same everywhere."""
COUNT_MAX: Final = 2**31 - 1
QUOTAS_MAX: Final = 1_200
"""Months of quotas in one event: a century."""
ZONES_CACHED_MAX: Final = 1_024
OWN_PIPELINE: Final = "@"
"""Begins the names of pipelines that are ours: ``@leads``."""

USER_MARK: Final = "@"
"""A URL without it names no user."""

_USER_IN_URL: Final = re.compile(r"\A\s*([A-Za-z][A-Za-z0-9+.-]*:)?//[^/?#\\]*@")
_FRACTION_DIGITS: Final = 4
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_DECIMAL_TEXT: Final = re.compile(r"[+-]?[0-9]{1,40}(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
_MONTH: Final = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])", re.ASCII)

Number = int | float | Decimal


def shown(value: object) -> str:
    """What was written, for whoever wrote it: shortened, and with control characters escaped."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 80 else text[:77] + "…"  # noqa: PLR2004  (a line of a log)


def described(value: object) -> str:
    """What was sent, for the detail of a dead letter, without quoting it: what a publisher sends may be a secret."""
    if isinstance(value, str):
        return f"a text of {len(value)} characters"
    if isinstance(value, bool) or value is None:
        return "null" if value is None else str(value).lower()
    return "an object" if isinstance(value, dict) else "an array" if isinstance(value, list) else "a number"


def is_clean(text: str) -> bool:
    """Whether a text has neither control characters (Unicode's Cc) nor lone surrogates (Cs)."""
    return text.isprintable() or not any(unicodedata.category(character) in {"Cc", "Cs"} for character in text)


def identifier(value: object, name: str) -> str:
    """An id: 1–256 characters without control characters; a JSON integer is read as its decimal text."""
    if isinstance(value, int) and not isinstance(value, bool):
        if abs(value).bit_length() > 4 * ID_CHARS_MAX:
            raise RefusedError(Reason.BAD_ID, f"{name} is an integer of more than {ID_CHARS_MAX} digits")
        value = str(value)
    if not isinstance(value, str):
        raise RefusedError(Reason.WRONG_TYPE, f"{name} must be a string, got {described(value)}")
    if not 1 <= len(value) <= ID_CHARS_MAX or not is_clean(value):
        raise RefusedError(
            Reason.BAD_ID,
            f"{name} must have 1 to {ID_CHARS_MAX} characters and no control characters: {described(value)}",
        )
    return value


def text(value: object, name: str, chars_max: int = TEXT_CHARS_MAX) -> str:
    """A label or a sentence. Anything Unicode, up to ``chars_max`` characters."""
    if not isinstance(value, str):
        raise RefusedError(Reason.WRONG_TYPE, f"{name} must be a string, got {described(value)}")
    if len(value) > chars_max:
        raise RefusedError(Reason.TEXT_TOO_LONG, f"{name} has {len(value)} characters; at most {chars_max} are taken")
    if not value.isprintable() and any("\ud800" <= character <= "\udfff" for character in value):
        raise RefusedError(Reason.UNREADABLE_TEXT, f"{name} has a lone surrogate: {described(value)}")
    return value


def url(value: object, name: str) -> str:
    """A URL, without the user and password that may stand in it: it is shown to whoever sees the figures."""
    read = text(value, name, URL_CHARS_MAX)
    return _USER_IN_URL.sub(lambda found: f"{found[1] or ''}//", read) if USER_MARK in read else read


def pipeline(value: object, name: str) -> str:
    """The name of a pipeline: a text that does not begin with ``OWN_PIPELINE``, lest deals be counted as leads."""
    read = text(value, name)
    if read.startswith(OWN_PIPELINE):
        raise RefusedError(
            Reason.UNKNOWN_VALUE, f"{name} must not begin with {OWN_PIPELINE}, which marks our own: {described(value)}"
        )
    return read


def source(value: object) -> str:
    """The ``source`` attribute: not empty, no control characters."""
    if not isinstance(value, str):
        raise RefusedError(Reason.WRONG_TYPE, f"source must be a string, got {described(value)}")
    if not 1 <= len(value) <= SOURCE_CHARS_MAX or not is_clean(value):
        raise RefusedError(
            Reason.BAD_ID,
            f"source must have 1 to {SOURCE_CHARS_MAX} characters, no control characters: {described(value)}",
        )
    return value


def flag(value: object, name: str) -> bool:
    """A JSON boolean."""
    if not isinstance(value, bool):
        raise RefusedError(Reason.WRONG_TYPE, f"{name} must be true or false, got {described(value)}")
    return value


def choice(value: object, name: str, choices: tuple[str, ...]) -> str:
    """One of a closed list."""
    if not isinstance(value, str):
        raise RefusedError(Reason.WRONG_TYPE, f"{name} must be a string, got {described(value)}")
    if value not in choices:
        raise RefusedError(Reason.UNKNOWN_VALUE, f"{name} must be one of {', '.join(choices)}; got {described(value)}")
    return value


def micros(moment: datetime) -> int:
    """An aware datetime as µs since the epoch, exactly."""
    return (moment - _EPOCH) // _MICROSECOND


def moment_of(at: int) -> datetime:
    """The UTC datetime of µs since the epoch.

    Raises:
        OverflowError: The instant is outside the years 1 to 9999.
    """
    return _EPOCH + timedelta(microseconds=at)


def instant(value: object, name: str) -> int:
    """An RFC 3339 instant with an offset, in µs; digits beyond a microsecond are rounded."""
    if not isinstance(value, str):
        raise RefusedError(Reason.WRONG_TYPE, f"{name} must be an RFC 3339 string, got {described(value)}")
    try:
        moment = msgspec.convert(value, datetime)
    except (msgspec.ValidationError, UnicodeError):
        raise RefusedError(Reason.BAD_TIME, f"{name} is no RFC 3339 instant: {described(value)}") from None
    if moment.tzinfo is None:
        raise RefusedError(Reason.TIME_WITHOUT_OFFSET, f"{name} has no offset (Z or +hh:mm): {described(value)}")
    return micros(moment)


def number(value: object, name: str, least: int, most: int) -> Decimal:
    """A finite JSON number between two bounds."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise RefusedError(Reason.WRONG_TYPE, f"{name} must be a number, got {described(value)}")
    found = _finite(value, name)
    if not least <= found <= most:
        raise RefusedError(Reason.BAD_NUMBER, f"{name} must be between {least} and {most}, got {described(value)}")
    return found


def count(value: object, name: str) -> int:
    """A non-negative JSON integer."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise RefusedError(Reason.WRONG_TYPE, f"{name} must be an integer, got {described(value)}")
    return int(number(value, name, 0, COUNT_MAX))


def amount(value: object, name: str) -> int:
    """An amount, as a JSON number or a decimal text, in money units, exactly."""
    if isinstance(value, str):
        if not _DECIMAL_TEXT.fullmatch(value):
            raise RefusedError(Reason.BAD_AMOUNT, f"{name} is no decimal number: {described(value)}")
        value = Decimal(value)
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise RefusedError(Reason.WRONG_TYPE, f"{name} must be a number or a decimal string, got {described(value)}")
    return units_of(_finite(value, name), name)


def units_of(value: Decimal, name: str) -> int:
    """A finite decimal in money units, exactly."""
    if not value:
        return 0
    if not -_FRACTION_DIGITS - 40 <= value.adjusted() <= len(str(UNITS_MAX)):
        raise RefusedError(Reason.BAD_AMOUNT, f"{name} is out of range or has too many digits: {described(value)}")
    numerator, denominator = value.as_integer_ratio()
    units, rest = divmod(numerator * MONEY_UNITS, denominator)
    if rest:
        raise RefusedError(
            Reason.BAD_AMOUNT, f"{name} has more than {_FRACTION_DIGITS} fractional digits: {described(value)}"
        )
    if abs(units) > UNITS_MAX:
        raise RefusedError(Reason.BAD_AMOUNT, f"{name} is out of range: {described(value)}")
    return units


def currency(value: object, name: str) -> str:
    """An ISO 4217 code, or ``IRT``, in capitals."""
    if not isinstance(value, str):
        raise RefusedError(Reason.WRONG_TYPE, f"{name} must be a string, got {described(value)}")
    code = value.upper() if value.isascii() else value
    if code not in CURRENCIES and code != TOMAN:
        raise RefusedError(Reason.BAD_CURRENCY, f"{name} is not in ISO 4217: {described(value)}")
    return code


def money(units: int | None, code: str | None, name: str) -> tuple[int | None, str | None]:
    """Amount and currency with tomans turned into rials (1 ``IRT`` = 10 ``IRR``)."""
    if code != TOMAN:
        return units, code
    if units is not None and abs(units * 10) > UNITS_MAX:
        raise RefusedError(Reason.BAD_AMOUNT, f"{name} in rials is out of range")
    return None if units is None else units * 10, RIAL


def month(value: str) -> str:
    """A month of the organisation's calendar, ``YYYY-MM``."""
    if not _MONTH.fullmatch(value):
        raise RefusedError(Reason.BAD_MONTH, f"quotas must be keyed by YYYY-MM, got {described(value)}")
    return value


def zone(value: object, name: str) -> str:
    """A time zone of the IANA database."""
    known = text(value, name)
    if not zone_exists(known):
        raise RefusedError(Reason.BAD_ZONE, f"{name} is not in the IANA time zone database: {described(value)}")
    return known


@lru_cache(maxsize=ZONES_CACHED_MAX)
def zone_exists(key: str) -> bool:
    """Whether the IANA database has the zone. Its files are part of the language, like the currencies."""
    try:
        zoneinfo.ZoneInfo(key)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _finite(value: Number, name: str) -> Decimal:
    found = Decimal(value)
    if not found.is_finite() or (found.adjusted() > 300 and math.isinf(float(found))):  # noqa: PLR2004  (doubles end at 1.8e308)
        raise RefusedError(Reason.NOT_FINITE, f"{name} is not a finite number")
    return found
