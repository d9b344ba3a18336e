"""Which calls of two systems are one call, and what is published of it.

A CRM and a telephone system both tell of a call, each under its own id. They are one if they are of the same rep, with
the same other party, in the same direction, and began within a tolerance of each other: nearest first, and never two
calls of the same source. What is one is a function of the calls known, whatever the order in which they came.

A group is published under the name of its first member: telephone systems before others, then by source and id. *How*
it was (direction, outcome, start, talk time, talk ratio) and that it ended is said by the first member as far as it
says so; the others add what it leaves open. Nothing that was published can be taken back from an entity, so a name
under which something stands that would now be said otherwise is deleted, and the call goes by a new one.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any, Final, NamedTuple

import msgspec
from msgspec.structs import replace

from funnelwatch.schemas import fields
from funnelwatch.schemas.events import CallData, Event, Kind

SOURCE: Final = "funnelwatch/calls"
"""Of the events that delete a name."""
TOLD_MAX: Final = 256
"""Events that are remembered of one call of one source; what comes later is published, and not remembered."""

COMPLETED: Final = "call.completed"
RECORDED: Final = "call.recorded"
DELETED: Final = "call.deleted"
_HOW: Final = ("direction", "outcome", "started_at", "talk_ms", "talk_ratio")
_DIGITS: Final = 8

Party = tuple[str, str, str]
"""Rep, the other party's number as it is compared, direction."""
Started = Mapping[tuple[str, str], int]
"""When each call began, in µs."""


class Mark(NamedTuple):
    """What a call is compared by. One without a party is like no other; ``started`` is 0 if nobody knows."""

    party: Party | None
    started: int


class Told(msgspec.Struct, frozen=True, array_like=True):
    """One event of a call, and the other party's number as it is compared (empty if it does not say)."""

    at: int
    id: str
    type: str
    data: CallData
    number: str = ""

    @property
    def content(self) -> tuple[int, bytes]:
        """What decides which of two events with one id stands: the fold takes the smaller, too."""
        return self.at, _digest((self.type, self.data))


class Call(msgspec.Struct, array_like=True):
    """All that one source told of one call, in the order of events.

    ``standing`` is what stands under its present name: event to digest. ``last_us`` is the latest time among them.
    ``dead`` has the times at which earlier names were deleted.
    """

    source: str
    subject: str
    told: list[Told] = []
    standing: dict[str, str] = {}
    last_us: int = 0
    dead: list[int] = []

    @property
    def key(self) -> tuple[str, str]:
        """Its identity."""
        return self.source, self.subject

    @property
    def name(self) -> str:
        """Under which it is published if it is the first of its group."""
        return self.name_at(len(self.dead))

    def name_at(self, generation: int) -> str:
        """Its present name, or an earlier one."""
        name = f"{self.subject}~{generation}" if generation else self.subject
        return name if len(name) <= fields.ID_CHARS_MAX else f"{_short(self.subject)}~{generation}"

    def mark(self) -> Mark:
        """Who talked to whom, and since when. No party if that is not known, or the call was deleted."""
        told = _finals(self.told)
        began = told.started_at
        if began is None:
            ended = next((one.at for one in reversed(self.told) if one.type == COMPLETED), None)
            began = None if ended is None else ended - (told.talk_ms or 0) * 1_000
        number = next((one.number for one in reversed(self.told) if one.number), "")
        if not number or told.direction is None or began is None or self._deleted:
            return Mark(None, began or 0)
        return Mark((told.rep_id or "", number, told.direction), began)

    @property
    def _deleted(self) -> bool:
        words = [one.type for one in self.told if one.type != RECORDED]
        return bool(words) and words[-1] == DELETED


class Rules(msgspec.Struct, frozen=True):
    """How near two beginnings must be, and which sources come first (a smaller number before a larger one)."""

    tolerance_us: int
    rank: Callable[[str], int]


def add(call: Call, event: Event, number: str) -> bool:
    """Take an event into what is known of its call; False if it says nothing new.

    Of two events with one id that differ the smaller stands, as in the fold.
    """
    assert isinstance(event.data, CallData)
    told = Told(event.at, event.id, event.type, event.data, number)
    known = next((place for place, one in enumerate(call.told) if one.id == event.id), None)
    if known is None:
        if len(call.told) >= TOLD_MAX:
            return False
        call.told.append(told)
    elif told.content < call.told[known].content:
        call.told[known] = told
    else:
        return False
    call.told.sort(key=lambda one: (one.at, one.id))
    return True


def groups(calls: Sequence[Call], rules: Rules) -> list[list[Call]]:
    """Which calls are one: each group with the member first that it is named after."""
    if len(calls) == 1:
        return [list(calls)]
    grouped: dict[tuple[str, str], list[Call]] = {call.key: [call] for call in calls}
    by_party: defaultdict[Party, list[Call]] = defaultdict(list)
    started: dict[tuple[str, str], int] = {}
    for call in calls:
        party, started[call.key] = call.mark()
        if party is not None:
            by_party[party].append(call)
    for together in by_party.values():
        for one, other in _nearest(together, started, rules):
            left, right = grouped[one.key], grouped[other.key]
            if left is not right and _fit(left, right, started, rules):
                left += right
                grouped.update((call.key, left) for call in right)
    distinct = {id(group): group for group in grouped.values()}.values()
    ordered = [sorted(group, key=lambda call: (rules.rank(call.source), *call.key)) for group in distinct]
    return sorted(ordered, key=lambda group: group[0].key)


