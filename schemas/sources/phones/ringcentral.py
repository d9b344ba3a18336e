"""RingCentral: notifications of telephony sessions, and records of the call log.

A session tells at once that a call rang, was answered, ended; the call log has the talk time and the recording. Both
have the ``sessionId``, so they speak of one call, and a transferred call, which has a party more, is one too.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from funnelwatch.schemas.sources import proofs, reading
from funnelwatch.schemas.sources.contract import Answers, Delivery, Passed, Reply, Result, SourceOptions, System
from funnelwatch.schemas.sources.crm.batches import each
from funnelwatch.schemas.sources.phones import calls
from funnelwatch.schemas.sources.phones.calls import Call

PARTIES_MAX: Final = 64
RECORDS_MAX: Final = 1_000
TOKEN_CHARS_MAX: Final = 512
HISTORY_DAYS_MAX: Final = 3_660

RESULTS: Final = {
    "accepted": "connected",
    "callconnected": "connected",
    "connected": "connected",
    "voicemail": "voicemail",
    "missed": "no_answer",
    "noanswer": "no_answer",
    "hangup": "no_answer",
    "abandoned": "no_answer",
    "stopped": "no_answer",
    "rejected": "no_answer",
    "declined": "no_answer",
    "busy": "busy",
    "callfailed": "failed",
    "failed": "failed",
    "wrongnumber": "failed",
    "nocredit": "failed",
    "internationaldisabled": "failed",
    "internationalrestricted": "failed",
    "restrictednumber": "failed",
    "blocked": "failed",
    "suspendedaccount": "failed",
    "internalerror": "failed",
    "ipphoneoffline": "failed",
}
"""``result`` of the call log. Those that are not here say nothing."""
REASONS: Final = {
    "noanswer": "no_answer",
    "timeout": "no_answer",
    "cancelled": "no_answer",
    "rejected": "no_answer",
    "targetbusy": "busy",
    "invalidnumber": "failed",
    "nosuchuser": "failed",
    "internationaldisabled": "failed",
    "destinationblocked": "failed",
    "notenoughfunds": "failed",
    "internalerror": "failed",
}
"""``status.reason`` of a party that left before anybody answered."""
ELSEWHERE: Final = frozenset(
    {"pickup", "takeover", "agentanswered", "agentdropped", "callswitch", "callflip", "supervising", "callredirected"}
)
"""Reasons of a party that left because somebody else took the call: what that one says counts."""
_ENDED: Final = frozenset({"Disconnected", "Gone"})
_RINGS: Final = frozenset({"Setup", "Proceeding"})
_DURING: Final = {"Setup": None, "Proceeding": None, "Answered": "connected", "VoiceMail": "voicemail"}
"""States before the end that tell something, with the outcome that they settle."""


class _Proof(proofs.Token):
    """A token that every notification repeats, and the question at the beginning, whose token must be given back."""

    def handshake(self, delivery: Delivery, _secret: str, _options: SourceOptions, /) -> Reply | None:
        """The token back, to whoever asks with nothing else: a notification still needs the right one."""
        token = delivery.headers.get("validation-token", "")
        if delivery.body or not token:
            return None
        if len(token) > TOKEN_CHARS_MAX or not token.isascii() or not token.isprintable():
            return Reply(400)
        return Reply(200, {"validation-token": token, "content-type": "application/json"})


def translate(delivery: Delivery, options: SourceOptions, /) -> list[Result]:
    """A notification; or one record of the call log, or a page of them.

    Raises:
        RefusedError: It cannot be read.
    """
    sent = reading.json_object(delivery.body)
    if "records" in sent:
        records = reading.sequence(sent["records"], "records", RECORDS_MAX)
        return each(records, lambda record: _record(reading.mapping(record, "a record"), options))
    if "startTime" in sent:
        return _record(sent, options)
    body = sent.get("body")
    if not isinstance(body, dict) or "telephonySessionId" not in body:
        return [Passed("not_a_call", reading.text_of(sent.get("event")))]
    parties = reading.sequence(body.get("parties"), "body.parties", PARTIES_MAX)
    return [_party(reading.mapping(party, "a party"), body, options) for party in parties] or [Passed("no_party")]


def _party(party: dict[str, Any], body: dict[str, Any], options: SourceOptions) -> Result:
    status = _object(party, "status")
    code, reason = reading.text_of(status.get("code")), calls.word_of(reading.text_of(status.get("reason")))
    direction = reading.text_of(party.get("direction")).lower()
    if direction not in {"inbound", "outbound"} or not _user(party, party, direction):
        return Passed("not_our_party", f"the party {reading.text_of(party.get('id'))} has no extension")
    theirs = _object(party, "from" if direction == "inbound" else "to")
    if theirs.get("extensionId"):
        return Passed("internal_call", "both parties are extensions")
    if code in _ENDED and reason in ELSEWHERE:
        return Passed("answered_elsewhere", reason)
    at = reading.time_us(body.get("eventTime"), "UTC", "body.eventTime")
    told = {"direction": direction, "number": _number(theirs), "rep": _rep(party, direction, options)}
    if code in _ENDED:
        missed = "no_answer" if party.get("missedCall") is True else calls.outcome_of(reason, REASONS, options)
        return calls.event(calls.COMPLETED, _call(party, body, at, outcome=missed, **told), options)
    if code not in _DURING:
        return Passed("call_not_ended", code)
    started = at if code in _RINGS else None
    return calls.event(calls.RECORDED, _call(party, body, at, outcome=_DURING[code], started=started, **told), options)


def _call(party: dict[str, Any], body: dict[str, Any], at: int, **told: Any) -> Call:
    session = calls.first(reading.text_of(body.get("sessionId")), reading.text_of(body["telephonySessionId"]))
    place = f"{reading.text_of(party.get('id'))}/{reading.text_of(body.get('sequence'))}"
    return Call(id=calls.needed(session, "body.sessionId"), version=place, at=at, **told)


def _record(record: dict[str, Any], options: SourceOptions) -> list[Result]:
    """The call; and its recording as an event of its own, since the record is there before it."""
    kind = reading.text_of(record.get("type"))
    if kind not in {"", "Voice"}:
        return [Passed("not_a_call", kind)]
    direction = reading.text_of(record.get("direction")).lower()
    ours, theirs = (_object(record, side) for side in (("to", "from") if direction == "inbound" else ("from", "to")))
    if theirs.get("extensionId"):
        return [Passed("internal_call", "both parties are extensions")]
    outcome = calls.outcome_of(reading.text_of(record.get("result")), RESULTS, options)
    started = reading.time_us(record.get("startTime"), "UTC", "startTime")
    talk = reading.seconds(record.get("duration"), "duration")
    recording, extension = _object(record, "recording"), _object(record, "extension")
    own = _number(ours)
    user = calls.first(reading.text_of(extension.get("id")), reading.text_of(ours.get("extensionId")))
    short = calls.first(reading.text_of(ours.get("extensionNumber")), reading.text_of(extension.get("extensionNumber")))
    call = Call(
        id=calls.first(reading.text_of(record.get("sessionId")), reading.text_of(record.get("id"))),
        version=calls.needed(reading.text_of(record.get("id")), "id"),
        at=started + int((talk or 0) * 1_000_000),
        direction=direction if direction in {"inbound", "outbound"} else None,
        outcome=outcome,
        started=started,
        talk_seconds=talk,
        number=_number(theirs),
        labels=calls.tuple_of((own, reading.text_of(ours.get("name")))),
        rep=(
            *((options.id_of(user),) if user else ()),
            *(calls.by_extension(short, options) if short else ()),
            *calls.by_number(own),
        ),
    )
    told: list[Result] = [calls.event(calls.COMPLETED, call, options)]
    if address := calls.first(reading.text_of(recording.get("contentUri")), reading.text_of(recording.get("uri"))):
        version = f"{call.version}/recording"
        heard = replace(call, version=version, outcome=None, talk_seconds=None, recording=address)
        told.append(calls.event(calls.RECORDED, heard, options))
    return told


def _rep(party: dict[str, Any], direction: str, options: SourceOptions) -> tuple[str, ...]:
    side = _object(party, "to" if direction == "inbound" else "from")
    number = _number(side)
    inside = calls.by_extension(number, options) if calls.is_extension(number, options) else calls.by_number(number)
    return (options.id_of(_user(party, side, direction)), *inside)


def _user(party: dict[str, Any], side: dict[str, Any], direction: str) -> str:
    own = _object(party, "to" if direction == "inbound" else "from")
    return calls.first(*(reading.text_of(one.get("extensionId")) for one in (party, side, own)))


def _number(side: dict[str, Any]) -> str:
    return calls.number_of(reading.text_of(side.get("phoneNumber")))


def _object(data: dict[str, Any], name: str) -> dict[str, Any]:
    found = data.get(name)
    return found if isinstance(found, dict) else {}


def _checked(options: SourceOptions) -> list[str]:
    found = calls.checked(options)
    days = options.option("history_days", "1")
    if not (days.isdecimal() and len(days) <= len(str(HISTORY_DAYS_MAX)) and 0 < int(days) <= HISTORY_DAYS_MAX):
        found.append(f"history_days: must be a number of days from 1 to {HISTORY_DAYS_MAX}")
    return found


SYSTEM: Final = System(
    name="ringcentral",
    title="RingCentral",
    translate=translate,
    proof=_Proof(proofs.header("validation-token"), proofs.header("verification-token"), proofs.query("token")),
    page="ringcentral.md",
    answers=Answers(accepted=Reply(200, {"content-type": "application/json"})),
    options={name: calls.OPTIONS[name] for name in ("extensions", "cold")}
    | {
        "client_id": "of the app that the call log is read with; nothing is polled if not given",
        "history_days": "how many days of the log are read first; default 30",
        "poll_seconds": "between two looks at the log; default 60, since RingCentral takes few such requests",
        "pause_seconds": "before a request is tried again; default 0.5, it doubles",
        "address": "where RingCentral is, if not https://platform.ringcentral.com",
    },
    check=_checked,
)
