"""Vtiger's PBXManager callbacks: what an Asterisk connector tells the CRM of a call, told to us as well.

A call is several callbacks with one ``callUUID``: it starts, is answered, ends, hangs up, has a recording. The secret
is the field ``vtigersignature``; a wrong one is answered as Vtiger does, with status 200 and a failure in XML.
"""

from __future__ import annotations

from typing import Final

from funnelwatch.schemas.reasons import RefusedError
from funnelwatch.schemas.sources import proofs, reading
from funnelwatch.schemas.sources.contract import Answers, Delivery, Passed, Reply, Result, SourceOptions, System
from funnelwatch.schemas.sources.phones import calls
from funnelwatch.schemas.sources.phones.calls import Call

HANGUP_CAUSES: Final = {
    "answer": "connected",
    "answered": "connected",
    "noanswer": "no_answer",
    "cancel": "no_answer",
    "busy": "busy",
    "congestion": "failed",
    "chanunavail": "failed",
    "failed": "failed",
}
"""``HangupCause``, which decides if it is there."""
CAUSES: Final = {
    "userbusy": "busy",
    "callrejected": "busy",
    "noanswer": "no_answer",
    "nouserresponding": "no_answer",
    "noanswerfromuser": "no_answer",
    "useralertingnoanswer": "no_answer",
    "originatorcancel": "no_answer",
    "unallocatednumber": "failed",
    "invalidnumberformat": "failed",
    "noroutetodestination": "failed",
    "networkoutoforder": "failed",
    "congestion": "failed",
    "circuitchannelcongestion": "failed",
    "interworkingunspecified": "failed",
    "interworking": "failed",
    "subscriberabsent": "failed",
}
"""``causetxt``. Normal clearing says nothing: whether anybody answered is told by other callbacks."""
_XML: Final = {"content-type": "text/xml"}
_NOTHING: Final = frozenset({"", "null", "none"})
_SECOND_US: Final = 1_000_000


def translate(delivery: Delivery, options: SourceOptions, /) -> list[Result]:
    """What a callback tells of its call.

    Raises:
        RefusedError: It cannot be read.
    """
    sent = _fields(delivery)
    status = sent.get("callstatus", "")
    tell = _TELL.get(status)
    if tell is None:
        return [Passed("not_a_call", f"no callstatus of PBXManager: {status[:40]!r}")]
    return [tell(sent, delivery, options)]


def _begun(sent: dict[str, str], delivery: Delivery, options: SourceOptions) -> Result:
    """``StartApp``: who calls whom."""
    caller, called = _first(sent, "callerIdNumber", "callerid1", "callerId"), _first(sent, "callerid2", "dialString")
    found = calls.sides(caller, called, options)
    if found is None and called:
        return Passed("internal_call")
    direction, extension, number = found or ("outbound", calls.number_of(caller), "")
    at = _time(sent, options, delivery, "StartTime")
    call = Call(
        id=_id(sent),
        version="StartApp",
        at=at,
        direction=direction,
        started=at,
        number=number,
        rep=calls.by_extension(extension, options),
    )
    return calls.event(calls.RECORDED, call, options)


def _answered(sent: dict[str, str], delivery: Delivery, options: SourceOptions) -> Result:
    """``DialAnswer``: ``callerid2`` has answered ``callerid1``."""
    found = calls.sides(sent.get("callerid1", ""), sent.get("callerid2", ""), options)
    if found is None:
        return Passed("internal_call")
    direction, extension, number = found
    call = Call(
        id=_id(sent),
        version="DialAnswer",
        at=_time(sent, options, delivery, "StartTime", "timestamp"),
        direction=direction,
        outcome=calls.CONNECTED,
        number=number,
        rep=calls.by_extension(extension, options),
    )
    return calls.event(calls.RECORDED, call, options)


