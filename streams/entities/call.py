"""Calls: state, contribution and links. The rules are `docs/figures.md`, "Calls and emails"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec.structs import astuple

from funnelwatch.schemas.events import CallData, Event, Kind
from funnelwatch.streams.cells import MINUTE_US, CallRecording, Contribution, ItemCell
from funnelwatch.streams.context import Context
from funnelwatch.streams.entities.ownership import finals, last_places, owner_after
from funnelwatch.streams.entities.touch import touch_links
from funnelwatch.streams.fold import Fold
from funnelwatch.streams.history import Step
from funnelwatch.streams.links import Link, Received

_LEAD_ID: Final = 11
_DEAL_ID: Final = 12

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
    int | None,
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
        completed, recorded, deleted = last_places(history, len(self.codes))
        if not history or deleted > completed:
            return Contribution()
        place = completed if completed >= 0 else recorded
        rep, at = owner_after(history, place), history[place][0]
        _, _, _, _, _, direction, outcome, _, talk_ms, cold, url, _, deal_id, talk_ratio = finals(history)
        contribution = Contribution()
        if completed >= 0:
            minute, direction = at // MINUTE_US, direction or "outbound"
            contribution.sums[rep, minute, ("call", direction, 1 if cold else 0, outcome or "")] = 1
            if talk_ms:
                contribution.sums[rep, minute, ("talk_ms", direction)] = talk_ms
        if url:
            recording = CallRecording(at, url, deal_id, outcome, talk_ms, talk_ratio)
            contribution.items[ItemCell(rep, "recording", subject)] = recording
        return contribution

    def links(self, subject: str, state: CallState) -> list[Link]:
        """To the lead and the deal it names: touched at …; to those it named earlier: not touched."""
        completed, _, deleted = last_places(state.history, len(self.codes))
        at = state.history[completed][0] if completed > deleted else None
        return touch_links((Kind.CALL, subject), state.history, state.repeats, (_LEAD_ID, _DEAL_ID), at)

    def retells(self, steps: Sequence[Any]) -> bool:  # noqa: ARG002  (hardly any step does not)
        """As of `Fold`: any step may."""
        return True

    def forgettable(self, state: CallState, before_us: int) -> bool:
        """No event since: a call is never open."""
        return all(step[0] < before_us for step in state.history[-1:])

    def _step(self, code: int, event: Event) -> Step:
        data = event.data
        assert isinstance(data, CallData)
        return (event.at, event.source, event.id, code, *astuple(data))

    def _data(self, step: Any) -> dict[str, Any]:
        return dict(zip(CallData.__struct_fields__, step[4:], strict=True))
