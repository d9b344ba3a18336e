"""Leads: state and contribution. The rules are `docs/figures.md`, "Leads"."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from funnelwatch.schemas.events import Event, Kind, LeadData
from funnelwatch.streams.cells import LEAD_PIPELINE, Contribution, ItemCell, OpenLead
from funnelwatch.streams.context import Context
from funnelwatch.streams.entities import flow
from funnelwatch.streams.entities.flow import RepSums, count, leave
from funnelwatch.streams.entities.ownership import NOBODY, Owners, first_owner
from funnelwatch.streams.entities.receiving import ReceivingFold
from funnelwatch.streams.history import Step
from funnelwatch.streams.links import Received, earliest_win, touches
from funnelwatch.streams.sketch import bin_of

CREATED: Final = 0
QUALIFIED: Final = 2
ACCEPTED: Final = 3
CONVERTED: Final = 4
DISQUALIFIED: Final = 5
DELETED: Final = 6

NEW_STATE: Final = "new"
_ENDS: Final = (CONVERTED, DISQUALIFIED)
_STATE_OF: Final = {QUALIFIED: "qualified", ACCEPTED: "accepted"}
STATES: Final = (NEW_STATE, "qualified", "accepted")
"""The open states of a lead, in order."""

Rest = tuple[str | None, str | None, str | None, str | None]
LeadStep = tuple[int, str, str, int, str | None, Rest | None]
"""at, source, id, type code, rep_id, and (channel, campaign, deal_id, reason) if any of it is set."""


class LeadState(msgspec.Struct, array_like=True, gc=False):
    """What was observed of a lead, which deals it became, and who touched it."""

    history: list[LeadStep] = []
    repeats: list[LeadStep] = []
    links: list[Received] = []
    withdrawn_at: int = 0


class LeadFold(ReceivingFold[LeadState]):
    """The fold of leads."""

    kind = Kind.LEAD
    codes = (
        "lead.created",
        "lead.assigned",
        "lead.qualified",
        "lead.accepted",
        "lead.converted",
        "lead.disqualified",
        "lead.deleted",
    )
    _state = LeadState

    def contribution(self, subject: str, state: LeadState, context: Context) -> Contribution:
        """Milestones, cohort, flow and first touch; the open lead as an item."""
        history = state.history
        if not history or _is_deleted(history):
            return Contribution()
        return _contribution(subject, history, state.links, context, 0)

    def difference(
        self, subject: str, state: LeadState, known: int, context: Context
    ) -> tuple[Contribution, Contribution] | None:
        """As of `Fold`: while a lead is in its flow, the flow up to ``known`` stays what it was."""
        history, links = state.history, state.links
        prefix = history[:known]
        if any(step[3] == DELETED for step in history) or any(step[3] in _ENDS for step in prefix):
            return None
        if first_owner(prefix) == NOBODY or (links and earliest_win(links) is not None):
            return None
        before = _contribution(subject, prefix, links, context, known)
        return before, _contribution(subject, history, links, context, known)

    def relinked(
        self, subject: str, state: LeadState, links: list[Received], context: Context
    ) -> tuple[Contribution, Contribution] | None:
        """As of `Fold`: touches change neither milestones nor flow; wins may change anything."""
        history = state.history
        if not history or _is_deleted(history):
            return Contribution(), Contribution()
        if earliest_win(links) is not None or earliest_win(state.links) is not None:
            return None
        before, after = _Course(history, links), _Course(history, state.links)
        now = _count_flow({}, after, context, len(history))
        return _touched(subject, before, context, {}, now), _touched(subject, after, context, {}, now)

    def forgettable(self, state: LeadState, before_us: int) -> bool:
        """Converted, disqualified or deleted, and neither an event, nor a conversion, nor a touch since."""
        history = state.history
        instants = [state.withdrawn_at, *(at for _, _, _, at in state.links if at is not None)]
        if history:
            instants.append(history[-1][0])
            if not _is_deleted(history) and _Course(history, state.links).ending is None:
                return False
        return all(at < before_us for at in instants)

    def _step(self, code: int, event: Event) -> Step:
        data = event.data
        assert isinstance(data, LeadData)
        rest = (data.channel, data.campaign, data.deal_id, data.reason)
        return (event.at, event.source, event.id, code, data.rep_id, None if rest == _NOTHING else rest)

    def _data(self, step: Any) -> dict[str, Any]:
        *_, rep, rest = step
        return dict(zip(LeadData.__struct_fields__, (rep, *(rest or _NOTHING)), strict=True))


_NOTHING: Final = (None,) * 4


def _last_places(history: list[LeadStep]) -> list[int]:
    """The place of the last step of each type, by its code; -1 if there is none."""
    places = [-1] * len(LeadFold.codes)
    for place, step in enumerate(history):
        places[step[3]] = place
    return places


def _is_deleted(history: list[LeadStep]) -> bool:
    places = _last_places(history)
    return places[DELETED] > places[CREATED]


def _contribution(
    subject: str, history: list[LeadStep], links: list[Received], context: Context, counted_from: int
) -> Contribution:
    """What the lead adds, but for the flow before the step at ``counted_from``."""
    course = _Course(history, links)
    sums: RepSums = {}
    _count_milestones(sums, course)
    now = _count_flow(sums, course, context, counted_from)
    return _touched(subject, course, context, sums, now)


def _touched(subject: str, course: _Course, context: Context, sums: RepSums, now: tuple[str, int]) -> Contribution:
    """The first touch counted into ``sums``; the open lead as an item, in the state it is in ``now`` and since when."""
    history, links = course.history, course.links
    first_touch_at = _count_first_touch(sums, course, context)
    if course.ending is not None:
        return Contribution(sums)
    stage, entered_at = now
    touched_at = max([history[-1][0], *touches(links)]) if links else history[-1][0]
    channel = next((rest[0] for *_, rest in reversed(history) if rest is not None and rest[0] is not None), None)
    item = OpenLead(stage, history[0][0], entered_at, first_touch_at, touched_at, channel)
    return Contribution(sums, {ItemCell(course.owners.present, "open_lead", subject): item})


class Ending(msgspec.Struct, frozen=True, gc=False):
    """How a lead ended. ``taken`` is how many of its steps come before the end."""

    how: str
    at: int
    taken: int
    owner: str
    owner_before: str


class _Course:
    """A lead's steps with their owners, what it received, the last place of each type, and how it ended, if it did."""

    __slots__ = ("ending", "history", "links", "owners", "places")

    def __init__(self, history: list[LeadStep], links: list[Received]) -> None:
        self.history = history
        self.links = links
        self.owners = Owners(history)
        self.places = _last_places(history)
        self.ending = self._ending(earliest_win(links) if links else None)

    def at(self, place: int) -> int:
        """The time of a step."""
        return self.history[place][0]

    def _ending(self, won_at: int | None) -> Ending | None:
        """Conversion, by word or by a deal, whichever is earlier; or disqualification, if it stands."""
        _, _, qualified, accepted, converted, out, _ = self.places
        is_out = out > max(converted, qualified, accepted)
        if converted >= 0 and (won_at is None or self.at(converted) <= won_at) and not (is_out and won_at is None):
            return self._ending_at(converted, flow.WON)
        if won_at is not None:
            owner = self.owners.at(won_at)
            return Ending(flow.WON, won_at, sum(step[0] <= won_at for step in self.history), owner, owner)
        return self._ending_at(out, flow.LOST) if is_out else None

    def _ending_at(self, place: int, how: str) -> Ending:
        return Ending(how, self.at(place), place, self.owners.after(place), self.owners.before(place))


