"""Leads: state and contribution. The rules are `docs/figures.md`, "Leads"."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import msgspec

from funnelwatch.schemas.events import Event, Kind, LeadData
from funnelwatch.streams.cells import LEAD_PIPELINE, Contribution, ItemCell, OpenLead
from funnelwatch.streams.context import Context
from funnelwatch.streams.entities import flow
from funnelwatch.streams.entities.flow import RepSums, count, enter, leave
from funnelwatch.streams.entities.ownership import Owners, last_place
from funnelwatch.streams.fold import Fold
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


class LeadFold(Fold[LeadState]):
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
        owners = Owners([step[0] for step in history], [step[4] for step in history])
        ending = _ending(history, owners, earliest_win(state.links))
        sums: RepSums = {}
        _count_milestones(sums, history, owners, ending)
        stage, entered_at = _count_flow(sums, history, owners, ending, context)
        first_touch_at = _count_first_touch(sums, state, owners, context)
        if ending is not None:
            return Contribution(sums)
        touched_at = max([history[-1][0], *touches(state.links)])
        channel = next((rest[0] for *_, rest in reversed(history) if rest is not None and rest[0] is not None), None)
        item = OpenLead(stage, history[0][0], entered_at, first_touch_at, touched_at, channel)
        return Contribution(sums, {ItemCell(owners.present, "open_lead", subject): item})

    def forgettable(self, state: LeadState, before_us: int) -> bool:
        """Converted, disqualified or deleted, and neither an event, nor a conversion, nor a touch since."""
        history = state.history
        instants = [at for _, _, _, at in state.links if at is not None]
        if history:
            instants.append(history[-1][0])
            owners = Owners([step[0] for step in history], [step[4] for step in history])
            if not _is_deleted(history) and _ending(history, owners, earliest_win(state.links)) is None:
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
    return last_place(history, DELETED) > last_place(history, CREATED)


class Ending(msgspec.Struct, frozen=True, gc=False):
    """How a lead ended. ``taken`` is how many of its steps come before the end."""

    how: str
    at: int
    taken: int
    owner: str
    owner_before: str


def _ending(history: list[LeadStep], owners: Owners, won_at: int | None) -> Ending | None:
    """The lead's conversion, by word or by a deal, whichever is earlier; or its disqualification, if it stands."""
    converted = last_place(history, CONVERTED)
    out = last_place(history, DISQUALIFIED)
    is_out = out > max(converted, last_place(history, QUALIFIED), last_place(history, ACCEPTED))
    if converted >= 0 and (won_at is None or history[converted][0] <= won_at) and not (is_out and won_at is None):
        return _ending_at(history, owners, converted, flow.WON)
    if won_at is not None:
        owner = owners.at(won_at)
        return Ending(flow.WON, won_at, sum(step[0] <= won_at for step in history), owner, owner)
    return _ending_at(history, owners, out, flow.LOST) if is_out else None


def _ending_at(history: list[LeadStep], owners: Owners, place: int, how: str) -> Ending:
    return Ending(how, history[place][0], place, owners.after(place), owners.before(place))


def _count_milestones(sums: RepSums, history: list[LeadStep], owners: Owners, ending: Ending | None) -> None:
    count(sums, owners.after(0), history[0][0], ("lead", "created"))
    qualified = last_place(history, QUALIFIED)
    accepted = last_place(history, ACCEPTED)
    if qualified >= 0:
        count(sums, owners.after(qualified), history[qualified][0], ("lead", "qualified"))
    if accepted >= 0:
        count(sums, owners.after(accepted), history[accepted][0], ("lead", "accepted"))
    is_converted = ending is not None and ending.how == flow.WON
    if ending is not None:
        count(sums, ending.owner, ending.at, ("lead", "converted" if is_converted else "disqualified"))
    if qualified >= 0 and accepted >= 0:
        count(sums, owners.after(qualified), history[qualified][0], ("cohort", "accepted"))
    if qualified >= 0 and is_converted:
        count(sums, owners.after(qualified), history[qualified][0], ("cohort", "converted"))


def _count_flow(
    sums: RepSums, history: list[LeadStep], owners: Owners, ending: Ending | None, context: Context
) -> tuple[str, int]:
    """The sojourns in `STATES`; the state the lead is in at the end of them, and since when."""
    stage, since = NEW_STATE, history[0][0]
    if ending is not None and ending.at < since:
        return stage, since
    end = partial(leave, sums, pipeline=LEAD_PIPELINE, calendar=context.calendar)
    enter(sums, owners.after(0), since, LEAD_PIPELINE, stage)
    for place, step in enumerate(history[: len(history) if ending is None else ending.taken]):
        to = _STATE_OF.get(step[3], stage)
        if to != stage:
            how = flow.FORWARD if STATES.index(to) > STATES.index(stage) else flow.BACK
            end(owners.before(place), step[0], since=since, stage=stage, how=how)
            stage, since = to, step[0]
            enter(sums, owners.after(place), since, LEAD_PIPELINE, stage)
    if ending is not None:
        end(ending.owner_before, ending.at, since=since, stage=stage, how=ending.how)
    return stage, since


def _count_first_touch(sums: RepSums, state: LeadState, owners: Owners, context: Context) -> int | None:
    created_at = state.history[0][0]
    at = min((touch for touch in touches(state.links) if touch >= created_at), default=None)
    if at is not None:
        working = context.calendar.working_us(created_at, at)
        count(sums, owners.at(at), at, ("touch", bin_of(working)))
        if working:
            count(sums, owners.at(at), at, ("touch_us",), working)
    return at
