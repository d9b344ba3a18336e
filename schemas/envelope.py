"""How an event travels: the modes of the CloudEvents Kafka binding, and the depth of its JSON."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from enum import Enum
from typing import Any, Final, NoReturn

import msgspec

from funnelwatch.schemas import fields
from funnelwatch.schemas.reasons import Reason, RefusedError

Headers = Sequence[tuple[str, bytes]]

DEPTH_MAX: Final = 64
"""Levels of JSON arrays and objects in one event."""
INTEGER_DIGITS_MAX: Final = 4_000
"""Integers with more digits are kept as decimals: reading them as integers takes quadratic time."""

_CONTENT_TYPE: Final = "content-type"
_ATTRIBUTE_PREFIX: Final = "ce_"
_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[{]|[\]}]', re.DOTALL)
_JSON_MEDIA: Final = re.compile(r"(?:application|text)/(?:[^;\s]+\+)?json\s*(?:;.*)?", re.IGNORECASE)


class Mode(Enum):
    """How the attributes of an event and its data are laid out in a Kafka message."""

    STRUCTURED = "structured"
    BINARY = "binary"


def mode_of(headers: Headers) -> Mode:
    """The mode of a message. Without a CloudEvents content type and without ``ce_`` headers it is structured.

    Raises:
        RefusedError: It is in an event format other than JSON.
    """
    if not headers:
        return Mode.STRUCTURED
    media = ""
    binary = False
    for name, value in headers:
        lowered = name.lower()
        if lowered == _CONTENT_TYPE:
            media = _media(value)
        elif lowered.startswith(_ATTRIBUTE_PREFIX):
            binary = True
    if media in {"application/cloudevents+json", "application/cloudevents-batch+json", "application/cloudevents"}:
        return Mode.STRUCTURED
    if media.startswith("application/cloudevents"):
        raise RefusedError(Reason.WRONG_CONTENT_TYPE, f"events are read as JSON, not as {fields.described(media)}")
    return Mode.BINARY if binary else Mode.STRUCTURED


def binary_envelope(value: bytes | None, headers: Headers) -> dict[str, Any]:
    """The envelope of a message in binary mode: attributes from the headers, data from the value.

    Raises:
        RefusedError: A header is not UTF-8, or the value is not JSON.
    """
    envelope: dict[str, Any] = {}
    for name, content in headers:
        lowered = name.lower()
        if lowered == _CONTENT_TYPE:
            check_data_type(_media(content))
        elif lowered.startswith(_ATTRIBUTE_PREFIX):
            envelope[lowered.removeprefix(_ATTRIBUTE_PREFIX)] = _header_text(lowered, content)
    envelope["data"] = json_value(value) if value else None
    return envelope


def structured_envelope(value: bytes) -> dict[str, Any]:
    """The envelope of one event in structured mode, with ``data_base64`` opened.

    Raises:
        RefusedError: It is not a JSON object, or its data is neither JSON nor base64 of JSON.
    """
    envelope = json_value(value)
    if not isinstance(envelope, dict):
        raise RefusedError(Reason.WRONG_TYPE, f"an event must be a JSON object, got {fields.described(envelope)}")
    return opened(envelope)


def opened(envelope: dict[str, Any]) -> dict[str, Any]:
    """An envelope with ``data_base64`` read into ``data``.

    Raises:
        RefusedError: Its data is neither JSON nor base64 of JSON.
    """
    packed = envelope.get("data_base64")
    if packed is None:
        return envelope
    if envelope.get("data") is not None:
        raise RefusedError(Reason.WRONG_TYPE, "an event has either data or data_base64, not both")
    if isinstance(envelope.get("datacontenttype"), str):
        check_data_type(envelope["datacontenttype"])
    return envelope | {"data": json_value(_unpacked(packed))}


def json_value(value: bytes, pairs: Callable[[list[tuple[str, Any]]], Any] | None = None) -> Any:
    """A JSON document with numbers kept as they were written. Of members with the same name the last stands.

    Args:
        value: The document.
        pairs: What makes an object of its members, where the last shall not stand.

    Raises:
        RefusedError: It is not JSON, not UTF-8, nested too deep, or has a number that is not finite.
    """
    check_depth(value)
    try:
        return json.loads(
            value.decode("utf-8"),
            parse_float=_decimal,
            parse_int=_integer,
            parse_constant=_refuse_constant,
            object_pairs_hook=pairs,
        )
    except UnicodeDecodeError as error:
        raise RefusedError(Reason.UNREADABLE_JSON, f"not UTF-8 at byte {error.start}") from None
    except RecursionError:
        raise RefusedError(Reason.NESTED_TOO_DEEP, "nested too deep to be read") from None
    except ValueError as error:
        raise RefusedError(Reason.UNREADABLE_JSON, f"not JSON: {error}") from None


def check_depth(value: bytes) -> None:
    """Hold a document to ``DEPTH_MAX``; most need no look at their structure, since they have too few brackets.

    Raises:
        RefusedError: It is nested deeper.
    """
    if value.count(b"{") + value.count(b"[") <= DEPTH_MAX:
        return
    depth = 0
    for token in _TOKEN.finditer(value.decode("latin-1")):
        bracket = token.group()
        if bracket in "[{":
            depth += 1
        elif bracket in "]}":
            depth -= 1
        if depth > DEPTH_MAX:
            raise RefusedError(Reason.NESTED_TOO_DEEP, f"nested deeper than {DEPTH_MAX} levels")


def split_batch(value: bytes, events_max: int) -> list[bytes]:
    """The events of a JSON array, each as its own bytes.

    Raises:
        RefusedError: It is not a JSON array, or it is too long.
    """
    try:
        events = _decode_batch(value)
    except RecursionError:
        raise RefusedError(Reason.NESTED_TOO_DEEP, f"nested deeper than {DEPTH_MAX} levels") from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise RefusedError(Reason.UNREADABLE_JSON, f"not JSON: {error}") from None
    if len(events) > events_max:
        raise RefusedError(Reason.TOO_MANY_EVENTS, f"{len(events)} events in one message; at most {events_max}")
    return [bytes(event) for event in events]


_decode_batch = msgspec.json.Decoder(list[msgspec.Raw]).decode


def _media(content: bytes) -> str:
    return content.decode("latin-1").partition(";")[0].strip().lower()


def check_data_type(media: str) -> None:
    """Demand JSON of a content type.

    Raises:
        RefusedError: It is something else.
    """
    if not _JSON_MEDIA.fullmatch(media.strip()):
        raise RefusedError(Reason.WRONG_CONTENT_TYPE, f"data is read as JSON, not as {fields.described(media)}")


def _header_text(name: str, content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise RefusedError(Reason.UNREADABLE_TEXT, f"the header {name} is not UTF-8") from None


def _unpacked(packed: object) -> bytes:
    if not isinstance(packed, str):
        raise RefusedError(Reason.WRONG_TYPE, f"data_base64 must be a string, got {fields.described(packed)}")
    try:
        return base64.b64decode(packed, validate=True)
    except (binascii.Error, ValueError):
        raise RefusedError(Reason.WRONG_TYPE, "data_base64 is not base64") from None


def _integer(digits: str) -> int | Decimal:
    return int(digits) if len(digits) <= INTEGER_DIGITS_MAX else Decimal(digits)


def _decimal(digits: str) -> Decimal:
    try:
        return Decimal(digits)
    except ArithmeticError:
        raise RefusedError(Reason.NOT_FINITE, "a number has an exponent that is out of range") from None


def _refuse_constant(name: str) -> NoReturn:
    raise RefusedError(Reason.NOT_FINITE, f"{name} is not a finite number")
