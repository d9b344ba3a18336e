"""Calls and emails: what was done, whom it reached, what can be listened to."""

from __future__ import annotations

from funnelwatch.streams.oracle.facts import Called, Emailed, Fact, Recording, Replied, Touch
from funnelwatch.streams.oracle.history import History


class Call:
    """One call."""

    def __init__(self, history: History) -> None:
        self.facts: list[Fact] = []
        self.touch: Touch | None = None
        self.recording: Recording | None = None
        if history.gone:
            return
        outcome = history.final_text("outcome")
        talk_ms = history.final_int("talk_ms")
        completed = history.places("call.completed")
        if completed:
            rep, at = history.owner(completed[-1]), history.events[completed[-1]].at
            direction = history.final_text("direction") or "outbound"
            cold = bool(history.final_int("cold"))
            self.facts.append(Called(rep, at, direction, cold, outcome or "", talk_ms or 0))
            self.touch = _touch(history, at)
        known = completed or history.places("call.recorded")
        url = history.final_text("recording_url")
        if url and known:
            rep, at = history.owner(known[-1]), history.events[known[-1]].at
            deal_id = history.final_text("deal_id")
            ratio = history.final_int("talk_ratio")
            self.recording = Recording(rep, history.subject, at, url, deal_id, outcome, talk_ms, ratio)


class Email:
    """One email."""

    def __init__(self, history: History) -> None:
        self.facts: list[Fact] = []
        self.touch: Touch | None = None
        if history.gone:
            return
        for place in history.places("email.sent")[-1:]:
            at = history.events[place].at
            self.facts.append(Emailed(history.owner(place), at, bool(history.final_int("cold"))))
            self.touch = _touch(history, at)
        for place in history.places("email.replied")[:1]:
            self.facts.append(Replied(history.owner(place), history.events[place].at))


def _touch(history: History, at: int) -> Touch | None:
    lead_id = history.final_text("lead_id")
    return None if lead_id is None else Touch(lead_id, at)
