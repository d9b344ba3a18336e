"""The way of a deal through its pipeline, step by step: `docs/figures.md`, "Deals", "Walk"."""

from __future__ import annotations

from typing import Final

from funnelwatch.streams.context import Context
from funnelwatch.streams.entities import flow
from funnelwatch.streams.entities.flow import RepSums, count, leave

CREATED: Final = 0
WON: Final = 4
LOST: Final = 5
REOPENED: Final = 6
DELETED: Final = 7
"""Codes of the types the walk looks at; to the others it is all the same what they are called."""
_CLOSES: Final = (WON, LOST)
_WORDS: Final = (CREATED, DELETED)

DEFAULT_PIPELINE: Final = "default"

Rest = tuple[
    int | None,  # amount
    str | None,  # currency
    str | None,  # expected_close
    str | None,  # lead_id
    str | None,  # customer
    str | None,  # lost_reason
    int | None,  # snooze_until
    str | None,  # snooze_reason
]
DealStep = tuple[int, str, str, int, str | None, str | None, str | None, Rest | None]
"""at, source, id, type code, rep_id, pipeline, stage, and the rest if any of it is set."""


class Close:
    """A close that stands: what was so just after it."""

    __slots__ = ("at", "pipeline", "rep", "stage", "won")

    def __init__(self, at: int, rep: str, pipeline: str, stage: str, *, won: bool) -> None:
        self.at = at
        self.rep = rep
        self.pipeline = pipeline
        self.stage = stage
        self.won = won


class Walk:
    """Where a deal stands after the steps taken so far, and what these steps add to its reps."""

    __slots__ = (
        "advances",
        "amount",
        "calendar",
        "close",
        "counts",
        "created_at",
        "currency",
        "customer",
        "deleted",
        "entered_at",
        "is_open",
        "lost_reason",
        "order",
        "owned_since",
        "owner",
        "pipeline",
        "snoozed_until",
        "stage",
        "sums",
    )

    def __init__(self, created_at: int, owner: str, context: Context) -> None:
        self.counts = True
        """False while steps are only walked over, to know where the deal stands after them."""
        self.calendar = context.calendar
        self.order = context.stage_order
        self.currency = context.currency
        self.owner = owner
        self.pipeline = DEFAULT_PIPELINE
        self.stage = ""
        self.is_open = True
        self.deleted = False
        self.created_at = created_at
        self.entered_at = created_at
        self.owned_since = created_at
        self.close: Close | None = None
        self.amount: int | None = None
        self.customer: str | None = None
        self.lost_reason = ""
        self.snoozed_until: int | None = None
        self.sums: RepSums = {}
        self.advances: dict[str, int] = {}

    def take(self, step: DealStep) -> None:
        """The next step, in order."""
        at, _, _, code, rep, pipeline, stage, rest = step
        before = self.owner
        if rep is not None and rep != before:
            self.owner = rep
            self.owned_since = at
        if rest is not None:
            self._note(rest)
        if code in _CLOSES:
            self._take_close(at, before, pipeline, stage, won=code == WON)
            return
        if stage or pipeline:
            self._place(at, before, pipeline or self.pipeline, stage or self.stage)
        if code == REOPENED:
            self._reopen(at)
        elif code in _WORDS:
            self.deleted = code == DELETED

    def _take_close(self, at: int, before: str, pipeline: str | None, stage: str | None, *, won: bool) -> None:
        label = ""
        if stage and stage not in self.order.get(pipeline or self.pipeline, ()):
            label, stage = stage, None
        if stage or pipeline:
            self._place(at, before, pipeline or self.pipeline, stage or self.stage)
        if self.is_open:
            if self.stage:
                self._leave(at, before, flow.WON if won else flow.LOST)
            if won:
                self._advance(at, self.pipeline)
            self.is_open = False
        if label and not self.stage:
            self.stage = label
        self.close = Close(at, self.owner, self.pipeline, self.stage, won=won)

    def _note(self, rest: Rest) -> None:
        """Fields of which only the last value counts."""
        amount, currency, _, _, customer, lost_reason, snoozed_until, _ = rest
        if amount is not None:
            self.amount = amount
        if currency is not None:
            self.currency = currency
        if customer is not None:
            self.customer = customer
        if lost_reason is not None:
            self.lost_reason = lost_reason
        if snoozed_until is not None:
            self.snoozed_until = snoozed_until

    def _place(self, at: int, before: str, pipeline: str, stage: str) -> None:
        """Pipeline and stage as set. In an open deal something else than now is a move."""
        if pipeline == self.pipeline and stage == self.stage:
            return
        if self.is_open and stage:
            if self.stage:
                how = self._direction(pipeline, stage)
                self._leave(at, before, how)
                if how is flow.FORWARD:
                    self._advance(at, pipeline)
            self.entered_at = at
            self._enter(at, pipeline, stage)
        self.pipeline = pipeline
        self.stage = stage

    def _direction(self, pipeline: str, stage: str) -> str:
        if pipeline != self.pipeline:
            return flow.OTHER
        order = self.order.get(pipeline, {})
        here, there = order.get(self.stage), order.get(stage)
        if here is None or there is None:
            return flow.OTHER
        return flow.FORWARD if there > here else flow.BACK

    def _reopen(self, at: int) -> None:
        if self.is_open:
            return
        self.is_open = True
        self.close = None
        self.entered_at = self.owned_since = at
        if self.stage:
            self._enter(at, self.pipeline, self.stage)

    def _enter(self, at: int, pipeline: str, stage: str) -> None:
        if self.counts:
            count(self.sums, self.owner, at, ("entered", pipeline, stage))

    def _leave(self, at: int, rep: str, how: str) -> None:
        if self.counts:
            leave(self.sums, (rep, self.pipeline, self.stage), how, (self.entered_at, at), self.calendar)

    def _advance(self, at: int, pipeline: str) -> None:
        self.advances[self.owner] = at
        if self.counts:
            count(self.sums, self.owner, at, ("advance", pipeline))