def settle(grouped: Iterable[Sequence[Call]]) -> list[Event]:
    """What is to be published now that these calls are known, and note it in them.

    Args:
        grouped: The `groups` of all that may be one with each other. Their ``standing``, ``last_us`` and ``dead`` are
            brought up to date.
    """
    said: list[Event] = []
    deleted: list[Event] = []
    for first, *others in grouped:
        wanted = _wanted(first, others)
        digests = {_event_key(event): _short(_digest((event.type, event.data))) for event in wanted}
        if any(digests.get(key) != digest for key, digest in first.standing.items()):
            deleted.append(_delete(first))
        said += [_under(first, event) for event in wanted if _event_key(event) not in first.standing]
        first.standing = digests
        first.last_us = max((event.at for event in wanted), default=0)
        deleted += [_delete(other) for other in others if other.standing]
    return said + deleted


def beyond(grouped: Iterable[Sequence[Call]], event: Event) -> list[Event]:
    """An event of a call of which no more events are remembered: under the name that its call goes by."""
    key = event.source, event.subject
    return [_under(group[0], event) for group in grouped if any(call.key == key for call in group)]


def restate(grouped: Iterable[Sequence[Call]]) -> list[Event]:
    """All that stands, and all that was deleted, again: whether it reached Kafka before a process died is not known."""
    said: list[Event] = []
    deleted: list[Event] = []
    for first, *others in grouped:
        said += [_under(first, event) for event in _wanted(first, others)]
        for call in (first, *others):
            deleted += [_deletion(call.name_at(number), at) for number, at in enumerate(call.dead)]
    return said + deleted


def _nearest(calls: Sequence[Call], started: Started, rules: Rules) -> list[tuple[Call, Call]]:
    """Pairs that may be one, nearest first; what is equally near goes by begin and id."""

    def apart(pair: tuple[Call, Call]) -> tuple[int, int, tuple[str, str], tuple[str, str]]:
        one, other = (started[call.key] for call in pair)
        return abs(one - other), min(one, other), pair[0].key, pair[1].key

    pairs = [
        (one, other)
        for one, other in combinations(sorted(calls, key=lambda call: call.key), 2)
        if one.source != other.source and abs(started[one.key] - started[other.key]) <= rules.tolerance_us
    ]
    return sorted(pairs, key=apart)


def _fit(left: Sequence[Call], right: Sequence[Call], started: Started, rules: Rules) -> bool:
    """Whether two groups may become one: no source twice, and every two of them near enough."""
    if not {call.source for call in left}.isdisjoint(call.source for call in right):
        return False
    began = [started[call.key] for call in (*left, *right)]
    return max(began) - min(began) <= rules.tolerance_us


def _wanted(first: Call, others: Sequence[Call]) -> list[Event]:
    """The events of a group under the first one's subject, before they are given a name."""
    how = _finals(first.told)
    settled = {name for name in _HOW if getattr(how, name) is not None}
    ended = any(told.type == COMPLETED for told in first.told)
    wanted = [_event(first, told) for told in first.told]
    for other in others:
        for told in other.told:
            type_ = RECORDED if ended and told.type == COMPLETED else told.type
            data = replace(told.data, **dict.fromkeys(settled, None)) if settled else told.data
            if type_ != RECORDED or data != CallData():
                wanted.append(_event(other, replace(told, type=type_, data=data)))
    return wanted


def _event(call: Call, told: Told) -> Event:
    return Event(Kind.CALL, told.type, told.id, call.source, call.subject, told.at, told.data)


def _event_key(event: Event) -> str:
    return f"{event.source}\x1f{event.id}"


def _under(first: Call, event: Event) -> Event:
    """The event under the name of its group. Under another name than its own it is another event, with another id."""
    name = first.name
    if name == event.subject:
        return event
    identity = f"{event.id}~{_short(name)}"
    if len(identity) > fields.ID_CHARS_MAX:
        identity = f"{_short(event.id)}~{_short(name)}"
    return replace(event, subject=name, id=identity)


def _delete(call: Call) -> Event:
    """Delete the name under which something stands that is not so any more."""
    event = _deletion(call.name, call.last_us + 1)
    call.dead.append(event.at)
    call.standing = {}
    return event


def _deletion(name: str, at: int) -> Event:
    return Event(Kind.CALL, DELETED, f"{_short(name)}~moved", SOURCE, name, at, CallData())


def _finals(told: Iterable[Told]) -> CallData:
    """Each member as the last event that sets it has it."""
    found: dict[str, Any] = {}
    for one in told:
        found |= {name: value for name, value in msgspec.structs.asdict(one.data).items() if value is not None}
    return CallData(**found)


_encode: Final = msgspec.msgpack.Encoder().encode


def _digest(value: object) -> bytes:
    return hashlib.sha256(_encode(value)).digest()


def _short(value: str | bytes) -> str:
    content = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
    return hashlib.sha256(content).hexdigest()[: 2 * _DIGITS]
