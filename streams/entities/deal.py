"""Deals: state, contribution and links. The rules are `docs/figures.md`, "Deals"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec.structs import astuple

from funnelwatch.schemas.events import DealData, Event, Kind
from funnelwatch.streams.cells import Contribution, ItemCell, LostDeal, OpenDeal
from funnelwatch.streams.context import Context
from funnelwatch.streams.entities.flow import RepSums, count
from funnelwatch.streams.entities.ownership import first_owner
from funnelwatch.streams.entities.receiving import ReceivingFold
from funnelwatch.streams.entities.walk import CREATED, DELETED, LOST, REOPENED, WON, Close, DealStep, Walk
from funnelwatch.streams.history import Step
from funnelwatch.streams.links import WON as WON_FACT
from funnelwatch.streams.links import Link, Received, touches
from funnelwatch.streams.sketch import bin_of

_REST: Final = 7
_LEAD_ID: Final = 3
_TELLING: Final = (CREATED, WON, LOST, REOPENED, DELETED)


class DealState(msgspec.Struct, array_like=True, gc=False):
    """What was observed of a deal, and who touched it."""

    history: list[DealStep] = []
    repeats: list[DealStep] = []
    links: list[Received] = []
    withdrawn_at: int = 0


class DealFold(ReceivingFold[DealState]):
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
        walk = Walk(created_at, first_owner(history), context)
        walk.take(history[0])
        count(walk.sums, walk.owner, created_at, ("created", walk.pipeline))
        for step in history[1:]:
            walk.take(step)
        if walk.deleted:
            return Contribution()
        return _figures(subject, walk, history[-1][0], state.links, walk.sums)

    def difference(
        self, subject: str, state: DealState, known: int, context: Context
    ) -> tuple[Contribution, Contribution] | None:
        """As of `Fold`: what the walk counted up to ``known`` stays; closes, items and advances are compared."""
        history = state.history
        created_at = history[0][0]
        owner = first_owner(history)
        walk = Walk(created_at, owner, context)
        walk.counts = False
        for step in history[:known]:
            walk.take(step)
        if walk.deleted or (history[0][4] is None and owner != first_owner(history[:known])):
            return None
        before = _figures(subject, walk, history[known - 1][0], state.links, {})
        walk.counts = True
        for step in history[known:]:
            walk.take(step)
        return None if walk.deleted else (before, _figures(subject, walk, history[-1][0], state.links, walk.sums))

    def relinked(
        self, subject: str, state: DealState, links: list[Received], context: Context
    ) -> tuple[Contribution, Contribution] | None:
        """As of `Fold`: no sum is made of links, and the item of an open deal says when it was last touched."""
        history = state.history
        if not history or _outcome(history) is not None:
            return Contribution(), Contribution()
        last_at = history[-1][0]
        if _touched_at(last_at, links) == _touched_at(last_at, state.links):
            return Contribution(), Contribution()
        walk = Walk(history[0][0], first_owner(history), context)
        walk.counts = False
        for step in history:
            walk.take(step)
        if walk.deleted:
            return Contribution(), Contribution()
        return _figures(subject, walk, last_at, links, {}), _figures(subject, walk, last_at, state.links, {})

    def links(self, subject: str, state: DealState) -> list[Link]:
        """To its lead: won at …; to leads it belonged to earlier: not won."""
        history, repeats = state.history, state.repeats
        named = {step[_REST][_LEAD_ID] for step in history if step[_REST] is not None}
        if repeats:
            named.update(step[_REST][_LEAD_ID] for step in repeats if step[_REST] is not None)
        named.discard(None)
        if not named:
            return []
        present, won_at = _won_for(history)
        version = len(history) + len(repeats)
        return [
            Link(
                Kind.LEAD,
                lead,
                Kind.DEAL,
                subject,
                WON_FACT,
                won_at if lead == present else None,
                version,
                history[-1][0],
            )
            for lead in sorted(one for one in named if one is not None)
        ]

    def retells(self, steps: Sequence[DealStep]) -> bool:
        """As of `Fold`: only the words that close, reopen, delete or create, and another lead."""
        return any(step[3] in _TELLING or (step[_REST] is not None and step[_REST][_LEAD_ID]) for step in steps)

    def forgettable(self, state: DealState, before_us: int) -> bool:
        """Closed or deleted, and no event since."""
        history = state.history
        if not history:
            return all(at < before_us for at in (state.withdrawn_at, *touches(state.links)))
        return history[-1][0] < before_us and (_is_deleted(history) or _outcome(history) is not None)

    def _step(self, code: int, event: Event) -> Step:
        data = event.data
        assert isinstance(data, DealData)
        rep, pipeline, stage, *rest = astuple(data)
        told = tuple(rest)
        return (event.at, event.source, event.id, code, rep, pipeline, stage, None if told == _NOTHING else told)

    def _data(self, step: Any) -> dict[str, Any]:
        return dict(zip(DealData.__struct_fields__, _in_order(*step[4:]), strict=True))


_NOTHING: Final = (None,) * 8


def _in_order(rep: str | None, pipeline: str | None, stage: str | None, rest: Any) -> tuple[Any, ...]:
    """The members as `DealData` lists them."""
    return (rep, pipeline, stage, *(_NOTHING if rest is None else rest))


def _figures(subject: str, walk: Walk, last_at: int, links: list[Received], sums: RepSums) -> Contribution:
    """The deal as it stands after the walk: its close counted into ``sums``, its item, its advances."""
    close = walk.close
    if close is None:
        cell, item = ItemCell(walk.owner, "open_deal", subject), _open_deal(walk, last_at, links)
        return Contribution(sums, {cell: item}, walk.advances.copy())
    if close.won:
        _count_won(sums, walk, close)
        return Contribution(sums, {}, walk.advances.copy())
    _count_lost(sums, walk, close)
    lost_deal = LostDeal(close.at, close.pipeline, close.stage, walk.lost_reason, walk.currency, walk.amount)
    return Contribution(sums, {ItemCell(close.rep, "lost_deal", subject): lost_deal}, walk.advances.copy())


def _open_deal(walk: Walk, last_at: int, links: list[Received]) -> OpenDeal:
    return OpenDeal(  # by place, which is faster: as `OpenDeal` lists them
        walk.pipeline,
        walk.stage,
        walk.currency,
        walk.amount,
        walk.created_at,
        walk.entered_at,
        walk.owned_since,
        _touched_at(last_at, links),
        walk.snoozed_until,
        walk.customer,
    )


def _touched_at(last_at: int, links: list[Received]) -> int:
    """The last touch or change."""
    return max([last_at, *touches(links)]) if links else last_at


def _count_won(sums: RepSums, walk: Walk, close: Close) -> None:
    """A win with its cycle, and the final amount in the final currency."""
    count(sums, close.rep, close.at, ("won", close.pipeline, walk.currency))
    if walk.amount:
        count(sums, close.rep, close.at, ("won_amount", close.pipeline, walk.currency), walk.amount)
    cycle = walk.calendar.working_us(walk.created_at, close.at)
    count(sums, close.rep, close.at, ("cycle", bin_of(cycle)))
    if cycle:
        count(sums, close.rep, close.at, ("cycle_us",), cycle)


def _count_lost(sums: RepSums, walk: Walk, close: Close) -> None:
    """A loss with the final reason, and the final amount in the final currency."""
    count(sums, close.rep, close.at, ("lost", close.pipeline, walk.currency, close.stage, walk.lost_reason))
    if walk.amount:
        measure = ("lost_amount", close.pipeline, walk.currency, close.stage, walk.lost_reason)
        count(sums, close.rep, close.at, measure, walk.amount)


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
