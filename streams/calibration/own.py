"""An organisation's own past as a history to judge: what its events say, by the folds that the workers use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from funnelwatch.schemas.events import Event, Kind
from funnelwatch.schemas.settings import Settings
from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.calibration.history import Decision, History, Person
from funnelwatch.streams.cells import MINUTE_US, Contribution, RepRecord
from funnelwatch.streams.context import Context
from funnelwatch.streams.folds import FOLDS

BASELINE_WORKING_DAYS: Final = 60
"""What the longest window and its prior look back on."""


class TooShortError(ValueError):
    """The history has not even what baselines are taken from."""


def own(events: Iterable[Event], settings: Settings, calendar: Calendar) -> History:
    """The history that these events tell, judged once the first baselines are there.

    Raises:
        TooShortError: It has not more than `BASELINE_WORKING_DAYS` working days.
    """
    people: dict[str, Person] = {}
    teams: dict[str, str] = {}
    first, last = None, 0
    for contribution in _contributions(events, Context(settings, calendar)):
        for (rep, minute, measure), amount in contribution.sums.items():
            if not rep:
                continue
            at = minute * MINUTE_US
            first, last = at if first is None else min(first, at), max(last, at)
            person = people.setdefault(rep, Person(rep, "", [], [], set()))
            person.active.add(calendar.day(at))
            if measure[0] in {"won", "lost"}:
                decision = Decision(at, is_lost=measure[0] == "lost", pipeline=str(measure[1]))
                person.decisions += [decision] * amount
            elif measure[0] == "advance":
                person.advances += [at] * amount
        for cell, item in contribution.items.items():
            if isinstance(item, RepRecord) and item.teams:
                teams[cell.id] = item.teams[-1][1]
    for rep, person in people.items():
        person.team = teams.get(rep, "")
        person.decisions.sort(key=lambda decision: decision.at)
        person.advances.sort()
    return History(list(people.values()), _begin(calendar, first, last), last)


def _begin(calendar: Calendar, first: int | None, last: int) -> int:
    day, left = calendar.day(first or 0), BASELINE_WORKING_DAYS
    end = calendar.day(last)
    while left and day < end:
        left -= calendar.day_working_us(day) > 0
        day += 1
    if first is None or left:
        raise TooShortError(
            f"the history is too short: baselines need {BASELINE_WORKING_DAYS} working days before the first day that "
            "is judged"
        )
    return calendar.day_start(day)


def _contributions(events: Iterable[Event], context: Context) -> Iterator[Contribution]:
    states: dict[tuple[Kind, str], Any] = {}
    for event in events:
        key = event.kind, event.subject
        if key not in states:
            states[key] = FOLDS[event.kind].empty()
        FOLDS[event.kind].add(states[key], event)
    for (kind, subject), state in states.items():
        yield FOLDS[kind].contribution(subject, state, context)
