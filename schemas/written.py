"""Values as people and spreadsheets write them: times in many formats, money with symbols, truth in words."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import jdatetime

from funnelwatch.schemas import fields
from funnelwatch.schemas.encode import time_text
from funnelwatch.schemas.mapping import JALALI, Money
from funnelwatch.schemas.reasons import Reason, RefusedError

_DIGITS: Final = str.maketrans("۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩٫٬", "01234567890123456789.,")
_WORDS: Final = {"yes": True, "true": True, "1": True, "y": True, "no": False, "false": False, "0": False, "n": False}


class Times:
    """Reads texts as instants by several formats. A text that two formats read differently is refused."""

    def __init__(self, formats: Sequence[str], zone: ZoneInfo) -> None:
        self._formats = formats
        self._readers = [_reader(pattern) for pattern in formats]
        self._zone = zone

    def instant(self, text: str) -> str:
        """The instant of a text, as RFC 3339. Without a time of day it is 00:00, without an offset in the zone.

        Raises:
            RefusedError: No format reads it, or two read it differently.
        """
        found = {self._micros(reader, text.translate(_DIGITS)) for reader in self._readers} - {None}
        if not found:
            tried = ", ".join(self._formats)
            raise RefusedError(Reason.BAD_TIME, f"{fields.shown(text)} is no time in any of the formats {tried}")
        if len(found) > 1:
            raise RefusedError(
                Reason.BAD_TIME, f"{fields.shown(text)} can be read in two ways; name one format for this file"
            )
        return time_text(found.pop() or 0)

    def _micros(self, reader: Callable[[str], datetime], text: str) -> int | None:
        try:
            moment = reader(text)
            at = fields.micros(moment if moment.tzinfo else moment.replace(tzinfo=self._zone))
            fields.moment_of(at)  # a local time at the edge of the calendar may be beyond it in UTC
        except (ValueError, OverflowError):
            return None
        return at


def western(text: str) -> str:
    """A text with Persian and Arabic digits, decimal signs and groups as Western ones."""
    return text.translate(_DIGITS)


def amount(text: str, money: Money) -> str:
    """A written amount as a decimal text: ``$22,700.00`` is ``22700.00``, ``(5)`` is ``-5``."""
    bare = text.translate(_DIGITS).strip()
    if bare.startswith("(") and bare.endswith(")"):
        bare = f"-{bare[1:-1]}"
    for symbol in money.symbols:
        bare = bare.replace(symbol, "")
    return plain(bare, money)


def plain(text: str, money: Money) -> str:
    """A written number with a decimal point and no grouping.

    Raises:
        RefusedError: Groups that are no thousands (``1,5``): the decimal sign is probably another one.
    """
    bare = re.sub(r"[\s\u00a0\u202f]", "", text.translate(_DIGITS)).replace("\u2212", "-")
    whole, point, fraction = bare.partition(money.decimal)
    if money.group and money.group in whole:
        first, *groups = whole.lstrip("+-").split(money.group)
        if not 1 <= len(first) <= 3 or any(len(group) != 3 for group in groups):  # noqa: PLR2004  (thousands)
            raise RefusedError(Reason.BAD_AMOUNT, f"{fields.shown(text)} is not grouped by thousands")
        whole = whole.replace(money.group, "")
    return whole + ("." if point else "") + fraction


def number(text: str, money: Money) -> int | float:
    """A written number as JSON has it.

    Raises:
        RefusedError: It is none.
    """
    bare = plain(text, money)
    try:
        return int(bare) if bare.lstrip("+-").isdecimal() else float(bare)
    except ValueError:
        raise RefusedError(Reason.BAD_NUMBER, f"{fields.shown(text)} is no number") from None


def flag(text: str) -> bool:
    """A written truth value: yes or no, true or false, 1 or 0.

    Raises:
        RefusedError: It is none.
    """
    known = _WORDS.get(text.lower())
    if known is None:
        raise RefusedError(Reason.WRONG_TYPE, f"{fields.shown(text)} is neither yes nor no")
    return known


def _reader(pattern: str) -> Callable[[str], datetime]:
    if pattern == "iso":
        return datetime.fromisoformat
    if pattern in {"unix", "unix_ms"}:
        unit = 1_000_000 if pattern == "unix" else 1_000
        return lambda text: fields.moment_of(int(text) * unit)
    if pattern.startswith(JALALI):
        return lambda text: _jalali(text, pattern.removeprefix(JALALI))
    return lambda text: datetime.strptime(text, pattern)  # noqa: DTZ007  (the zone is put in where it is known)


def _jalali(text: str, pattern: str) -> datetime:
    moment: datetime = jdatetime.datetime.strptime(text, pattern).togregorian()
    return moment
