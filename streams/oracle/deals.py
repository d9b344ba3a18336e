"""Deals: the walk through the pipeline, closes, and what is open."""

from __future__ import annotations

from funnelwatch.schemas.events import DealData, Event
from funnelwatch.schemas.settings import Settings
from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.oracle.facts import Advanced, Created, Entered, Fact, Left, Lost, OpenDeal, Won
from funnelwatch.streams.oracle.history import History

CLOSING = {"deal.won": "won", "deal.lost": "lost"}


class Deal:
    """One deal, walked from its first event to its last."""

    def __init__(self, history: History, settings: Settings, calendar: Calendar) -> None:
        self.id = history.subject
        self.history = history
        self.calendar = calendar
        self.orders = {pipeline.name: [stage.name for stage in pipeline.stages] for pipeline in settings.pipelines}
        self.currency = history.final_text("currency") or settings.currency
        self.units = history.final_int("amount") or 0
        self.facts: list[Fact] = []
        self.pipeline = "default"
        self.stage = ""
        self.outcome = "open"
        self.opened_at = self.entered_at = history.created_at
        self.closed_at = 0
        self.closed_by = ""
        self.closed_in = ""
        if history.gone:
            self.outcome = "gone"
            return
        self.facts.append(Created(history.owner(0), history.created_at))
        for place, event in enumerate(history.events):
            self._step(place, event)
        self._conclude()

    def _step(self, place: int, event: Event) -> None:
        """One event: move, close or reopen; ``docs/figures.md``, "Deals"."""
        data = event.data
        if not isinstance(data, DealData):
            raise TypeError(f"a deal's event carries {type(data).__name__}: {event}")
        pipeline = data.pipeline or self.pipeline
        stage = data.stage or self.stage
        if event.type in CLOSING and stage not in self.orders.get(pipeline, []):
            stage = self.stage
        if self.outcome == "open":
            self._move(place, event.at, pipeline, stage)
        self.pipeline, self.stage = pipeline, stage
        if event.type in CLOSING:
            self._close(place, event, data.stage or "")
        elif event.type == "deal.reopened" and self.outcome != "open":
            self.outcome = "open"
            self.opened_at = event.at
            self._enter(place, event.at, pipeline, stage)

    def _move(self, place: int, at: int, pipeline: str, stage: str) -> None:
        if (pipeline, stage) == (self.pipeline, self.stage):
            return
        order = self.orders.get(pipeline, []) if pipeline == self.pipeline else []
        how = "other"
        if stage in order and self.stage in order:
            how = "forward" if order.index(stage) > order.index(self.stage) else "back"
        self._leave(place, at, how)
        self._enter(place, at, pipeline, stage)
        if how == "forward":
            self.facts.append(Advanced(self.history.owner(place), at))

    def _close(self, place: int, event: Event, label: str) -> None:
        if self.outcome == "open":
            self._leave(place, event.at, CLOSING[event.type])
            if event.type == "deal.won":
                self.facts.append(Advanced(self.history.owner(place), event.at))
        self.stage = self.stage or label
        self.outcome = CLOSING[event.type]
        self.closed_at = event.at
        self.closed_by = self.history.owner(place)
        self.closed_in = self.stage

    def _enter(self, place: int, at: int, pipeline: str, stage: str) -> None:
        self.entered_at = at
        if stage:
            self.facts.append(Entered(self.history.owner(place), at, pipeline, stage))

    def _leave(self, place: int, at: int, how: str) -> None:
        if self.stage:
            owner = self.history.owner(place - 1)
            working_us = self.calendar.working_us(self.entered_at, at)
            self.facts.append(Left(owner, at, self.pipeline, self.stage, how, working_us, at - self.entered_at))

    def _conclude(self) -> None:
        """The last close, if it stands."""
        if self.outcome == "won":
            cycle_us = self.calendar.working_us(self.history.created_at, self.closed_at)
            self.facts.append(Won(self.closed_by, self.closed_at, self.currency, self.units, cycle_us))
        if self.outcome == "lost":
            reason = self.history.final_text("lost_reason") or ""
            self.facts.append(Lost(self.closed_by, self.closed_at, self.currency, self.units, self.closed_in, reason))

    def open(self) -> OpenDeal | None:
        """The deal as it stands open now, if it does."""
        if self.outcome != "open":
            return None
        history = self.history
        last = len(history.events) - 1
        changes = [place for place in range(last + 1) if history.owner(place) != history.owner(place - 1)]
        owned_since = max([self.opened_at, *(history.events[place].at for place in changes[-1:])])
        entered_at = self.entered_at if self.stage else self.opened_at
        return OpenDeal(
            history.owner(last), self.pipeline, self.stage, self.currency, self.units, entered_at, owned_since
        )

    @property
    def lead_id(self) -> str | None:
        """The lead the deal came from."""
        return self.history.final_text("lead_id")
