"""Deals: state, contribution and links. The rules are `docs/figures.md`, "Deals"."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from funnelwatch.schemas.events import DealData, Event, Kind
from funnelwatch.streams.cells import Contribution, Item, ItemCell, LostDeal, OpenDeal
from funnelwatch.streams.context import Context
from funnelwatch.streams.entities.flow import count
from funnelwatch.streams.entities.ownership import first_owner
from funnelwatch.streams.entities.walk import CREATED, DELETED, LOST, REOPENED, WON, Close, DealStep, Walk
from funnelwatch.streams.fold import Fold
from funnelwatch.streams.history import Step
from funnelwatch.streams.links import WON as WON_FACT
from funnelwatch.streams.links import Link, Received, touches
from funnelwatch.streams.sketch import bin_of

_REST: Final = 7
_LEAD_ID: Final = 3


class DealState(msgspec.Struct, array_like=True, gc=False):
    """What was observed of a deal, and who touched it."""

    history: list[DealStep] = []
    repeats: list[DealStep] = []
    links: list[Received] = []


class DealFold(Fold[DealState]):
    """The fold of deals."""

    kind = Kind.DEAL
    codes = (
        "deal.created",
        "deal.updated",
        "deal.assigned",
        "deal.stage_changed",
        "deal.won",
        "deal.lost",
        "deal.reopened",
        "deal.deleted",
    )
    _state = DealState

    def contribution(self, subject: str, state: DealState, context: Context) -> Contribution:
        """Sums of the walk, the standing close, and the open or lost deal as an item."""
        history = state.history
        if not history:
            return Contribution()
        created_at = history[0][0]
        walk = Walk(created_at, first_owner(step[4] for step in history), context)
        walk.take(history[0])
        count(walk.sums, walk.owner, created_at, ("created", walk.pipeline))
        for step in history[1:]:
            walk.take(step)
        if walk.deleted:
            return Contribution()
        if walk.close is not None:
            _count_close(walk, walk.close, created_at)
        return Contribution(walk.sums, _items(subject, walk, state, created_at), walk.advances)

    def links(self, subject: str, state: DealState) -> list[Link]:
        """To its lead: won at …; to leads it belonged to earlier: not won."""
        named = {rest[_LEAD_ID] for *_, rest in state.history + state.repeats if rest is not None and rest[_LEAD_ID]}
        if not named:
            return []
        present, won_at = _won_for(state.history)
        version = len(state.history) + len(state.repeats)
        return [
            Link(Kind.LEAD, lead, Kind.DEAL, subject, WON_FACT, won_at if lead == present else None, version)
            for lead in sorted(named)
        ]

    def forgettable(self, state: DealState, before_us: int) -> bool:
        """Closed or deleted, and no event since."""
        history = state.history
        if not history:
            return all(at < before_us for at in touches(state.links))
        return history[-1][0] < before_us and (_is_deleted(history) or _outcome(history) is not None)

    def _step(self, code: int, event: Event) -> Step:
        data = event.data
        assert isinstance(data, DealData)
        rest = (
            data.amount,
            data.currency,
            data.expected_close,
            data.lead_id,
            data.customer,
            data.lost_reason,
            data.snooze_until,
            data.snooze_reason,
        )
        told = None if rest == _NOTHING else rest
        return (event.at, event.source, event.id, code, data.rep_id, data.pipeline, data.stage, told)

    def _data(self, step: Any) -> dict[str, Any]:
        return dict(zip(DealData.__struct_fields__, _in_order(*step[4:]), strict=True))


_NOTHING: Final = (None,) * 8


def _in_order(rep: str | None, pipeline: str | None, stage: str | None, rest: Any) -> tuple[Any, ...]:
    """The members as `DealData` lists them."""
    return (rep, pipeline, stage, *(_NOTHING if rest is None else rest))


def _items(subject: str, walk: Walk, state: DealState, created_at: int) -> dict[ItemCell, Item]:
    """The deal as it stands after the walk, if it is open or lost."""
    close = walk.close
    if close is None:
        open_deal = OpenDeal(
            pipeline=walk.pipeline,
            stage=walk.stage,
            currency=walk.currency,
            amount=walk.amount,
            created_at=created_at,
            entered_at=walk.entered_at,
            owned_since=walk.owned_since,
            touched_at=max([state.history[-1][0], *touches(state.links)]),
            snoozed_until=walk.snoozed_until,
            customer=walk.customer,
        )
        return {ItemCell(walk.owner, "open_deal", subject): open_deal}
    if close.won:
        return {}
    lost_deal = LostDeal(close.at, close.pipeline, close.stage, walk.lost_reason, walk.currency, walk.amount)
    return {ItemCell(close.rep, "lost_deal", subject): lost_deal}


def _count_close(walk: Walk, close: Close, created_at: int) -> None:
    """Won or lost, with the final amount and currency; a win also has a cycle."""
    dimensions: tuple[str, ...]
    if close.won:
        name, dimensions = "won", (close.pipeline, walk.currency)
        cycle = walk.calendar.working_us(created_at, close.at)
        count(walk.sums, close.rep, close.at, ("cycle", bin_of(cycle)))
        if cycle:
            count(walk.sums, close.rep, close.at, ("cycle_us",), cycle)
    else:
        name, dimensions = "lost", (close.pipeline, walk.currency, close.stage, walk.lost_reason)
    count(walk.sums, close.rep, close.at, (name, *dimensions))
    if walk.amount:
        count(walk.sums, close.rep, close.at, (f"{name}_amount", *dimensions), walk.amount)


def _outcome(history: list[DealStep]) -> DealStep | None:
    """The step that closed the deal, if it stands closed."""
    for step in reversed(history):
        if step[3] in (WON, LOST):
            return step
        if step[3] == REOPENED:
            return None
    return None


def _is_deleted(history: list[DealStep]) -> bool:
    return next((step[3] == DELETED for step in reversed(history) if step[3] in (CREATED, DELETED)), False)


def _won_for(history: list[DealStep]) -> tuple[str | None, int | None]:
    """The lead the deal belongs to now, and when the deal was won if it stands won."""
    lead = next((rest[_LEAD_ID] for *_, rest in reversed(history) if rest is not None and rest[_LEAD_ID]), None)
    closed = _outcome(history)
    is_won = closed is not None and closed[3] == WON and not _is_deleted(history)
    return lead, closed[0] if closed is not None and is_won else None
