"""Asterisk's manager events (AMI): the events of one call become one call.

Events of Asterisk 12 and later carry a ``Linkedid``; of older ones the channels of a call are found by their dials and
by the two halves of local channels. They have no times unless ``timestampevents`` is on, but the id of a channel has
the second in which it was made.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from funnelwatch.schemas.reasons import Reason, RefusedError
from funnelwatch.schemas.sources import reading
from funnelwatch.schemas.sources.contract import SourceOptions
from funnelwatch.schemas.sources.phones import calls
from funnelwatch.schemas.sources.phones.calls import Call

EVENTS_MAX: Final = 10_000
FIELDS_MAX: Final = 200
UP: Final = "6"
OUTCOMES: Final = {
    "answer": "connected",
    "noanswer": "no_answer",
    "cancel": "no_answer",
    "busy": "busy",
    "congestion": "failed",
    "chanunavail": "failed",
    "invalidargs": "failed",
}
"""``DialStatus``."""
_FILES: Final = frozenset({"mixmonitorfilename", "callfilename", "monitorfilename"})
"""Channel variables with the name of a recording."""
_EPOCH: Final = re.compile(r"(\d{9,11})\.\d+$", re.ASCII)
_UNKNOWN: Final = frozenset({"", "<unknown>", "unknown", "anonymous", "s"})

Event = Mapping[str, str]
"""Fields by their names in lower case. ``timestamp`` is seconds since 1970."""


def events_of(body: bytes) -> list[dict[str, str]]:
    """The events of a text as the manager sends it: lines of ``Name: value``, a blank line after each event.

    Raises:
        RefusedError: There are too many.
    """
    found: list[dict[str, str]] = []
    for block in re.split(r"\r?\n\s*\r?\n", body.decode("utf-8", "replace")):
        event: dict[str, str] = {}
        for line in block.splitlines()[:FIELDS_MAX]:
            name, colon, value = line.partition(":")
            if colon:
                event.setdefault(name.strip().lower(), value.strip())
        if "event" in event:
            found.append(event)
        if len(found) > EVENTS_MAX:
            raise RefusedError(Reason.TOO_MANY_EVENTS, f"more than {EVENTS_MAX} events in one piece")
    return found


def channels_of(event: Event) -> tuple[str, ...]:
    """The ids of all channels that an event speaks of, and so ties together."""
    names = ("linkedid", "uniqueid", "destuniqueid", "destlinkedid", "uniqueid1", "uniqueid2", "srcuniqueid")
    return tuple(dict.fromkeys(event[name] for name in names if event.get(name)))


def local_half(event: Event) -> str:
    """The name that both halves of a local channel share; empty for others."""
    name = event.get("channel", "")
    return name[:-2] if name.startswith("Local/") and name.endswith((";1", ";2")) else ""


class _Channel(msgspec.Struct):
    number: str = ""
    exten: str = ""
    local: bool = False
    made: int = 0
    answered: int | None = None
    ended: int | None = None
    up: bool = False
    dialled: bool = False
    status: str | None = None


def call_of(events: Sequence[Event], received_us: int, options: SourceOptions) -> Call | str:
    """The call of all its events; if it is none of ours, why.

    Args:
        events: In the order in which they came.
        received_us: When the last came, for events without a time.
        options: The source's.

    Raises:
        RefusedError: There is no channel in them.
    """
    channels = _channels(events)
    if not channels:
        raise RefusedError(Reason.MISSING_ATTRIBUTE, "there is no event of a channel with a Uniqueid")
    real = [channel for channel in channels.values() if not channel.local]
    others = [one for one in real if one.number and not calls.is_extension(one.number, options)]
    ours = [one for one in real if calls.is_extension(one.number, options)]
    number = others[0].number if others else _dialled(channels.values(), options)
    if not number or not ours:
        return "internal_call" if ours else "no_extension"
    direction = "inbound" if others and others[0] is real[0] else "outbound"
    decisive = [one for one in (others if direction == "outbound" else ours) if one.dialled] or others or ours
    answers = [one.answered for one in decisive if one.up and one.answered is not None]
    times = [at for event in events if (at := _at(event)) is not None]
    ended = max(times, default=received_us)
    started = min((one.made for one in channels.values() if one.made), default=None)
    identity = _identity(events, channels)
    return Call(
        id=identity,
        version=next(iter(channels)),
        at=ended,
        direction=direction,
        outcome=_outcome(decisive),
        started=started,
        talk_seconds=(_last_end(others, ended) - min(answers)) / 1_000_000 if answers else None,
        number=calls.outside(number, options),
        recording=calls.recording_at(_file(events), identity, calls.local_day(started or ended, options), options),
        labels=_labels(events),
        rep=calls.by_extension(_who(ours, direction), options),
    )


def _channels(events: Iterable[Event]) -> dict[str, _Channel]:
    """Every channel by its id, in the order in which they were made."""
    found: dict[str, _Channel] = {}
    for event in events:
        kind, unique = event.get("event", "").lower(), event.get("uniqueid", "")
        if kind in {"newchannel", "coreshowchannel"} and unique:
            found.setdefault(unique, _made(event, unique))
        elif kind in {"newstate", "newcallerid"} and unique in found:
            _told(found[unique], event)
        elif kind == "hangup" and unique in found:
            found[unique].ended = _at(event)
        elif kind in {"dial", "dialbegin", "dialend"}:
            _dial(found, event)
    return found


def _made(event: Event, unique: str) -> _Channel:
    epoch = _EPOCH.search(unique)
    second = reading.epoch_seconds(epoch[1], "Uniqueid") if epoch else 0
    listed = event.get("event", "").lower() == "coreshowchannel"  # made before, so its time is not when it was made
    made = second if listed else _at(event) or second
    channel = _Channel(exten=_known(event, "exten"), local=bool(local_half(event)), made=made)
    _told(channel, {**event, "timestamp": f"{second // 1_000_000}"} if listed and second else event)
    return channel


def _told(channel: _Channel, event: Event) -> None:
    channel.number = channel.number or calls.number_of(_known(event, "calleridnum"))
    if event.get("channelstate") == UP and not channel.up:
        channel.up, channel.answered = True, _at(event)


def _dial(found: dict[str, _Channel], event: Event) -> None:
    """A dial begins or ends. An old end names the dialling channel alone: it is of whom that dialled and has no end."""
    begins = event.get("event", "").lower() == "dialbegin" or event.get("subevent", "").lower() == "begin"
    dialled = found.get(event.get("destuniqueid", ""))
    if begins or dialled is not None:
        targets = [dialled] if dialled is not None else []
    else:
        targets = [one for one in found.values() if one.dialled and one.status is None]
    for target in targets:
        target.dialled = True
        target.number = target.number or calls.number_of(_known(event, "destcalleridnum"))
        if status := event.get("dialstatus"):
            target.status = status
            if calls.word_of(status) == "answer" and target.answered is None:
                target.up, target.answered = True, _at(event)


def _outcome(decisive: Sequence[_Channel]) -> str | None:
    """Connected if one of those who count came up; else the best of what their dials came to."""
    if any(one.up for one in decisive):
        return calls.CONNECTED
    came_to = {OUTCOMES.get(calls.word_of(one.status or "")) for one in decisive}
    return next((one for one in ("no_answer", "busy", "failed") if one in came_to), "no_answer")


def _who(ours: Sequence[_Channel], direction: str) -> str:
    """The extension: who began an outbound call; of an inbound one the last that answered, else the first that rang."""
    answered = [one.number for one in ours if one.up]
    if direction == "outbound" or not answered:
        return ours[0].number
    return answered[-1]


def _dialled(channels: Iterable[_Channel], options: SourceOptions) -> str:
    """What was dialled, where the channel to it never said its number."""
    extens = (calls.number_of(one.exten) for one in channels)
    return next((one for one in extens if one and not calls.is_extension(one, options)), "")


def _last_end(others: Sequence[_Channel], ended: int) -> int:
    return max((one.ended for one in others if one.ended is not None), default=ended)


def _identity(events: Iterable[Event], channels: Mapping[str, _Channel]) -> str:
    return next((event["linkedid"] for event in events if event.get("linkedid")), next(iter(channels)))


def _file(events: Iterable[Event]) -> str:
    """The name of the recording, from the variable that the dial plan sets."""
    found = ""
    for event in events:
        if event.get("event", "").lower() == "varset" and calls.word_of(event.get("variable", "")) in _FILES:
            found = event.get("value", "") or found
    return found


def _labels(events: Iterable[Event]) -> tuple[str, ...]:
    told = (event.get(name, "") for event in events for name in ("accountcode", "context", "queue"))
    return tuple(dict.fromkeys(label for label in told if label))[: calls.LABELS_MAX]


def _known(event: Event, name: str) -> str:
    text = event.get(name, "")
    return "" if text.lower() in _UNKNOWN else text


def _at(event: Event) -> int | None:
    text = event.get("timestamp", "")
    return reading.epoch_seconds(text, "Timestamp") if text else None
