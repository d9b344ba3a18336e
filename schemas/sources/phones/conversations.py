"""Which manager events are of one call, and when the call is over: events one by one in, whole calls out.

A call is the channels that events tie together; it is over when the last of them has hung up. Whoever connects anew
asks which channels there are: those that are gone hung up meanwhile, those that are new to us were made before.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable
from typing import Final

import msgspec

from funnelwatch.schemas.sources.phones.ami import Event, channels_of, local_half

CALLS_MAX: Final = 20_000
"""Calls under way; of more, the one that was heard of least lately is given up."""
EVENTS_MAX: Final = 2_000
"""Events kept of one call; later ones than these are only looked at for their end."""
SILENT_US: Final = 24 * 3_600 * 1_000_000
"""A call of which nothing was heard for so long has ended without our knowing."""
KINDS: Final = frozenset(
    {"newchannel", "newstate", "newcallerid", "dial", "dialbegin", "dialend", "hangup", "varset", "coreshowchannel"}
)
"""The events that tell something of a call."""
_VARIABLES: Final = ("FILENAME", "FILE")
_MADE: Final = frozenset({"newchannel", "coreshowchannel"})


class _Conversation(msgspec.Struct):
    events: list[dict[str, str]] = []
    channels: set[str] = set()
    live: set[str] = set()
    halves: set[str] = set()
    heard_us: int = 0


class Conversations:
    """The calls that are under way. ``given_up`` counts those whose end nobody told."""

    def __init__(self) -> None:
        self.given_up = 0
        self._numbers = itertools.count()
        self._calls: dict[int, _Conversation] = {}
        self._of_channel: dict[str, int] = {}
        self._of_half: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def feed(self, event: Event, now_us: int) -> list[list[dict[str, str]]]:
        """Take an event.

        Args:
            event: Its fields, names in lower case. One without a time gets ``now_us`` for its time.
            now_us: The clock.

        Returns:
            The events of each call that is over now.
        """
        kind = event.get("event", "").lower()
        if kind not in KINDS or (kind == "varset" and not _names_a_file(event)):
            return []
        told = dict(event)
        told.setdefault("timestamp", f"{now_us // 1_000_000}.{now_us % 1_000_000:06}")
        unique = told.get("uniqueid", "")
        known = [one for one in channels_of(told) if one in self._of_channel]
        if not known and (kind not in _MADE or not unique):
            return []
        number = self._tied(told, now_us)
        call = self._calls[number]
        if len(call.events) < EVENTS_MAX or kind == "hangup":
            call.events.append(told)
        if kind in _MADE and unique:
            call.live.add(unique)
        if kind != "hangup":
            return self._bounded(now_us)
        call.live.discard(unique)
        return [] if call.live else [self._over(number).events]

    def present(self, channels: Collection[str], at_us: int) -> list[list[dict[str, str]]]:
        """Which channels there are, after a time of not hearing: all others hung up at ``at_us``.

        Returns:
            The events of each call that is over.
        """
        gone = [one for call in self._calls.values() for one in sorted(call.live) if one not in channels]
        hangups = ({"event": "Hangup", "uniqueid": one, "cause-txt": "not heard"} for one in gone)
        return [over for hangup in hangups for over in self.feed(hangup, at_us)]

    def _tied(self, told: dict[str, str], now_us: int) -> int:
        """The call of the event: one, of all those that it ties together."""
        channels, half = channels_of(told), local_half(told)
        found = {self._of_channel[one] for one in channels if one in self._of_channel}
        if half in self._of_half:
            found.add(self._of_half[half])
        number, *others = sorted(found) or [next(self._numbers)]
        call = self._calls[number] = self._calls.pop(number, _Conversation())  # heard of last: to the end
        for other in others:
            self._merge(call, self._calls.pop(other))
        call.channels.update(channels)
        call.heard_us = now_us
        if half:
            call.halves.add(half)
        self._index(number, call)
        return number

    def _merge(self, call: _Conversation, other: _Conversation) -> None:
        call.events = [*call.events, *other.events]
        call.events.sort(key=lambda event: float(event["timestamp"]) if _is_number(event["timestamp"]) else 0.0)
        call.channels |= other.channels
        call.live |= other.live
        call.halves |= other.halves

    def _index(self, number: int, call: _Conversation) -> None:
        self._of_channel.update(dict.fromkeys(call.channels, number))
        self._of_half.update(dict.fromkeys(call.halves, number))

    def _over(self, number: int) -> _Conversation:
        call = self._calls.pop(number)
        for channel in call.channels:
            self._of_channel.pop(channel, None)
        for half in call.halves:
            self._of_half.pop(half, None)
        return call

    def _bounded(self, now_us: int) -> list[list[dict[str, str]]]:
        """Give up the call that was heard of least lately, if it is too old or there are too many."""
        oldest = next(iter(self._calls))
        if len(self._calls) <= CALLS_MAX and now_us - self._calls[oldest].heard_us <= SILENT_US:
            return []
        self.given_up += 1
        return [self._over(oldest).events]


def written(events: Iterable[Event]) -> bytes:
    """Events as the manager sends them."""
    return "\r\n\r\n".join("\r\n".join(f"{name}: {value}" for name, value in event.items()) for event in events).encode(
        "utf-8", "replace"
    )


def _names_a_file(event: Event) -> bool:
    return any(word in event.get("variable", "").upper() for word in _VARIABLES)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
