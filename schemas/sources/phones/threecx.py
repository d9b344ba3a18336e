"""3CX: the call report of a CRM template (``ReportCall``), posted as JSON. The template is in the documentation.

3CX has no webhooks of its own; this is what its CRM integration does after each call, one report for each agent. The
variables a template can send have no id of the call, so it is made of agent, number and start.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any, Final

from funnelwatch.schemas.reasons import Reason, RefusedError
from funnelwatch.schemas.sources import proofs, reading
from funnelwatch.schemas.sources.contract import Delivery, Passed, Result, SourceOptions, System
from funnelwatch.schemas.sources.phones import calls
from funnelwatch.schemas.sources.phones.calls import Call

KINDS: Final = {
    "inbound": ("inbound", "connected"),
    "outbound": ("outbound", "connected"),
    "missed": ("inbound", "no_answer"),
    "notanswered": ("outbound", "no_answer"),
}
"""``CallType``: direction and outcome."""
_DURATION: Final = re.compile(r"(?:(\d{1,2})\.)?(\d{1,2}):(\d{2}):(\d{2})(?:[.,]\d+)?", re.ASCII)
_PATTERNS: Final = ("%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %H:%M:%S", "%d.%m.%Y %H:%M:%S", "%d/%m/%Y %H:%M:%S")
"""How .NET writes times if a template gives no format, tried in this order; the shipped template gives ISO."""


def translate(delivery: Delivery, options: SourceOptions, /) -> list[Result]:
    """The call of a report.

    Raises:
        RefusedError: It cannot be read.
    """
    sent = {calls.word_of(name): value for name, value in _fields(delivery).items()}
    kind = calls.word_of(_text(sent, "calltype"))
    if not kind:
        return [Passed("not_a_call", "there is no CallType")]
    if kind not in KINDS:
        raise RefusedError(
            Reason.UNKNOWN_VALUE, f"CallType must be one of Inbound, Outbound, Missed, Notanswered: {kind!r}"
        )
    direction, outcome = KINDS[kind]
    number, agent = _text(sent, "number"), _text(sent, "agent")
    if calls.is_extension(number, options):
        return [Passed("internal_call")]
    started = _time(sent, "callstarttimeutc", "UTC") or _time(sent, "datetime", options.zone)
    if started is None:
        raise RefusedError(Reason.MISSING_ATTRIBUTE, "there is neither CallStartTimeUTC nor DateTime")
    answered, ended = (_time(sent, name, "UTC") for name in ("callestablishedtimeutc", "callendtimeutc"))
    talk = _seconds(_text(sent, "duration"))
    if answered is not None and ended is not None and ended >= answered > started:
        talk = (ended - answered) / 1_000_000
    call = Call(
        id=_id(agent, calls.number_of(number), started),
        version="report",
        at=ended or started + int((talk or 0) * 1_000_000),
        direction=direction,
        outcome=calls.outcome_of(kind, {}, options) or outcome,
        started=started,
        talk_seconds=talk,
        number=calls.number_of(number),
        labels=calls.tuple_of(_text(sent, name) for name in ("queueextension", "did", "entitytype")),
        rep=calls.tuple_of((*calls.by_extension(agent, options), _text(sent, "agentemail"))),
        lead_id=_entity(sent, "lead"),
        deal_id=_entity(sent, "deal"),
    )
    return [calls.event(calls.COMPLETED, call, options)]


def _id(agent: str, number: str, started: int) -> str:
    return hashlib.sha256(f"{agent}\x1f{number}\x1f{started}".encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _entity(sent: dict[str, Any], kind: str) -> str:
    """The lead or deal that 3CX found in the CRM, as the template names it: ``Leads``, ``Deals``."""
    found = calls.word_of(_text(sent, "entitytype"))
    system, entity = _text(sent, "crm").lower(), _text(sent, "entityid")
    return f"{system}:{entity}" if system and entity and found in {kind, f"{kind}s"} else ""


def _seconds(text: str) -> float | None:
    """``hh:mm:ss``, or seconds."""
    found = _DURATION.fullmatch(text)
    if found is None:
        return reading.seconds(text, "Duration")
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return reading.seconds(((days * 24 + hours) * 60 + minutes) * 60 + seconds, "Duration")


def _time(sent: dict[str, Any], name: str, zone: str) -> int | None:
    text = _text(sent, name)
    return reading.time_us(text, zone, name, _PATTERNS) if text else None


def _fields(delivery: Delivery) -> dict[str, Any]:
    if delivery.media_type == "application/x-www-form-urlencoded":
        return {name: values[0] for name, values in reading.form_body(delivery.body).items()}
    return reading.json_object(delivery.body)


def _text(sent: dict[str, Any], name: str) -> str:
    return reading.text_of(sent.get(name))


SYSTEM: Final = System(
    name="3cx",
    title="3CX",
    translate=translate,
    proof=proofs.Token(proofs.bearer_of, proofs.basic_of, proofs.header("x-funnelwatch-token"), proofs.query("token")),
    page="3cx.md",
    options={name: calls.OPTIONS[name] for name in ("extensions", "cold")},
    check=calls.checked,
)
