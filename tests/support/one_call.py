"""Calls told by several systems, and the figures that come of them: matching, then the fold, as in the product."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import msgspec

from funnelwatch.schemas.events import CallData, Event, Kind
from funnelwatch.streams.entities.call import CallFold
from funnelwatch.streams.matching import Call, Rules, add, beyond, groups, restate, settle

SECOND = 1_000_000
US = 1_764_237_600 * SECOND
"""When the first call began."""
PBX, CRM, GONG = "funnelwatch/asterisk/pbx", "funnelwatch/vtiger/crm", "funnelwatch/gong/gong"
PREFIX = {PBX: "pbx", CRM: "crm", GONG: "gong"}
Telling = tuple[Event, str]


def rank(source: str) -> int:
    """The exchange before all others."""
    return 0 if source == PBX else 1


def call(
    source: str,
    name: str,
    started: int,
    *,
    type_: str = "call.completed",
    id_: str = "",
    rep: str = "sara",
    number: str = "+989331112233",
    direction: str = "outbound",
    talk: int = 9,
    outcome: str = "connected",
    deal: str | None = None,
    recording: str | None = None,
    ended: int | None = None,
    ratio: int | None = None,
) -> Telling:
    """One event of a call and the other party's number. Times in seconds after `US`."""
    began = US + started * SECOND
    data = CallData(
        rep_id=rep,
        direction=direction,
        outcome=outcome,
        started_at=began,
        talk_ms=talk * 1_000,
        recording_url=recording,
        deal_id=deal,
        talk_ratio=ratio,
    )
    at = began + talk * SECOND if ended is None else US + ended * SECOND
    return Event(Kind.CALL, type_, id_ or name, source, f"{PREFIX[source]}:{name}", at, data), number


class World:
    """What is published, folded call by call."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.calls: dict[tuple[str, str], Call] = {}
        self.published: list[Event] = []

    def tell(self, telling: Telling) -> list[Event]:
        """An event comes in; what is published of it. All calls are looked at together."""
        event, number = telling
        own = self.calls.setdefault((event.source, event.subject), Call(event.source, event.subject))
        new = add(own, event, number)
        grouped = groups(list(self.calls.values()), self.rules)
        if new:
            said = settle(grouped)
        elif any(told.id == event.id for told in own.told):
            said = restate(grouped)
        else:
            said = beyond(grouped, event)
        self.published += said
        return said

    def states(self) -> dict[str, Any]:
        """The fold of each published name."""
        return states(self.published)

    def counted(self) -> list[Event]:
        """The calls that count, as one event each: with the last completion's time and the members as they stand."""
        return [one for name, state in sorted(self.states().items()) if (one := counted(name, state)) is not None]

    def live_names(self) -> set[str]:
        """Names under which a call counts."""
        return {one.subject for one in self.counted()}

    def figures(self) -> Any:
        """All that any figure is made of, without the names."""
        return figures(self.published)


def states(published: list[Event]) -> dict[str, Any]:
    """The fold of each entity of some events."""
    fold = CallFold()
    found: defaultdict[str, Any] = defaultdict(fold.empty)
    for event in published:
        fold.add(found[event.subject], event)
    return dict(found)


def figures(published: list[Event]) -> Any:
    """Sums, and recordings without the name of their call, of all entities of some events."""
    fold, sums, items = CallFold(), defaultdict(int), []
    for name, state in states(published).items():
        contribution = fold.contribution(name, state, None)  # type: ignore[arg-type]  (calls need no calendar)
        for cell, value in contribution.sums.items():
            sums[cell] += value
        items += [(item.rep, msgspec.json.encode(value)) for item, value in contribution.items.items()]
    return dict(sums), sorted(items)


def counted(name: str, state: Any) -> Event | None:
    """The call as it counts; None if it does not."""
    fold = CallFold()
    steps = state.history
    completed = max((place for place, step in enumerate(steps) if step[3] == 0), default=-1)
    if completed < 0 or max((place for place, step in enumerate(steps) if step[3] == 2), default=-1) > completed:
        return None
    members: dict[str, Any] = {}
    for step in steps:
        members |= {key: value for key, value in fold._data(step).items() if value is not None}
    return Event(Kind.CALL, "call.completed", "", "", name, steps[completed][0], CallData(**members))
