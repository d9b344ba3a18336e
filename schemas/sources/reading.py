"""How vendors write things: JSON, forms, JWTs, times with and without offsets, money. Raises `RefusedError` only."""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any, Final
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

from funnelwatch.schemas import envelope, fields, written
from funnelwatch.schemas.encode import time_text
from funnelwatch.schemas.mapping import Money
from funnelwatch.schemas.reasons import Reason, RefusedError

FORM_FIELDS_MAX: Final = 1_000
EPOCH_DIGITS_MAX: Final = 20
TIME_CHARS_MAX: Final = 64

_SECOND_US: Final = 1_000_000
_MS_US: Final = 1_000
_PLAIN_DIGITS_MAX: Final = 40
_MONEY: Final = Money()
_DIGITS: Final = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?", re.ASCII)
_ISO: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


def json_body(body: bytes, *, repeated_members: bool = False) -> Any:
    """A JSON document, its fractions as `Decimal`.

    Args:
        body: UTF-8, a byte order mark is skipped.
        repeated_members: Take objects that have two members of one name (the last stands). Receivers that differ in
            which one they take are how checks are got round, so webhooks refuse them.

    Raises:
        RefusedError: It is not JSON, too deep, has a number that is not finite, or a member twice.
    """
    if not body:
        raise RefusedError(Reason.EMPTY, "the body is empty")
    body = body.removeprefix(b"\xef\xbb\xbf")
    if repeated_members:
        return envelope.json_value(body)
    return envelope.json_value(body, pairs=_members)


def json_object(body: bytes) -> dict[str, Any]:
    """A JSON document that must be an object.

    Raises:
        RefusedError: As `json_body`, or it is something else.
    """
    return mapping(json_body(body), "the body")


def mapping(value: object, name: str) -> dict[str, Any]:
    """A JSON value that must be an object.

    Raises:
        RefusedError: It is something else.
    """
    if not isinstance(value, dict):
        raise RefusedError(Reason.WRONG_TYPE, f"{name} must be an object, got {fields.shown(value)}")
    return value


def sequence(value: object, name: str, length_max: int = 10_000) -> list[Any]:
    """A JSON value that must be an array.

    Raises:
        RefusedError: It is something else, or too long.
    """
    if not isinstance(value, list):
        raise RefusedError(Reason.WRONG_TYPE, f"{name} must be an array, got {fields.shown(value)}")
    if len(value) > length_max:
        raise RefusedError(Reason.TOO_MANY_EVENTS, f"{name} has {len(value)} elements; at most {length_max} are taken")
    return value


def form_body(body: bytes) -> dict[str, list[str]]:
    """Form fields (``application/x-www-form-urlencoded``), each with all its values in their order.

    Raises:
        RefusedError: It is not UTF-8, or has too many fields.
    """
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=FORM_FIELDS_MAX)
    except UnicodeDecodeError:
        raise RefusedError(Reason.UNREADABLE_TEXT, "the form is not UTF-8") from None
    except ValueError:
        raise RefusedError(Reason.TOO_MANY_EVENTS, f"the form has more than {FORM_FIELDS_MAX} fields") from None
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def jwt_parts(token: str) -> tuple[dict[str, Any], dict[str, Any], bytes, bytes]:
    """Header, claims, signed text and signature of a JWT. Nothing is verified: see `proofs`.

    Raises:
        RefusedError: It is none.
    """
    head, _, rest = token.strip().partition(".")
    middle, _, tail = rest.partition(".")
    if not head or not middle or not tail or "." in tail:
        raise RefusedError(Reason.UNREADABLE_TEXT, "this is no JWT")
    header, claims = (mapping(json_body(_base64url(part)), "a part of the JWT") for part in (head, middle))
    return header, claims, f"{head}.{middle}".encode(), _base64url(tail)


