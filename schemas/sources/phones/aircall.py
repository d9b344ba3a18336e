"""Aircall: webhooks of calls. Nothing is signed: each body repeats the token that was given when the webhook was made.

Events come at least once and in any order, several per call: all speak of ``data.id``. The recording's own address
expires after ten minutes; ``asset`` is the one that stays.
"""

from __future__ import annotations

from typing import Any, Final

from funnelwatch.schemas.reasons import RefusedError
from funnelwatch.schemas.sources import proofs, reading
from funnelwatch.schemas.sources.contract import Delivery, Passed, Result, SourceOptions, System
from funnelwatch.schemas.sources.phones import calls
from funnelwatch.schemas.sources.phones.calls import Call

_ENDINGS: Final = {"call.hungup": "1-hungup", "call.ended": "2-ended"}
"""The end, said at once and again half a minute later with everything there is: the latter stands."""
OUTCOMES: Final[dict[str, str]] = {}
"""Of ``missed_call_reason``; the organisation's ``outcomes`` may say more."""


def translate(delivery: Delivery, options: SourceOptions, /) -> list[Result]:
    """What is told of a call: its end, or whatever is said of it afterwards.

    Raises:
        RefusedError: It cannot be read.
    """
    sent = reading.json_object(delivery.body)
    if sent.get("resource") != "call":
        return [Passed("not_a_call", f"it tells of {reading.text_of(sent.get('resource'))!r}")]
    name = reading.text_of(sent.get("event"))
    data = reading.mapping(sent.get("data"), "data")
    if data.get("ended_at") is None:
        return [Passed("call_not_ended", name)]
    said_at = reading.epoch_seconds(sent.get("timestamp"), "timestamp")
    if name in _ENDINGS:
        call = _call(data, _ENDINGS[name], reading.epoch_seconds(data["ended_at"], "data.ended_at"), options)
        return [calls.event(calls.COMPLETED, call, options)]
    call = _call(data, f"{name}/{said_at // 1_000_000}", said_at, options)
    return [calls.event(calls.RECORDED, call, options)]


def _call(data: dict[str, Any], version: str, at: int, options: SourceOptions) -> Call:
    direction = reading.text_of(data.get("direction"))
    user, number = (_object(data, name) for name in ("user", "number"))
    digits = reading.text_of(number.get("digits"))
    tags = [reading.text_of(tag.get("name")) for tag in _objects(data, "tags")]
    teams = [reading.text_of(team.get("name")) for team in _objects(data, "teams")]
    user_id = reading.text_of(user.get("id"))
    return Call(
        id=calls.needed(reading.text_of(data.get("id")), "data.id"),
        version=version,
        at=at,
        direction=direction if direction in {"inbound", "outbound"} else None,
        outcome=_outcome(data, options),
        started=_epoch(data, "started_at"),
        talk_seconds=_talk_seconds(data),
        number=calls.number_of(reading.text_of(data.get("raw_digits"))),
        recording=reading.text_of(data.get("asset")),
        labels=calls.tuple_of((*tags, *teams, reading.text_of(number.get("name")), calls.number_of(digits))),
        rep=calls.tuple_of(
            (options.id_of(user_id) if user_id else "", reading.text_of(user.get("email")), *calls.by_number(digits))
        ),
    )


def _outcome(data: dict[str, Any], options: SourceOptions) -> str:
    if data.get("answered_at") is not None:
        return calls.CONNECTED
    if data.get("voicemail"):
        return "voicemail"
    why = reading.text_of(data.get("missed_call_reason"))
    return (calls.outcome_of(why, OUTCOMES, options) if why else None) or "no_answer"


def _talk_seconds(data: dict[str, Any]) -> float | None:
    """From the answer to the end: ``duration`` has the ringing in it."""
    answered, ended = _epoch(data, "answered_at"), _epoch(data, "ended_at")
    return None if answered is None or ended is None else max(0, ended - answered) / 1_000_000


def _epoch(data: dict[str, Any], name: str) -> int | None:
    return None if data.get(name) is None else reading.epoch_seconds(data[name], f"data.{name}")


def _object(data: dict[str, Any], name: str) -> dict[str, Any]:
    found = data.get(name)
    return found if isinstance(found, dict) else {}


def _objects(data: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = data.get(name)
    return [one for one in found[: calls.LABELS_MAX] if isinstance(one, dict)] if isinstance(found, list) else []


def _token(delivery: Delivery) -> str | None:
    try:
        return reading.text_of(reading.json_object(delivery.body).get("token")) or None
    except RefusedError:
        return None


SYSTEM: Final = System(
    name="aircall",
    title="Aircall",
    translate=translate,
    proof=proofs.Token(_token),
    page="aircall.md",
    options={name: calls.OPTIONS[name] for name in ("cold",)},
    check=calls.checked,
)
