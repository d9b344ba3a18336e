"""Values as CRMs have them: empty for nothing, eight decimals, dates that are no times. All raise `RefusedError`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Any, Final

from funnelwatch.schemas import fields
from funnelwatch.schemas.reasons import Reason, RefusedError
from funnelwatch.schemas.sources import reading
from funnelwatch.schemas.sources.contract import SourceOptions

PIPELINES: Final = "pipelines"
PIPELINES_HELP: Final = "names of pipelines as the configuration has them, each as 'VENDOR=OURS': ['1=Enterprise']"
ONE_CURRENCY: Final = "one_currency"
ONE_CURRENCY_HELP: Final = "true: this CRM has one currency (the source's) and never names it"
NO_DATES: Final = frozenset({"", "0000-00-00", "0000-00-00 00:00:00", "None", "null"})
"""What databases and PHP write for no date."""
YES: Final = frozenset({"1", "true", "yes", "on"})
NO: Final = frozenset({"0", "false", "no", "off"})

_QUANTUM: Final = Decimal("0.0001")
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,40}(?:\.[0-9]{1,40})?", re.ASCII)


def amount(value: object, name: str) -> str | None:
    """An amount as events have it, rounded half-even to their 4 fractional digits; None if there is none.

    CRMs keep 6 to 8 digits, most of them zeros; ``1/3`` of a price in another currency fills them.
    """
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = Decimal(value.strip())
    if isinstance(value, float):
        value = Decimal(str(value))
    if isinstance(value, Decimal) and value.is_finite():
        try:
            value = value.quantize(_QUANTUM, ROUND_HALF_EVEN).normalize()
        except InvalidOperation:
            raise RefusedError(Reason.BAD_AMOUNT, f"{name} is out of range: {fields.described(value)}") from None
    return reading.money(value, name)


def hundredths(value: object, name: str, parts: int = 100) -> str | None:
    """An amount that the vendor keeps in whole cents, or in another part of the unit."""
    found = reading.number(value, name)
    return None if found is None else amount(found / parts, name)


def currency(value: object, name: str, options: SourceOptions) -> str:
    """A currency's code; the source's own if there is none; empty if that has none either."""
    text = reading.text_of(value)
    return fields.currency(text, name) if text else options.currency


def changed_currency(value: object, name: str, options: SourceOptions) -> str:
    """The currency that came with a changed amount: none is no change, unless the source has only one, never named."""
    only = options.currency if options.option(ONE_CURRENCY) == "True" else ""
    text = reading.text_of(value)
    return fields.currency(text, name) if text else only


def instant(value: object, name: str, zone: str = "UTC", patterns: tuple[str, ...] = ()) -> int | None:
    """A time in µs; None if there is none."""
    if value is None or value is False or (isinstance(value, str) and value.strip() in NO_DATES):
        return None
    return reading.time_us(value, zone, name, patterns)


def needed(value: object, name: str, zone: str = "UTC") -> int:
    """A time without which nothing can be said.

    Raises:
        RefusedError: It is missing or no time.
    """
    found = instant(value, name, zone)
    if found is None:
        raise RefusedError(Reason.MISSING_ATTRIBUTE, f"{name} is missing: nobody can know when this was")
    return found


def identity(value: object, name: str) -> str:
    """A vendor's id as a text.

    Raises:
        RefusedError: It is missing.
    """
    text = reading.text_of(value)
    if not text:
        raise RefusedError(Reason.MISSING_ATTRIBUTE, f"{name} is missing: nobody can know of what this speaks")
    return fields.identifier(text, name)


def flag(value: object) -> bool | None:
    """A truth value as databases, PHP and JSON have it; None if it is none."""
    text = reading.text_of(value).lower()
    return True if text in YES else False if text in NO else None


def present(**members: Any) -> dict[str, Any]:
    """The members that are there: neither None nor empty."""
    return {name: value for name, value in members.items() if value is not None and value != ""}


def pipeline_of(vendor_pipeline: str, options: SourceOptions) -> str:
    """A pipeline as the organisation calls it."""
    given = options.options.get(PIPELINES, ())
    pairs = given if isinstance(given, tuple) else str(given).split(",")
    for pair in pairs:
        vendor, equals, ours = str(pair).partition("=")
        if equals and vendor.strip() == vendor_pipeline:
            return ours.strip()
    return vendor_pipeline


def person(options: SourceOptions, id_: object, address: object = None) -> tuple[str, ...]:
    """How a vendor's user may be known: by id, by address."""
    user = reading.text_of(id_)
    mail = reading.text_of(address)
    return tuple(one for one in (options.id_of(user) if user else "", mail if "@" in mail else "") if one)


def member(record: Mapping[str, Any], options: SourceOptions, ours: str, *vendors: str) -> Any:
    """What a record has for a member of ours: in the field that ``fields`` names, else in the first of its own."""
    chosen = options.fields.get(ours)
    if chosen is not None:
        return record.get(chosen)
    return next((record[name] for name in vendors if record.get(name) is not None), None)
