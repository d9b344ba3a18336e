"""Leads: milestones, cohorts, the flow over their states, first touch."""

from __future__ import annotations

from collections.abc import Sequence

from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.oracle.facts import Cohort, Entered, Fact, FirstTouch, Left, Milestone, OpenLead
from funnelwatch.streams.oracle.history import History

LEADS = "@leads"
STATES = ("new", "qualified", "accepted")
MOVES = {"lead.qualified": "qualified", "lead.accepted": "accepted"}


class Lead:
    """One lead with what the rest of the world did to it: ``won_at`` of its deals' earliest win, and its touches."""

    def __init__(self, history: History, won_at: int | None, touches: Sequence[int], calendar: Calendar) -> None:
        self.history = history
        self.calendar = calendar
        self.facts: list[Fact] = []
        self.open: OpenLead | None = None
        if history.gone:
            return
        self.last = {event.type: place for place, event in enumerate(history.events)}
        self.disqualified = self._disqualified(won_at)
        self.by_word = None if self.disqualified is not None else self.last.get("lead.converted")
        if won_at is not None and self.by_word is not None and history.events[self.by_word].at <= won_at:
            won_at = None
        self.by_deal = won_at
        self._milestones()
        self._cohorts()
        self._flow()
        self._first_touch(touches)

    def _disqualified(self, won_at: int | None) -> int | None:
        """The place of the disqualification, if it stands."""
        place = self.last.get("lead.disqualified")
        if place is None or won_at is not None:
            return None
        later = ("lead.qualified", "lead.accepted", "lead.converted")
        return None if any(self.last.get(word, -1) > place for word in later) else place

    @property
    def converted(self) -> bool:
        """Whether the lead became a customer, by word or by a won deal."""
        return self.by_word is not None or self.by_deal is not None

    def _milestones(self) -> None:
        places = {
            "created": 0,
            "qualified": self.last.get("lead.qualified"),
            "accepted": self.last.get("lead.accepted"),
            "disqualified": self.disqualified,
            "converted": None if self.by_deal is not None else self.by_word,
        }
        for what, place in places.items():
            if place is not None:
                self.facts.append(Milestone(self.history.owner(place), self.history.events[place].at, what))
        if self.by_deal is not None:
            self.facts.append(Milestone(self.history.owner_at(self.by_deal), self.by_deal, "converted"))

    def _cohorts(self) -> None:
        for qualified in [fact for fact in self.facts if isinstance(fact, Milestone) and fact.what == "qualified"]:
            if "lead.accepted" in self.last:
                self.facts.append(Cohort(qualified.rep, qualified.at, "accepted"))
            if self.converted:
                self.facts.append(Cohort(qualified.rep, qualified.at, "converted"))

    def _flow(self) -> None:
        """A sojourn in ``new``, the moves, and the close; the present sojourn if there is none."""
        events = self.history.events
        if self.by_deal is not None:
            until, end, how = sum(event.at <= self.by_deal for event in events), self.by_deal, "won"
        elif self.by_word is not None:
            until, end, how = self.by_word, events[self.by_word].at, "won"
        elif self.disqualified is not None:
            until, end, how = self.disqualified, events[self.disqualified].at, "lost"
        else:
            until, end, how = len(events), 0, ""
        if how and end < events[0].at:
            return
        state, since = "new", events[0].at
        self.facts.append(Entered(self.history.owner(0), since, LEADS, state))
        for place, event in enumerate(events[:until]):
            following = MOVES.get(event.type, state)
            if following != state:
                forward = STATES.index(following) > STATES.index(state)
                self._leave(self.history.owner(place - 1), state, since, event.at, "forward" if forward else "back")
                state, since = following, event.at
                self.facts.append(Entered(self.history.owner(place), since, LEADS, state))
        if how:
            self._leave(self.history.owner(until - 1), state, since, end, how)
        else:
            self.open = OpenLead(self.history.owner(until - 1), state, since)

    def _leave(self, rep: str, state: str, since: int, at: int, how: str) -> None:
        self.facts.append(Left(rep, at, LEADS, state, how, self.calendar.working_us(since, at), at - since))

    def _first_touch(self, touches: Sequence[int]) -> None:
        created_at = self.history.created_at
        first = min((at for at in touches if at >= created_at), default=None)
        if first is not None:
            working_us = self.calendar.working_us(created_at, first)
            self.facts.append(FirstTouch(self.history.owner_at(first), first, working_us))
