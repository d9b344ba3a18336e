"""Simotel (Nasim Telecom): event webhooks. ``Cdr`` and ``CdrQueue`` end a call; both are of the same ``unique_id``.

Times are local and have no offset. Numbers come as numbers or as texts, ``disposition`` in several spellings, the id as
``unique_id`` (samples) or ``cuid`` (documentation), times as ``starttime`` or ``start_time``.
"""

from __future__ import annotations

from typing import Any, Final

from funnelwatch.schemas.sources import proofs, reading
from funnelwatch.schemas.sources.contract import Delivery, Passed, Result, SourceOptions, System
from funnelwatch.schemas.sources.phones import calls
from funnelwatch.schemas.sources.phones.calls import Call

OUTCOMES: Final = {
    "answered": "connected",
    "answer": "connected",
    "noanswer": "no_answer",
    "noanswered": "no_answer",
    "abandon": "no_answer",
    "abandoned": "no_answer",
    "cancel": "no_answer",
    "busy": "busy",
    "failed": "failed",
    "congestion": "failed",
    "chanunavail": "failed",
}
_ENDINGS: Final = {"cdr": "cdr", "cdrqueue": "queue"}
_DURING: Final = frozenset(
    {"newstate", "incomingcall", "outgoingcall", "transfer", "extenadded", "extenremoved", "incomingfax"}
)
_INSIDE: Final = frozenset({"local", "feature", "localfeature"})
_DIRECTIONS: Final = {"incoming": "inbound", "outgoing": "outbound"}
_PATTERNS: Final = ("%H:%M:%S.%f %Y-%m-%d",)
"""As the documentation's examples have them, beside ISO."""


def translate(delivery: Delivery, options: SourceOptions, /) -> list[Result]:
    """A call that has ended, if it had to do with somebody outside.

    Raises:
        RefusedError: It cannot be read.
    """
    sent = _fields(delivery)
    name = calls.word_of(calls.first(_text(sent, "event_name"), _text(sent, "event")))
    if name not in _ENDINGS:
        return [Passed("call_not_ended" if name in _DURING else "not_a_call", name[:40])]
    kind = calls.word_of(_text(sent, "type"))
    found = calls.sides(_text(sent, "src"), _text(sent, "dst"), options)
    if kind in _INSIDE or (found is None and kind not in _DIRECTIONS):
        return [Passed("internal_call", f"{_text(sent, 'src')[:20]} called {_text(sent, 'dst')[:20]}")]
    direction, extension, number = found or _by_kind(sent, kind, options)
    started, ended = _times(sent, options)
    call = Call(
        id=calls.needed(calls.first(*(_text(sent, one) for one in _IDS)), "unique_id"),
        version=_ENDINGS[name] + f"/{_text(sent, 'unique_id') or _text(sent, 'cuid')}",
        at=ended,
        direction=_DIRECTIONS.get(kind, direction),
        outcome=calls.outcome_of(_text(sent, "disposition"), OUTCOMES, options),
        started=started,
        talk_seconds=reading.seconds(sent.get("billsec"), "billsec"),
        number=number,
        recording=calls.recording_at(
            _text(sent, "record"), _text(sent, "unique_id"), calls.local_day(started, options), options
        ),
        labels=calls.tuple_of(_text(sent, one) for one in ("queue", "entry_point", "outgoing_point")),
        rep=calls.by_extension(extension, options),
    )
    return [calls.event(calls.COMPLETED, call, options)]


_IDS: Final = ("originated_call_id", "unique_id", "cuid")
"""The id of a call in two legs (dialled by a program: first the rep, then the customer) comes first: it is one call."""


def _by_kind(sent: dict[str, Any], kind: str, options: SourceOptions) -> tuple[str, str, str]:
    """Both numbers look like extensions, but Simotel knows better: a short number outside."""
    inside, out = ("dst", "src") if kind == "incoming" else ("src", "dst")
    return _DIRECTIONS[kind], calls.number_of(_text(sent, inside)), calls.outside(_text(sent, out), options)


def _times(sent: dict[str, Any], options: SourceOptions) -> tuple[int, int]:
    """Start and end. An end that comes before what was talked and waited (a sample has it) is put right."""
    started, ended = (
        reading.time_us(calls.first(_text(sent, name), _text(sent, other)), options.zone, name, _PATTERNS)
        for name, other in (("starttime", "start_time"), ("endtime", "end_time"))
    )
    lasted = sum(int((reading.seconds(sent.get(name), name) or 0) * 1_000_000) for name in ("billsec", "wait"))
    return started, max(ended, started + lasted)


def _fields(delivery: Delivery) -> dict[str, Any]:
    """What was sent: JSON (G4, Rest4), a form, or the query of a GET (older versions)."""
    if delivery.method == "GET" or not delivery.body.strip():
        return dict(delivery.query)
    if delivery.media_type == "application/x-www-form-urlencoded":
        return {name: values[0] for name, values in reading.form_body(delivery.body).items()}
    return reading.json_object(delivery.body)


def _text(sent: dict[str, Any], name: str) -> str:
    return reading.text_of(sent.get(name))


SYSTEM: Final = System(
    name="simotel",
    title="Simotel",
    translate=translate,
    proof=proofs.Token(proofs.basic_of),
    page="simotel.md",
    methods=("POST", "GET"),
    options=calls.OPTIONS,
    check=calls.checked,
)
