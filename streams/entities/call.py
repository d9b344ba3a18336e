"""Calls: state, contribution and links. The rules are `docs/figures.md`, "Calls and emails"."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from funnelwatch.schemas.events import CallData, Event, Kind
from funnelwatch.streams.cells import CallRecording, Contribution, Item, ItemCell
from funnelwatch.streams.context import Context
from funnelwatch.streams.entities.flow import RepSums, count
from funnelwatch.streams.entities.ownership import Owners, last_place, last_set
from funnelwatch.streams.entities.touch import touch_links
from funnelwatch.streams.fold import Fold
from funnelwatch.streams.history import Step
from funnelwatch.streams.links import Link, Received

COMPLETED: Final = 0
RECORDED: Final = 1
DELETED: Final = 2

_REP: Final = 4
_DIRECTION, _OUTCOME, _STARTED_AT, _TALK_MS, _COLD, _URL, _LEAD_ID, _DEAL_ID = range(5, 13)

CallStep = tuple[
    int,
    str,
    str,
    int,
    str | None,
    str | None,
    str | None,
    int | None,
    int | None,
    bool | None,
    str | None,
    str | None,
    str | None,
]
"""at, source, id, type code, and the members as `CallData` lists them."""


class CallState(msgspec.Struct, array_like=True, gc=False):
    """What was observed of a call."""

    history: list[CallStep] = []
    repeats: list[CallStep] = []
    links: list[Received] = []


class CallFold(Fold[CallState]):
    """The fold of calls."""

    kind = Kind.CALL
    codes = ("call.completed", "call.recorded", "call.deleted")
    _state = CallState

    def contribution(self, subject: str, state: CallState, context: Context) -> Contribution:  # noqa: ARG002  (no calendar)
        """The call and its talk time; its recording as an item, however old."""
        history = state.history
        completed = last_place(history, COMPLETED)
        if not history or last_place(history, DELETED) > completed:
            return Contribution()
        owners = Owners([step[0] for step in history], [step[_REP] for step in history])
        sums: RepSums = {}
        if completed >= 0:
            _count_call(sums, history, owners.after(completed), history[completed][0])
        return Contribution(sums, _recording(subject, history, owners, completed))

    def links(self, subject: str, state: CallState) -> list[Link]:
        """To the lead and the deal it names: touched at …; to those it named earlier: not touched."""
        completed = last_place(state.history, COMPLETED)
        counts = completed > last_place(state.history, DELETED)
        at = state.history[completed][0] if counts else None
        return touch_links((Kind.CALL, subject), state.history, state.repeats, (_LEAD_ID, _DEAL_ID), at)

    def forgettable(self, state: CallState, before_us: int) -> bool:
        """No event since: a call is never open."""
        return all(step[0] < before_us for step in state.history[-1:])

    def _step(self, code: int, event: Event) -> Step:
        data = event.data
        assert isinstance(data, CallData)
        return (
            event.at,
            event.source,
            event.id,
            code,
            data.rep_id,
            data.direction,
            data.outcome,
            data.started_at,
            data.talk_ms,
            data.cold,
            data.recording_url,
            data.lead_id,
            data.deal_id,
        )

    def _data(self, step: Any) -> dict[str, Any]:
        return dict(zip(CallData.__struct_fields__, step[4:], strict=True))


def _count_call(sums: RepSums, history: list[CallStep], rep: str, at: int) -> None:
    direction = last_set(history, _DIRECTION) or "outbound"
    cold = 1 if last_set(history, _COLD) else 0
    count(sums, rep, at, ("call", direction, cold, last_set(history, _OUTCOME) or ""))
    talk_ms = last_set(history, _TALK_MS)
    if talk_ms:
        count(sums, rep, at, ("talk_ms", direction), talk_ms)


def _recording(subject: str, history: list[CallStep], owners: Owners, completed: int) -> dict[ItemCell, Item]:
    url = last_set(history, _URL)
    place = completed if completed >= 0 else last_place(history, RECORDED)
    if not url or place < 0:
        return {}
    item = CallRecording(
        at=history[place][0],
        url=url,
        deal_id=last_set(history, _DEAL_ID),
        outcome=last_set(history, _OUTCOME),
        talk_ms=last_set(history, _TALK_MS),
    )
    return {ItemCell(owners.after(place), "recording", subject): item}
