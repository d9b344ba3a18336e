"""The definition of how an event is read: one attribute and one member at a time, so that a refusal names the culprit.

``schemas.hot`` reads the same language several times faster and hands whatever it cannot take to this module.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_EVEN
from typing import Any, Final

from funnelwatch.schemas import fields
from funnelwatch.schemas.events import (
    TOPICS,
    TYPES,
    Benchmarks,
    CallData,
    Data,
    DealData,
    EmailData,
    Event,
    Kind,
    LeadData,
    Quota,
    RepData,
)
from funnelwatch.schemas.reasons import Reason, RefusedError

DIRECTIONS: Final = ("outbound", "inbound")
OUTCOMES: Final = ("connected", "voicemail", "voicemail_drop", "no_answer", "busy", "failed")
SPECVERSION: Final = "1.0"
ATTRIBUTES: Final = ("specversion", "id", "source", "type", "subject", "time")
"""Required context attributes, in the order in which their absence is reported."""

KIND_OF_TYPE: Final = {name: kind for kind, names in TYPES.items() for name in names}

Members = Mapping[str, Any]
Reader = Callable[[Any, str], Any]


def read_event(kind: Kind, envelope: Members) -> Event:
    """The event of an envelope (CloudEvents attributes and ``data``, as JSON values).

    Raises:
        RefusedError: It cannot be taken; the error says why.
    """
    for name in ATTRIBUTES:
        if envelope.get(name) is None:
            raise RefusedError(Reason.MISSING_ATTRIBUTE, f"the attribute {name} is missing")
    if envelope["specversion"] != SPECVERSION:
        found = fields.described(envelope["specversion"])
        raise RefusedError(Reason.WRONG_SPECVERSION, f'specversion must be "{SPECVERSION}", got {found}')
    type_ = _type(kind, envelope["type"])
    return Event(
        kind=kind,
        type=type_,
        id=fields.identifier(envelope["id"], "id"),
        source=fields.source(envelope["source"]),
        subject=fields.identifier(envelope["subject"], "subject"),
        at=fields.instant(envelope["time"], "time"),
        data=read_data(kind, envelope.get("data")),
    )


def read_data(kind: Kind, data: object) -> Data:
    """The data of an event; None is an event that says nothing but its type.

    Raises:
        RefusedError: A member cannot be taken.
    """
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise RefusedError(Reason.WRONG_TYPE, f"data must be an object, got {fields.described(data)}")
    return _READERS[kind](data)


def _type(kind: Kind, value: object) -> str:
    if not isinstance(value, str):
        raise RefusedError(Reason.WRONG_TYPE, f"type must be a string, got {fields.described(value)}")
    found = KIND_OF_TYPE.get(value)
    if found is None:
        raise RefusedError(
            Reason.UNKNOWN_TYPE, f"unknown type {fields.described(value)}; on this topic: {_known(kind)}"
        )
    if found is not kind:
        raise RefusedError(Reason.WRONG_TOPIC, f"{value} belongs on {TOPICS[found]}, not on {TOPICS[kind]}")
    return value


def _known(kind: Kind) -> str:
    return ", ".join(TYPES[kind])


def _read(data: Members, readers: Mapping[str, Reader], path: str = "data") -> dict[str, Any]:
    return {
        name: reader(data[name], f"{path}.{name}") for name, reader in readers.items() if data.get(name) is not None
    }


def _direction(value: object, name: str) -> str:
    return fields.choice(value, name, DIRECTIONS)


def _outcome(value: object, name: str) -> str:
    return fields.choice(value, name, OUTCOMES)


def talk_ms(value: object, name: str) -> int:
    """Talk time in seconds as whole milliseconds, halves to the even one."""
    seconds = fields.number(value, name, 0, fields.TALK_SECONDS_MAX)
    return int((seconds * 1_000).to_integral_value(ROUND_HALF_EVEN))


def talk_ratio(value: object, name: str) -> int:
    """The rep's share of the talking, 0 to 1, in 1/10,000, halves to the even one."""
    share = fields.number(value, name, 0, 1)
    return int((share * fields.RATIO_UNITS).to_integral_value(ROUND_HALF_EVEN))


