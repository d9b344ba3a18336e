"""What is judged: who decided and advanced deals, and when. By day as the detectors read it."""

from __future__ import annotations

from bisect import bisect_left

import msgspec

from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.detectors.days import DayFigures, Days


class Decision(msgspec.Struct, frozen=True, gc=False):
    """A deal won or lost at an instant (µs)."""

    at: int
    is_lost: bool
    pipeline: str


class Person(msgspec.Struct):
    """One rep: ``decisions`` and ``advances`` in order of time; ``active``: the local days with any activity at all."""

    rep: str
    team: str
    decisions: list[Decision]
    advances: list[int]
    active: set[int]


class History(msgspec.Struct):
    """A floor's people, and the span to be judged (µs); what lies before ``begin`` is what baselines come from."""

    people: list[Person]
    begin: int
    end: int


class Growing:
    """The day figures of one rep as they grow; ``until`` is exclusive."""

    def __init__(self, person: Person, calendar: Calendar) -> None:
        self.days: Days = {}
        self._person = person
        self._calendar = calendar
        self._decided = self._advanced = 0
        self._active = sorted(person.active)
        self._present = 0
        self.last_advance: int | None = None

    def grow(self, until: int) -> bool:
        """Take in what happened before an instant; whether anything was decided."""
        calendar, person = self._calendar, self._person
        today = calendar.day(until)
        while self._present < len(self._active) and self._active[self._present] <= today:
            self.of(self._active[self._present])
            self._present += 1
        advanced = bisect_left(person.advances, until, self._advanced)
        for at in person.advances[self._advanced : advanced]:
            self.of(calendar.day(at)).advances += 1
            self.last_advance = at
        self._advanced = advanced
        before = self._decided
        while self._decided < len(person.decisions) and person.decisions[self._decided].at < until:
            decision = person.decisions[self._decided]
            counts = self.of(calendar.day(decision.at))
            books = counts.lost if decision.is_lost else counts.won
            books[decision.pipeline] = books.get(decision.pipeline, 0) + 1
            self._decided += 1
        return self._decided > before

    def of(self, day: int) -> DayFigures:
        """A day's figures, from now on there."""
        found = self.days.get(day)
        if found is None:
            found = self.days[day] = DayFigures(won={}, lost={}, advances=0)
        return found