def _count_milestones(sums: RepSums, course: _Course) -> None:
    owners, ending = course.owners, course.ending
    qualified, accepted = course.places[QUALIFIED], course.places[ACCEPTED]
    count(sums, owners.after(0), course.at(0), ("lead", "created"))
    if accepted >= 0:
        count(sums, owners.after(accepted), course.at(accepted), ("lead", "accepted"))
    is_converted = ending is not None and ending.how == flow.WON
    if ending is not None:
        count(sums, ending.owner, ending.at, ("lead", "converted" if is_converted else "disqualified"))
    if qualified >= 0:
        owner, at = owners.after(qualified), course.at(qualified)
        count(sums, owner, at, ("lead", "qualified"))
        if accepted >= 0:
            count(sums, owner, at, ("cohort", "accepted"))
        if is_converted:
            count(sums, owner, at, ("cohort", "converted"))


def _count_flow(sums: RepSums, course: _Course, context: Context, counted_from: int) -> tuple[str, int]:
    """The sojourns in `STATES`; the state the lead is in at the end of them, and since when."""
    history, owners, ending = course.history, course.owners, course.ending
    stage, since = NEW_STATE, history[0][0]
    if ending is not None and ending.at < since:
        return stage, since
    if not counted_from:
        count(sums, owners.after(0), since, ("entered", LEAD_PIPELINE, stage))
    for place in range(len(history) if ending is None else ending.taken):
        at, _, _, code, _, _ = history[place]
        to = _STATE_OF.get(code, stage)
        if to == stage:
            continue
        if place >= counted_from:
            how = flow.FORWARD if STATES.index(to) > STATES.index(stage) else flow.BACK
            leave(sums, (owners.before(place), LEAD_PIPELINE, stage), how, (since, at), context.calendar)
            count(sums, owners.after(place), at, ("entered", LEAD_PIPELINE, to))
        stage, since = to, at
    if ending is not None:
        leave(sums, (ending.owner_before, LEAD_PIPELINE, stage), ending.how, (since, ending.at), context.calendar)
    return stage, since


def _count_first_touch(sums: RepSums, course: _Course, context: Context) -> int | None:
    created_at, links = course.at(0), course.links
    at = min((touch for touch in touches(links) if touch >= created_at), default=None) if links else None
    if at is not None:
        owner = course.owners.at(at)
        working = context.calendar.working_us(created_at, at)
        count(sums, owner, at, ("touch", bin_of(working)))
        if working:
            count(sums, owner, at, ("touch_us",), working)
    return at
