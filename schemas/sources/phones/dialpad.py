"""Dialpad: call events, sent as a JWT that is signed (HS256) with the webhook's secret.

Times are milliseconds since 1970, durations milliseconds with fractions. A call through a call centre is several calls
there, each naming the one it began with: all of them are that one.
"""

from __future__ import annotations

from typing import Any, Final

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

SHARES: Final = ("company", "public", "none")
"""Who can open a recording's link: who is signed in at the company, anybody who has the link."""
OUTCOMES: Final = {"hangup": "", "missed": "no_answer", "voicemail": "voicemail", "abandoned": "no_answer"}
"""Of the states that end a call; of a hangup it depends on whether somebody had answered."""
LATER: Final = frozenset({"recording", "voicemail_uploaded"})
"""States that bring a recording of a call that has ended."""
_MS: Final = 1_000


class _Proof:
    """The body is the proof: a JWT signed with the secret."""

    window_us = None

    def verify(self, delivery: Delivery, secret: str, _options: SourceOptions, now_us: int, /) -> None:
        """As `Proof.verify`."""
        token = _token(delivery)
        if token is None:
            raise ForgedError(Forgery.MISSING_PROOF)
        proofs.verified_claims(token, secret, now_us)

    def handshake(self, _delivery: Delivery, _secret: str, _options: SourceOptions, /) -> Reply | None:
        """There is none."""
        return None


def translate(delivery: Delivery, options: SourceOptions, /) -> list[Result]:
    """A call that has ended, or its recording. The claims of a JWT, or the same as plain JSON.

    Raises:
        RefusedError: It cannot be read.
    """
    token = _token(delivery)
    sent = reading.json_object(delivery.body) if token is None else reading.jwt_parts(token)[1]
    state = reading.text_of(sent.get("state"))
    if sent.get("call_id") is None or not state:
        return [Passed("not_a_call", "it has no call_id and state: a text message, or a change of something else")]
    if state not in OUTCOMES and state not in LATER:
        return [Passed("call_not_ended", state)]
    call = _call(sent, state, options)
    return [calls.event(calls.RECORDED if state in LATER else calls.COMPLETED, call, options)]


def _call(sent: dict[str, Any], state: str, options: SourceOptions) -> Call:
    direction = reading.text_of(sent.get("direction"))
    target, contact = (_object(sent, name) for name in ("target", "contact"))
    own = calls.number_of(reading.text_of(sent.get("internal_number")))
    names = ("entry_point_call_id", "master_call_id", "call_id")
    leg = reading.text_of(sent.get("call_id"))
    return Call(
        id=calls.first(*(reading.text_of(sent.get(name)) for name in names)),
        version=f"{leg}/{state}",
        at=reading.epoch_ms(calls.needed(reading.text_of(sent.get("event_timestamp")), "event_timestamp"), "it"),
        direction=direction if direction in {"inbound", "outbound"} else None,
        outcome=None if state in LATER else _outcome(sent, state, options),
        started=_epoch(sent, "date_started"),
        talk_seconds=_talk_seconds(sent),
        number=calls.number_of(
            calls.first(reading.text_of(sent.get("external_number")), reading.text_of(contact.get("phone")))
        ),
        recording=_recording(sent, options),
        labels=calls.tuple_of((*_texts(sent.get("labels")), own)),
        rep=_rep(target, own, options),
    )


def _outcome(sent: dict[str, Any], state: str, options: SourceOptions) -> str:
    if sent.get("voicemail_link") or sent.get("voicemail_recording_id"):
        return "voicemail"
    if (said := calls.outcome_of(state, {}, options)) is not None:
        return said
    if sent.get("date_connected") is not None:
        return calls.CONNECTED
    return OUTCOMES[state] or "no_answer"


def _talk_seconds(sent: dict[str, Any]) -> float | None:
    """Milliseconds from the answer on; ``total_duration`` has the ringing in it."""
    found = reading.number(sent.get("duration"), "duration")
    return None if found is None else reading.seconds(found / _MS, "duration")


def _recording(sent: dict[str, Any], options: SourceOptions) -> str:
    if link := reading.text_of(sent.get("voicemail_link")):
        return link
    share = options.option("share", "company")
    recorded = _truth(sent.get("was_recorded")) or bool(sent.get("call_recording_ids"))
    if not recorded or share == "none":
        return ""
    return reading.text_of(sent.get(f"{share}_call_review_share_link"))


def _rep(target: dict[str, Any], own: str, options: SourceOptions) -> tuple[str, ...]:
    user = reading.text_of(target.get("id")) if reading.text_of(target.get("type")) == "user" else ""
    return calls.tuple_of(
        (options.id_of(user) if user else "", reading.text_of(target.get("email")) if user else "")
    ) + calls.by_number(own)


def _truth(value: object) -> bool:
    """Truth values are texts in capitals in some events."""
    return reading.text_of(value).lower() == "true"


def _epoch(sent: dict[str, Any], name: str) -> int | None:
    return None if sent.get(name) is None else reading.epoch_ms(sent[name], name)


def _texts(value: object) -> list[str]:
    return [reading.text_of(one) for one in value[: calls.LABELS_MAX]] if isinstance(value, list) else []


def _object(data: dict[str, Any], name: str) -> dict[str, Any]:
    found = data.get(name)
    return found if isinstance(found, dict) else {}


def _token(delivery: Delivery) -> str | None:
    """The JWT that a body is, perhaps in quotes; None if it is something else."""
    begin = delivery.body[:16].lstrip()
    if not begin.startswith((b"eyJ", b'"eyJ')):
        return None
    return delivery.body.decode("latin-1").strip().strip('"')


def _checked(options: SourceOptions) -> list[str]:
    share = options.option("share", "company")
    return calls.checked(options) + ([] if share in SHARES else [f"share: must be one of {', '.join(SHARES)}"])


SYSTEM: Final = System(
    name="dialpad",
    title="Dialpad",
    translate=translate,
    proof=_Proof(),
    page="dialpad.md",
    options={
        "cold": calls.OPTIONS["cold"],
        "share": "which link to a recording is kept: 'company' (needs a sign-in; the default), 'public' or 'none'",
    },
    check=_checked,
)
