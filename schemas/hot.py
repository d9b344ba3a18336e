"""The fast way of reading one structured event: one typed msgspec decode, then what msgspec cannot express.

Returns None for whatever it does not take as it is; `schemas.careful` then takes it or finds the reason. Both agree on
everything that this module takes (a property test).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from funnelwatch.schemas import fields
from funnelwatch.schemas.currencies import CURRENCIES
from funnelwatch.schemas.events import CallData, Data, DealData, EmailData, Event, Kind, LeadData
from funnelwatch.schemas.settings import MONEY_UNITS

Id = Annotated[str, Meta(min_length=1, max_length=fields.ID_CHARS_MAX)]
Text = Annotated[str, Meta(max_length=fields.TEXT_CHARS_MAX)]
Instant = Annotated[datetime, Meta(tz=True)]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_SECONDS: Final = 86_400
_SECOND_US: Final = 1_000_000
_EASY_DIGITS_MAX: Final = 13
"""Amounts with so many digits before the point are surely in range."""
_FRACTION_DIGITS: Final = 4
_SECOND_MS: Final = 1_000


_ABSENT: Final = msgspec.Raw(b"null")


class _Lead(msgspec.Struct, gc=False):
    rep_id: Id | None = None
    channel: Text | None = None
    campaign: Text | None = None
    deal_id: Id | None = None
    reason: Text | None = None


class _Deal(msgspec.Struct, gc=False):
    rep_id: Id | None = None
    pipeline: Text | None = None
    stage: Text | None = None
    amount: msgspec.Raw = _ABSENT
    currency: str | None = None
    expected_close: Text | None = None
    lead_id: Id | None = None
    customer: Text | None = None
    lost_reason: Text | None = None
    snooze_until: Instant | None = None
    snooze_reason: Text | None = None


class _Call(msgspec.Struct, gc=False):
    rep_id: Id | None = None
    direction: Literal["outbound", "inbound"] | None = None
    outcome: Literal["connected", "voicemail", "voicemail_drop", "no_answer", "busy", "failed"] | None = None
    started_at: Instant | None = None
    talk_seconds: Annotated[int, Meta(ge=0, le=fields.TALK_SECONDS_MAX)] | None = None
    cold: bool | None = None
    recording_url: Annotated[str, Meta(max_length=fields.URL_CHARS_MAX)] | None = None
    lead_id: Id | None = None
    deal_id: Id | None = None
    talk_ratio: None = None
    """Told by systems that listen to calls, which tell of few: `schemas.careful` reads it."""


class _Email(msgspec.Struct, gc=False):
    rep_id: Id | None = None
    cold: bool | None = None
    template: Text | None = None
    lead_id: Id | None = None
    deal_id: Id | None = None


class _Envelope(msgspec.Struct, gc=False):
    specversion: Literal["1.0"]
    id: Id
    source: Annotated[str, Meta(min_length=1, max_length=fields.SOURCE_CHARS_MAX)]
    subject: Id
    time: Instant
    data_base64: str | None = None


class _LeadEvent(_Envelope, kw_only=True, gc=False):
    type: Literal[
        "lead.created",
        "lead.assigned",
        "lead.qualified",
        "lead.accepted",
        "lead.converted",
        "lead.disqualified",
        "lead.deleted",
    ]
    data: _Lead | None = None


class _DealEvent(_Envelope, kw_only=True, gc=False):
    type: Literal[
        "deal.created",
        "deal.updated",
        "deal.assigned",
        "deal.stage_changed",
        "deal.won",
        "deal.lost",
        "deal.reopened",
        "deal.deleted",
    ]
    data: _Deal | None = None


class _CallEvent(_Envelope, kw_only=True, gc=False):
    type: Literal["call.completed", "call.recorded", "call.deleted"]
    data: _Call | None = None


class _EmailEvent(_Envelope, kw_only=True, gc=False):
    type: Literal["email.sent", "email.replied", "email.deleted"]
    data: _Email | None = None


class _NotEasyError(Exception):
    """The event has a value that only `schemas.careful` reads."""


def _micros(moment: datetime) -> int:
    past = moment - _EPOCH
    return (past.days * _DAY_SECONDS + past.seconds) * _SECOND_US + past.microseconds


def _units(raw: bytes | msgspec.Raw) -> int | None:
    """The units of an easy amount.

    Raises:
        _NotEasyError: `schemas.careful` has to look at it.
    """
    amount = bytes(raw)
    if amount == b"null":
        return None
    whole, point, fraction = amount.strip(b'"').partition(b".")
    if not whole.isdigit() or len(whole) > _EASY_DIGITS_MAX:
        raise _NotEasyError
    if not point:
        return int(whole) * MONEY_UNITS
    if not fraction.isdigit() or len(fraction) > _FRACTION_DIGITS:
        raise _NotEasyError
    return int(whole + fraction.ljust(_FRACTION_DIGITS, b"0"))


def _lead(data: _Lead) -> LeadData:
    return LeadData(data.rep_id, data.channel, data.campaign, data.deal_id, data.reason)


def _deal(data: _Deal) -> DealData:
    currency, snooze, amount = data.currency, data.snooze_until, data.amount
    if currency is not None and currency not in CURRENCIES:
        raise _NotEasyError
    if data.pipeline is not None and data.pipeline.startswith(fields.OWN_PIPELINE):
        raise _NotEasyError
    return DealData(
        data.rep_id,
        data.pipeline,
        data.stage,
        None if amount is _ABSENT else _units(amount),
        currency,
        data.expected_close,
        data.lead_id,
        data.customer,
        data.lost_reason,
        None if snooze is None else _micros(snooze),
        data.snooze_reason,
    )


def _call(data: _Call) -> CallData:
    talk, started = data.talk_seconds, data.started_at
    if data.recording_url is not None and fields.USER_MARK in data.recording_url:
        raise _NotEasyError
    return CallData(
        data.rep_id,
        data.direction,
        data.outcome,
        None if started is None else _micros(started),
        None if talk is None else talk * _SECOND_MS,
        data.cold,
        data.recording_url,
        data.lead_id,
        data.deal_id,
    )


def _email(data: _Email) -> EmailData:
    return EmailData(data.rep_id, data.cold, data.template, data.lead_id, data.deal_id)


_READERS: Final[dict[Kind, tuple[Callable[[bytes], Any], Callable[[Any], Data], Data]]] = {
    Kind.LEAD: (msgspec.json.Decoder(_LeadEvent).decode, _lead, LeadData()),
    Kind.DEAL: (msgspec.json.Decoder(_DealEvent).decode, _deal, DealData()),
    Kind.CALL: (msgspec.json.Decoder(_CallEvent).decode, _call, CallData()),
    Kind.EMAIL: (msgspec.json.Decoder(_EmailEvent).decode, _email, EmailData()),
}
"""Decoder of the envelope, reader of its data, and the data that says nothing. Events of reps are rare and rich."""


def _is_plain(value: bytes) -> bool:
    """Whether no text in the document can have a character that is not printable: JSON escapes those, but for DEL."""
    return value.isascii() and b"\\" not in value and b"\x7f" not in value


def _ids(wire: Any) -> str:
    """Every text of the event in which only printable characters are easy."""
    data = wire.data
    members = [getattr(data, name, None) for name in ("rep_id", "lead_id", "deal_id")]
    return "".join([wire.id, wire.source, wire.subject, *(member for member in members if member is not None)])


def read_event(kind: Kind, value: bytes) -> Event | None:
    """The event in ``value``, or None if it is not an easy one."""
    readers = _READERS.get(kind)
    if readers is None:
        return None
    decode, read_data, nothing = readers
    try:
        wire = decode(value)
        data = nothing if wire.data is None else read_data(wire.data)
    except (msgspec.MsgspecError, _NotEasyError, UnicodeError, RecursionError, ValueError, OverflowError):
        return None
    if wire.data_base64 is not None or not (_is_plain(value) or _ids(wire).isprintable()):
        return None
    return Event(kind, wire.type, wire.id, wire.source, wire.subject, _micros(wire.time), data)