def _benchmark(value: object, name: str) -> float:
    return float(fields.number(value, name, 0, fields.COUNT_MAX))


def _benchmarks(value: object, name: str) -> Benchmarks:
    if not isinstance(value, dict):
        raise RefusedError(Reason.WRONG_TYPE, f"{name} must be an object, got {fields.described(value)}")
    return Benchmarks(**_read(value, {"outreach_per_day": _benchmark, "conversion_rate": _benchmark}, name))


def _quotas(value: object, name: str) -> dict[str, Quota]:
    if not isinstance(value, dict):
        raise RefusedError(Reason.WRONG_TYPE, f"{name} must be an object, got {fields.described(value)}")
    if len(value) > fields.QUOTAS_MAX:
        raise RefusedError(Reason.BAD_NUMBER, f"{name} has {len(value)} months; at most {fields.QUOTAS_MAX} are taken")
    return {
        fields.month(month): _quota(quota, f"{name}.{month}") for month, quota in value.items() if quota is not None
    }


def _quota(value: object, name: str) -> Quota:
    if not isinstance(value, dict):
        raise RefusedError(Reason.WRONG_TYPE, f"{name} must be an object, got {fields.described(value)}")
    found = _read(value, {"amount": fields.amount, "currency": fields.currency, "count": fields.count}, name)
    amount, currency = fields.money(found.get("amount"), found.get("currency"), name)
    return Quota(amount=amount, currency=currency, count=found.get("count"))


_LEAD: Final[dict[str, Reader]] = {
    "rep_id": fields.identifier,
    "channel": fields.text,
    "campaign": fields.text,
    "deal_id": fields.identifier,
    "reason": fields.text,
}
_DEAL: Final[dict[str, Reader]] = {
    "rep_id": fields.identifier,
    "pipeline": fields.pipeline,
    "stage": fields.text,
    "amount": fields.amount,
    "currency": fields.currency,
    "expected_close": fields.text,
    "lead_id": fields.identifier,
    "customer": fields.text,
    "lost_reason": fields.text,
    "snooze_until": fields.instant,
    "snooze_reason": fields.text,
}
_CALL: Final[dict[str, Reader]] = {
    "rep_id": fields.identifier,
    "direction": _direction,
    "outcome": _outcome,
    "started_at": fields.instant,
    "talk_seconds": talk_ms,
    "cold": fields.flag,
    "recording_url": fields.url,
    "lead_id": fields.identifier,
    "deal_id": fields.identifier,
    "talk_ratio": talk_ratio,
}
_EMAIL: Final[dict[str, Reader]] = {
    "rep_id": fields.identifier,
    "cold": fields.flag,
    "template": fields.text,
    "lead_id": fields.identifier,
    "deal_id": fields.identifier,
}
_REP: Final[dict[str, Reader]] = {
    "name": fields.text,
    "team": fields.text,
    "manager": fields.text,
    "active": fields.flag,
    "timezone": fields.zone,
    "quotas": _quotas,
    "benchmarks": _benchmarks,
}


def _deal(data: Members) -> DealData:
    found = _read(data, _DEAL)
    amount, currency = fields.money(found.pop("amount", None), found.pop("currency", None), "data.amount")
    return DealData(amount=amount, currency=currency, **found)


def _call(data: Members) -> CallData:
    found = _read(data, _CALL)
    return CallData(talk_ms=found.pop("talk_seconds", None), **found)


MEMBERS: Final[dict[Kind, Mapping[str, Reader]]] = {
    Kind.LEAD: _LEAD,
    Kind.DEAL: _DEAL,
    Kind.CALL: _CALL,
    Kind.EMAIL: _EMAIL,
    Kind.REP: _REP,
}
"""The members of each kind's data, as they are named on the wire, with what reads them."""

_READERS: Final[dict[Kind, Callable[[Members], Data]]] = {
    Kind.LEAD: lambda data: LeadData(**_read(data, _LEAD)),
    Kind.DEAL: _deal,
    Kind.CALL: _call,
    Kind.EMAIL: lambda data: EmailData(**_read(data, _EMAIL)),
    Kind.REP: lambda data: RepData(**_read(data, _REP)),
}
