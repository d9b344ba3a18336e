"""Twilio: status callbacks of calls and of recordings, signed with the account's auth token.

``CallDuration`` is seconds, ``Duration`` minutes rounded up: only the former is read. The two legs of a dialled call
are one: a leg with a ``ParentCallSid`` speaks of its parent.
"""

from __future__ import annotations

import hashlib
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from funnelwatch.schemas.reasons import RefusedError
from funnelwatch.schemas.sources import proofs, reading
from funnelwatch.schemas.sources.contract import (
    Delivery,
    ForgedError,
    Forgery,
    Passed,
    Reply,
    Result,
    SourceOptions,
    System,
)
from funnelwatch.schemas.sources.phones import calls
from funnelwatch.schemas.sources.phones.calls import Call

OUTCOMES: Final = {
    "completed": "connected",
    "busy": "busy",
    "noanswer": "no_answer",
    "canceled": "no_answer",
    "failed": "failed",
}
"""Of the statuses that end a call."""
MACHINES: Final = {
    "machinestart": "voicemail",
    "machineendbeep": "voicemail",
    "machineendsilence": "voicemail",
    "machineendother": "voicemail",
    "fax": "failed",
}
"""``AnsweredBy``. A message left by a machine on a machine: ``outcomes = {machine_end_beep = "voicemail_drop"}``."""
_APPS: Final = ("client:", "sip:")
"""How an address begins that is a rep's: a browser or a SIP phone."""
_PORTS: Final = {"https": 443, "http": 80}


class _Proof:
    """HMAC-SHA1 over the address and the sorted fields, or over the address alone, which has a hash of a JSON body.

    Twilio leaves a default port out or puts one in, so the address is tried as it is, without and with its port.
    """

    window_us = None

    def verify(self, delivery: Delivery, secret: str, _options: SourceOptions, _now_us: int, /) -> None:
        """As `Proof.verify`."""
        given = delivery.headers.get("x-twilio-signature")
        if not given:
            raise ForgedError(Forgery.MISSING_PROOF)
        try:
            signed = _signed(delivery)
        except RefusedError:
            raise ForgedError(Forgery.UNREADABLE_PROOF) from None
        wanted = [
            proofs.hmac_base64(secret, address.encode("utf-8", "surrogatepass") + signed, "sha1")
            for address in _addresses(delivery.url)
        ]
        if not any([proofs.same(given, one) for one in wanted]):  # noqa: C419  (all are compared, in the same time)
            raise ForgedError(Forgery.WRONG_PROOF)
        hashed = delivery.query.get("bodySHA256")
        if hashed and not proofs.same(hashed.lower(), hashlib.sha256(delivery.body).hexdigest()):
            raise ForgedError(Forgery.WRONG_PROOF)

    def handshake(self, _delivery: Delivery, _secret: str, _options: SourceOptions, /) -> Reply | None:
        """There is none."""
        return None


def translate(delivery: Delivery, options: SourceOptions, /) -> list[Result]:
    """A call that has ended, or its recording.

    Raises:
        RefusedError: It cannot be read.
    """
    sent = _fields(delivery)
    if not sent.get("CallSid"):
        return [Passed("not_a_call", "there is no CallSid")]
    if sent.get("RecordingSid"):
        return [_recording(sent, delivery, options)]
    outcome = calls.outcome_of(sent.get("CallStatus", ""), OUTCOMES, options)
    if outcome is None:
        return [Passed("call_not_ended", f"its status is {sent.get('CallStatus', '')!r}")]
    by = sent.get("AnsweredBy", "")
    if outcome == calls.CONNECTED and by:
        outcome = calls.outcome_of(by, MACHINES, options) or outcome
    at = reading.time_us(sent["Timestamp"], "UTC", "Timestamp") if sent.get("Timestamp") else delivery.received_us
    talk = reading.seconds(sent.get("CallDuration"), "CallDuration")
    direction, rep, number, own = _sides(sent, options)
    call = Call(
        id=_id(sent),
        version=f"{sent['CallSid']}/{sent['CallStatus']}",
        at=at,
        direction=direction,
        outcome=outcome,
        started=None if talk is None else at - int(talk * 1_000_000),
        talk_seconds=talk,
        number=number,
        labels=calls.tuple_of((own, delivery.query.get("label", ""))),
        rep=(*_asked_rep(delivery, options), *rep),
        lead_id=calls.asked_id(delivery, "lead_id"),
        deal_id=calls.asked_id(delivery, "deal_id"),
    )
    return [calls.event(calls.COMPLETED, call, options)]


