"""Leads: state and contribution. The rules are `docs/figures.md`, "Leads"."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from funnelwatch.schemas.events import Event, Kind, LeadData
from funnelwatch.streams.cells import LEAD_PIPELINE, Contribution, Item, ItemCell, OpenLead
from funnelwatch.streams.context import Context
from funnelwatch.streams.entities import flow
from funnelwatch.streams.entities.flow import RepSums, count, leave
from funnelwatch.streams.entities.ownership import NOBODY, Owners, last_places
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
        if not state.history or _is_deleted(state.history):
            return Contribution()
        course = _Course(state.history, state.links)
        sums: RepSums = {}
        _count_milestones(sums, course, None)
        now = _count_flow(sums, course, context, None)
        touched_at = _first_touch_at(course)
        _count_first_touch(sums, course, touched_at, context)
        return Contribution(sums, _items(subject, course, now, touched_at))

    def difference(
        self, subject: str, state: LeadState, known: int, context: Context
    ) -> tuple[Contribution, Contribution] | None:
        """As of `Fold`: while a lead is in its flow, what the steps up to ``known`` counted stays."""
        history, links = state.history, state.links
        before = _Course(history[:known], links)
        if max(before.places[CONVERTED:]) >= 0:  # it ended, or was deleted
            return None
        if before.owners.first == NOBODY or (links and earliest_win(links) is not None):
            return None
        after = _Course(history, links, before)
        if after.places[DELETED] >= 0:
            return None
        told: RepSums = {}
        taken: RepSums = {}
        _count_milestones(taken, before, after.places)
        _count_milestones(told, after, before.places)
        was = _position(before)
        now = _count_flow(told, after, context, (known, *was))
        touched_at = _first_touch_at(after)
        if touched_at is not None and before.owners.at(touched_at) != after.owners.at(touched_at):
            _count_first_touch(taken, before, touched_at, context)
            _count_first_touch(told, after, touched_at, context)
        return (
            Contribution(taken, _items(subject, before, was, touched_at)),
            Contribution(told, _items(subject, after, now, touched_at)),
        )

    def relinked(
        self, subject: str, state: LeadState, links: list[Received], context: Context
    ) -> tuple[Contribution, Contribution] | None:
        """As of `Fold`: touches change neither milestones nor flow; wins may change anything."""
        history = state.history
        if not history or _is_deleted(history):
            return Contribution(), Contribution()
        if earliest_win(links) is not None or earliest_win(state.links) is not None:
            return None
        before = _Course(history, links)
        after = before.linked(state.links)
        was_touched_at, touched_at = _first_touch_at(before), _first_touch_at(after)
        taken: RepSums = {}
        told: RepSums = {}
        if was_touched_at != touched_at:
            _count_first_touch(taken, before, was_touched_at, context)
            _count_first_touch(told, after, touched_at, context)
        now = (NEW_STATE, 0) if after.ending is not None else _position(after)
        return (
            Contribution(taken, _items(subject, before, now, was_touched_at)),
            Contribution(told, _items(subject, after, now, touched_at)),
        )

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


def _is_deleted(history: list[LeadStep]) -> bool:
    places = last_places(history, len(LeadFold.codes))
    return places[DELETED] > places[CREATED]


def _items(subject: str, course: _Course, now: tuple[str, int], first_touch_at: int | None) -> dict[ItemCell, Item]:
    """The open lead, in the state it is in ``now`` and since when; nothing if it ended."""
    if course.ending is not None:
        return {}
    stage, entered_at = now
    history, links = course.history, course.links
    touched_at = max([history[-1][0], *touches(links)]) if links else history[-1][0]
    item = OpenLead(stage, history[0][0], entered_at, first_touch_at, touched_at, _channel(history))
    return {ItemCell(course.owners.present, "open_lead", subject): item}


def _channel(history: list[LeadStep]) -> str | None:
    """The last one that was told."""
    for step in reversed(history):
        rest = step[5]
        if rest is not None and rest[0] is not None:
            return rest[0]
    return None


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

    def __init__(self, history: list[LeadStep], links: list[Received], known: _Course | None = None) -> None:
        """``known`` is that of the first steps, of which one at least sets an owner."""
        self.history = history
        self.links = links
        if known is None:
            self.owners = Owners(history)
            self.places = last_places(history, len(LeadFold.codes))
        else:
            self.owners = Owners(history, known.owners)
            self.places = known.places.copy()
            for place in range(len(known.history), len(history)):
                self.places[history[place][3]] = place
        self.ending = self._ending(earliest_win(links) if links else None)

    def linked(self, links: list[Received]) -> _Course:
        """The same with other links, of which none is a win either."""
        other = _Course.__new__(_Course)
        other.history, other.links, other.owners = self.history, links, self.owners
        other.places, other.ending = self.places, self.ending
        return other

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


def _count_milestones(sums: RepSums, course: _Course, other: list[int] | None) -> None:
    """The milestones; but for those that another course of the lead has at the same places, if it has any.

    The other course is longer or shorter by steps at the end, and the shorter one has an owner and no end: what comes
    of the same place is then the same.
    """
    owners, ending = course.owners, course.ending
    qualified, accepted = course.places[QUALIFIED], course.places[ACCEPTED]
    is_new = other is None or accepted != other[ACCEPTED]
    if other is None:
        count(sums, owners.after(0), course.at(0), ("lead", "created"))
    if accepted >= 0 and is_new:
        count(sums, owners.after(accepted), course.at(accepted), ("lead", "accepted"))
    is_converted = ending is not None and ending.how == flow.WON
    if ending is not None:
        count(sums, ending.owner, ending.at, ("lead", "converted" if is_converted else "disqualified"))
    if qualified < 0:
        return
    owner, at = owners.after(qualified), course.at(qualified)
    if other is None or qualified != other[QUALIFIED]:
        is_new = True
        count(sums, owner, at, ("lead", "qualified"))
    if accepted >= 0 and is_new:
        count(sums, owner, at, ("cohort", "accepted"))
    if is_converted:
        count(sums, owner, at, ("cohort", "converted"))


def _position(course: _Course) -> tuple[str, int]:
    """The state that the steps of a lead without an end leave it in, and since when."""
    stage, since = NEW_STATE, course.history[0][0]
    for step in course.history:
        to = _STATE_OF.get(step[3], stage)
        if to != stage:
            stage, since = to, step[0]
    return stage, since


def _count_flow(
    sums: RepSums, course: _Course, context: Context, begin: tuple[int, str, int] | None
) -> tuple[str, int]:
    """The sojourns in `STATES`; the state the lead is in at the end of them, and since when.

    They are counted from the step at ``begin`` on, which says in which state the lead was just before it, and since
    when; None: from the first.
    """
    history, owners, ending = course.history, course.owners, course.ending
    place, stage, since = begin or (0, NEW_STATE, history[0][0])
    if ending is not None and ending.at < since:
        return stage, since
    if begin is None:
        count(sums, owners.after(0), since, ("entered", LEAD_PIPELINE, stage))
    for at_place in range(place, len(history) if ending is None else ending.taken):
        at, _, _, code, _, _ = history[at_place]
        to = _STATE_OF.get(code, stage)
        if to == stage:
            continue
        how = flow.FORWARD if STATES.index(to) > STATES.index(stage) else flow.BACK
        leave(sums, (owners.before(at_place), LEAD_PIPELINE, stage), how, (since, at), context.calendar)
        count(sums, owners.after(at_place), at, ("entered", LEAD_PIPELINE, to))
        stage, since = to, at
    if ending is not None:
        leave(sums, (ending.owner_before, LEAD_PIPELINE, stage), ending.how, (since, ending.at), context.calendar)
    return stage, since


def _first_touch_at(course: _Course) -> int | None:
    if not course.links:
        return None
    created_at = course.at(0)
    return min([touch for touch in touches(course.links) if touch >= created_at], default=None)


def _count_first_touch(sums: RepSums, course: _Course, at: int | None, context: Context) -> None:
    if at is None:
        return
    owner = course.owners.at(at)
    working = context.calendar.working_us(course.at(0), at)
    count(sums, owner, at, ("touch", bin_of(working)))
    if working:
        count(sums, owner, at, ("touch_us",), working)