def text_of(value: object) -> str:
    """A JSON scalar as a text, blanks trimmed; empty for null, arrays and objects. A whole number has no ``.0``."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return fields.identifier(value, "a number")
    if isinstance(value, Decimal | float):
        exact = Decimal(value)
        return f"{exact:f}" if exact.is_finite() and abs(exact.adjusted()) < _PLAIN_DIGITS_MAX else str(value)
    return ""


def time_us(value: object, zone: str, name: str, patterns: Sequence[str] = ()) -> int:
    """The instant of a text, in µs: ISO 8601 in any dress, RFC 2822, or one of ``strptime``'s ``patterns``.

    A text without an offset is a local time of ``zone``; where clocks are put back it is the earlier of the two.
    Numbers are not taken: use `epoch_seconds` or `epoch_ms`, since only the vendor's documentation knows which.

    Args:
        value: The vendor's value.
        zone: An IANA zone that exists.
        name: What it is, for the error.
        patterns: Tried first, in their order.

    Raises:
        RefusedError: Nothing reads it.
    """
    if not isinstance(value, str):
        raise RefusedError(Reason.WRONG_TYPE, f"{name} must be a text with a time, got {fields.shown(value)}")
    text = written.western(value.strip())
    if len(text) <= TIME_CHARS_MAX:
        for read in (*(_pattern(pattern) for pattern in patterns), _iso, _rfc2822):
            try:
                moment = read(text)
                return fields.micros(moment if moment.tzinfo else moment.replace(tzinfo=_zone(zone)))
            except (ValueError, OverflowError, TypeError, IndexError):
                continue
    raise RefusedError(Reason.BAD_TIME, f"{name} is no time: {fields.shown(value)}")


def epoch_seconds(value: object, name: str) -> int:
    """Seconds since 1970 UTC (a JSON number or its text), in µs.

    Raises:
        RefusedError: It is no number, or outside the years 1 to 9999.
    """
    return _epoch(value, name, _SECOND_US)


def epoch_ms(value: object, name: str) -> int:
    """Milliseconds since 1970 UTC (a JSON number or its text), in µs.

    Raises:
        RefusedError: It is no number, or outside the years 1 to 9999.
    """
    return _epoch(value, name, _MS_US)


def money(value: object, name: str, style: Money = _MONEY) -> str | None:
    """An amount as the decimal text that events have; None if there is none (null, empty).

    Args:
        value: A JSON number or a text, with symbols and groups as ``style`` says.
        name: What it is, for the error.
        style: How the vendor writes amounts.

    Raises:
        RefusedError: It is no amount, or has more digits than an event takes.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, str):
        value = written.amount(value, style)
    fields.amount(value, name)
    return f"{Decimal(value):f}" if isinstance(value, float | Decimal) else str(value)


def number(value: object, name: str) -> Decimal | None:
    """A number, also in a text; None if there is none (null, empty).

    Raises:
        RefusedError: It is none.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise RefusedError(Reason.WRONG_TYPE, f"{name} must be a number, got {fields.shown(value)}")
    if isinstance(value, str):
        if len(value) > TIME_CHARS_MAX or not _DIGITS.fullmatch(value.strip()):
            raise RefusedError(Reason.BAD_NUMBER, f"{name} is no number: {fields.shown(value)}")
        return Decimal(value.strip())
    return fields.number(value, name, -(10**18), 10**18)


def seconds(value: object, name: str) -> float | None:
    """A talk time in seconds as events have it; None if there is none (null, empty).

    Raises:
        RefusedError: It is no number, negative, or longer than a week.
    """
    found = number(value, name)
    return None if found is None else float(fields.number(found, name, 0, fields.TALK_SECONDS_MAX))


def instant_text(at: int) -> str:
    """µs since the epoch as events have times in their data.

    Raises:
        RefusedError: It is outside the years 1 to 9999.
    """
    try:
        return time_text(at)
    except OverflowError:
        raise RefusedError(Reason.BAD_TIME, f"{at} µs is outside the years 1 to 9999") from None


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = fields.shown(counts.most_common(1)[0][0])
        raise RefusedError(Reason.REPEATED_MEMBER, f"an object has the member {twice} more than once")
    return found


def _base64url(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise RefusedError(Reason.UNREADABLE_TEXT, "a part of the JWT is not base64url") from None


def _epoch(value: object, name: str, unit: int) -> int:
    found = number(value, name)
    if found is None or abs(found) >= 10**EPOCH_DIGITS_MAX:
        raise RefusedError(Reason.BAD_TIME, f"{name} is no time: {fields.shown(value)}")
    at = int(found * unit)
    instant_text(at)
    return at


def _pattern(pattern: str) -> Callable[[str], datetime]:
    return lambda text: datetime.strptime(text, pattern)  # noqa: DTZ007  (the zone is put in where it is known)


def _iso(text: str) -> datetime:
    if not _ISO.match(text):
        raise ValueError(text)
    return datetime.fromisoformat(text)


def _rfc2822(text: str) -> datetime:
    return parsedate_to_datetime(text)


@lru_cache(maxsize=fields.ZONES_CACHED_MAX)
def _zone(key: str) -> ZoneInfo:
    return ZoneInfo(key)