def _recording(sent: dict[str, str], delivery: Delivery, options: SourceOptions) -> Result:
    if sent.get("RecordingStatus", "completed") != "completed":
        return Passed("recording_not_ready", f"its status is {sent['RecordingStatus']!r}")
    began = sent.get("RecordingStartTime") or sent.get("Timestamp")
    call = Call(
        id=_id(sent),
        version=sent["RecordingSid"],
        at=reading.time_us(began, "UTC", "RecordingStartTime") if began else delivery.received_us,
        recording=calls.needed(sent.get("RecordingUrl", ""), "RecordingUrl"),
        rep=_asked_rep(delivery, options),
    )
    return calls.event(calls.RECORDED, call, options)


def _sides(sent: dict[str, str], options: SourceOptions) -> tuple[str | None, tuple[str, ...], str, str]:
    """Direction, rep, the other party's number and our own number."""
    caller, called = sent.get("From", ""), sent.get("To", "")
    if (rep := _app(caller)) and not _app(called):
        return "outbound", (options.id_of(rep), rep), calls.number_of(called), ""
    if rep := _app(called):
        return "inbound", (options.id_of(rep), rep), calls.number_of(caller), ""
    if sent.get("ParentCallSid"):
        return None, (), "", ""  # who is who is told by the parent: a forwarded call looks like a dialled one
    inbound = sent.get("Direction", "").startswith("inbound")
    own, other = (called, caller) if inbound else (caller, called)
    return (
        "inbound" if inbound else "outbound",
        calls.by_number(own),
        calls.number_of(other),
        calls.number_of(own),
    )


def _app(address: str) -> str:
    """The user of a rep's browser or SIP phone; empty for a number."""
    for begin in _APPS:
        if address.lower().startswith(begin):
            return address[len(begin) :].partition(";")[0]
    return ""


def _asked_rep(delivery: Delivery, options: SourceOptions) -> tuple[str, ...]:
    rep = calls.asked_id(delivery, "rep")
    return (rep if ":" in rep or "@" in rep else options.id_of(rep),) if rep else ()


def _id(sent: dict[str, str]) -> str:
    return calls.first(sent.get("ParentCallSid", ""), sent["CallSid"])


def _fields(delivery: Delivery) -> dict[str, str]:
    """The fields of the form, or of the query of a GET, each by its first value; blanks in front stay."""
    if delivery.method == "GET":
        return delivery.query
    if delivery.media_type == "application/json":
        return {name: reading.text_of(value) for name, value in reading.json_object(delivery.body).items()}
    return {name: values[0] for name, values in reading.form_body(delivery.body).items()}


def _signed(delivery: Delivery) -> bytes:
    """What is signed besides the address."""
    if delivery.method == "GET" or "bodySHA256" in delivery.query:
        return b""
    form = reading.form_body(delivery.body)
    text = "".join(name + value for name in sorted(form) for value in sorted(set(form[name])))
    return text.encode("utf-8", "surrogatepass")


def _addresses(url: str) -> tuple[str, str, str]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return url, url, url
    user, at, _ = parts.netloc.rpartition("@")
    bare = f"{user}{at}{f'[{host}]' if ':' in host else host}"
    ported = f"{bare}:{port or _PORTS.get(parts.scheme, 0)}"
    without, with_ = (urlunsplit(parts._replace(netloc=netloc)) for netloc in (bare, ported))
    return url, without, with_


SYSTEM: Final = System(
    name="twilio",
    title="Twilio",
    translate=translate,
    proof=_Proof(),
    page="twilio.md",
    methods=("POST", "GET"),
    options={name: calls.OPTIONS[name] for name in ("cold",)},
    check=calls.checked,
)