def _recorded(sent: dict[str, str], delivery: Delivery, options: SourceOptions) -> Result:
    """``Record``: where the recording is."""
    call = Call(
        id=_id(sent),
        version="Record",
        at=_time(sent, options, delivery, "timestamp"),
        recording=calls.needed(sent.get("recordinglink", ""), "recordinglink"),
    )
    return calls.event(calls.RECORDED, call, options)


def _ended(sent: dict[str, str], delivery: Delivery, options: SourceOptions) -> Result:
    """``EndCall``: how long it was."""
    talk = reading.seconds(_first(sent, "billableseconds"), "billableseconds")
    at = _time(sent, options, delivery, "endtime", "EndTime")
    begun = _first(sent, "starttime", "StartTime")
    call = Call(
        id=_id(sent),
        version="EndCall",
        at=at,
        outcome=None if talk is None else calls.CONNECTED if talk else "no_answer",
        started=_instant(begun, options, "starttime") if begun else None,
        talk_seconds=talk,
    )
    return calls.event(calls.RECORDED, call, options)


def _hung_up(sent: dict[str, str], delivery: Delivery, options: SourceOptions) -> Result:
    """``Hangup``: why. A connector sends one without a cause for legs that are not the call's own."""
    text = sent.get("causetxt", "")
    if text.lower() in _NOTHING:
        return Passed("hangup_without_cause", "Vtiger ignores it, too")
    cause = _first(sent, "HangupCause")
    outcome = calls.outcome_of(cause, HANGUP_CAUSES, options) if cause else calls.outcome_of(text, CAUSES, options)
    number = _first(sent, "calleridnum", "callerIdNum")
    inside = calls.is_extension(number, options)
    call = Call(
        id=_id(sent),
        version="Hangup",
        at=_time(sent, options, delivery, "EndTime", "timestamp"),
        outcome=outcome,
        number="" if inside else calls.number_of(number),
    )
    return calls.event(calls.COMPLETED, call, options)


_TELL: Final = {
    "StartApp": _begun,
    "DialBegin": _begun,
    "DialAnswer": _answered,
    "Record": _recorded,
    "EndCall": _ended,
    "Hangup": _hung_up,
}


def _fields(delivery: Delivery) -> dict[str, str]:
    """Form and query together. Of a field that comes twice the last stands, as for the receiver in Vtiger."""
    return delivery.query | {name: values[-1] for name, values in reading.form_body(delivery.body).items()}


def _id(sent: dict[str, str]) -> str:
    return calls.needed(sent.get("callUUID", "").strip(), "callUUID")


def _first(sent: dict[str, str], *names: str) -> str:
    return calls.first(*("" if (text := sent.get(name, "").strip()).lower() in _NOTHING else text for name in names))


def _time(sent: dict[str, str], options: SourceOptions, delivery: Delivery, *names: str) -> int:
    """The time in the first field that has one; some callbacks have none: then when it came."""
    text = _first(sent, *names)
    return _instant(text, options, names[0]) if text else delivery.received_us


def _instant(text: str, options: SourceOptions, name: str) -> int:
    if text.replace(".", "", 1).isdecimal():
        return reading.epoch_seconds(text, name)
    return reading.time_us(text, options.zone, name)


def _signature(delivery: Delivery) -> str | None:
    try:
        return _fields(delivery).get("vtigersignature")
    except RefusedError:
        return None


SYSTEM: Final = System(
    name="pbxmanager",
    title="Vtiger PBXManager",
    translate=translate,
    proof=proofs.Token(_signature),
    page="pbxmanager.md",
    answers=Answers(
        accepted=Reply(200, _XML, b"<Response><Authentication>Success</Authentication></Response>"),
        forged=Reply(200, _XML, b"<Response><Authentication>Failure</Authentication></Response>"),
    ),
    methods=("POST", "GET"),
    options={name: calls.OPTIONS[name] for name in ("extensions", "dial_prefix", "cold")},
    check=calls.checked,
)
