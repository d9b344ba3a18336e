"""Judging a history hour by working hour, with the functions that judge live."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.calibration.history import Growing, History, Person
from funnelwatch.streams.cells import OpenDeal
from funnelwatch.streams.detectors.days import DayFigures, Days
from funnelwatch.streams.detectors.loss import Spans, spans, strongest
from funnelwatch.streams.detectors.stall import pace, stall

HOUR_US: Final = 3_600_000_000
OPEN: Final = {
    "always": OpenDeal(
        pipeline="",
        stage="",
        currency="",
        amount=None,
        created_at=0,
        entered_at=0,
        owned_since=0,
        touched_at=0,
        snoozed_until=None,
        customer=None,
    )
}
"""Every rep has something to advance: an idle floor is not what is calibrated."""


class Seen(NamedTuple):
    """What was seen of a rep at an instant (µs): the evidence, and the figures that raw thresholds look at."""

    rep: str
    at: int
    loss: float
    stall: float
    lost_today: int
    decided_today: int
    waited_us: int


class Walk:
    """A floor judged from begin to end, or some reps of it judged again with trouble planted."""

    def __init__(self, history: History, calendar: Calendar, shape: float) -> None:
        self.history = history
        self.calendar = calendar
        self.shape = shape
        self.instants = list(_hours(calendar, history.begin, history.end))

    def everybody(self, progress: Callable[[int, int], None] | None = None) -> Iterator[Seen]:
        """Judge everybody at every working hour; ``progress(done, total)`` is told of each hour."""
        state = _Floor(self.history, self.calendar, self.shape)
        for number, at in enumerate(self.instants):
            state.grow(at)
            for person in self.history.people:
                yield state.judge(person, state.own[person.rep], at)
            if progress is not None:
                progress(number + 1, len(self.instants))

    def again(self, planted: dict[str, Person], since: int, hours: int) -> Iterator[Seen]:
        """Judge some reps with what was planted, the others being as they were, for so many working hours."""
        state = _Floor(self.history, self.calendar, self.shape)
        own = {rep: Growing(person, self.calendar) for rep, person in planted.items()}
        for at in [at for at in self.instants if at > since][:hours]:
            state.grow(at)
            for rep, person in planted.items():
                own[rep].grow(at)
                yield state.judge(person, own[rep], at)


class _Floor:
    def __init__(self, history: History, calendar: Calendar, shape: float) -> None:
        self._calendar = calendar
        self._shape = shape
        self.own = {person.rep: Growing(person, calendar) for person in history.people}
        self._teams: dict[str, list[str]] = {}
        for person in history.people:
            self._teams.setdefault(person.team, []).append(person.rep)
        self._day = 0
        self._windows: list[Spans] = []
        self._books: dict[str, Days] = {}
        self._everybody: Days = {}
        self._paces: dict[str, tuple[int, int]] = {}
        self._losses: dict[int, tuple[tuple[int, int, int], float]] = {}

    def grow(self, until: int) -> None:
        day = self._calendar.day(until)
        for growing in self.own.values():
            growing.grow(until)
        if day != self._day:
            self._day, self._windows = day, spans(self._calendar, day)
            self._paces = {rep: pace(growing.days, self._calendar, day) for rep, growing in self.own.items()}
            self._books = {team: _added([self.own[rep].days for rep in reps]) for team, reps in self._teams.items()}
            self._everybody = _added(list(self._books.values()))
            return
        for team, reps in self._teams.items():
            _refresh(self._books[team], [self.own[rep].days for rep in reps], day)
        _refresh(self._everybody, list(self._books.values()), day)

    def judge(self, person: Person, growing: Growing, at: int) -> Seen:
        null = self.own[person.rep].days
        team = self._books[person.team] if growing.days is null else _swapped(self._books[person.team], null, growing)
        today = growing.days.get(self._day)
        lost, decided = _today(today)
        waited = self._stall(person, growing, at)
        return Seen(person.rep, at, self._loss(growing, team), waited[0], lost, decided, waited[1])

    def _loss(self, growing: Growing, team: Days) -> float:
        pipelines = sorted({name for figures in growing.days.values() for name in figures.lost})
        found = [strongest(growing.days, team, self._everybody, name, self._windows).evidence for name in pipelines]
        return max(found, default=0.0)

    def _stall(self, person: Person, growing: Growing, at: int) -> tuple[float, int]:
        others = [self._paces[rep] for rep in self._teams[person.team] if rep != person.rep]
        team = (sum(advances for advances, _ in others), sum(days for _, days in others))
        found = stall(
            growing.days, OPEN, growing.last_advance, team, calendar=self._calendar, now=at, shape=self._shape
        )
        return (found.evidence, found.waited_us) if found else (0.0, 0)


def _hours(calendar: Calendar, begin: int, end: int) -> Iterator[int]:
    at = begin
    while (at := calendar.working_after(at, HOUR_US)) < end:
        yield at


def _today(figures: DayFigures | None) -> tuple[int, int]:
    if figures is None:
        return 0, 0
    lost = sum(figures.lost.values())
    return lost, lost + sum(figures.won.values())


def _added(books: list[Days]) -> Days:
    found: Days = {}
    for day in {day for book in books for day in book}:
        _refresh(found, books, day)
    return found


def _refresh(into: Days, books: list[Days], day: int) -> None:
    figures = [book[day] for book in books if day in book]
    if not figures:
        return
    won: dict[str, int] = {}
    lost: dict[str, int] = {}
    for one in figures:
        for target, source in ((won, one.won), (lost, one.lost)):
            for name, number in source.items():
                target[name] = target.get(name, 0) + number
    into[day] = DayFigures(won=won, lost=lost, advances=sum(one.advances for one in figures))


def _swapped(team: Days, null: Days, growing: Growing) -> Days:
    """The team's book with one rep's other figures in place of what they were."""
    found = dict(team)
    for day in null.keys() | growing.days.keys():
        before, after = null.get(day), growing.days.get(day)
        if before is after or before == after:
            continue
        base = team.get(day) or DayFigures(won={}, lost={}, advances=0)
        won, lost = dict(base.won), dict(base.lost)
        for figures, sign in ((before, -1), (after, 1)):
            if figures is not None:
                for target, source in ((won, figures.won), (lost, figures.lost)):
                    for name, number in source.items():
                        target[name] = target.get(name, 0) + sign * number
        found[day] = DayFigures(won=won, lost=lost, advances=base.advances)
    return found
