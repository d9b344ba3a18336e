"""A seeded floor on which nothing is wrong: reps differ, days differ, and yet nobody's chances change.

Each rep has a loss rate and paces of his or her own; the pace varies from day to day by a gamma factor and drifts from
week to week; there are days of leave. So counts are overdispersed as real ones are: a plain Poisson floor would make
any detector look good.
"""

from __future__ import annotations

from random import Random
from typing import Final

import msgspec

from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.calibration.history import Decision, History, Person

PIPELINE: Final = "default"
HISTORY_WORKING_DAYS: Final = 70
"""Before the span that is judged: the longest window and its prior are 60 working days."""


class Habits(msgspec.Struct, frozen=True):
    """What the floor is like. Paces are per whole working day."""

    reps: int = 500
    team_size: int = 10
    decided_per_day: float = 5.0
    advances_per_day: float = 5.2
    pace_spread: float = 0.35
    """Of a rep's pace about the floor's: standard deviation of its logarithm."""
    week_spread: float = 0.15
    """The same of a week about the rep's pace."""
    day_shape: float = 6.0
    """Of the gamma factor by which a day's pace varies."""
    loss_rate: float = 0.55
    loss_spread: float = 0.05
    leave_share: float = 0.04


def floor(random: Random, calendar: Calendar, begin: int, judged_days: int, habits: Habits) -> History:
    """A floor that is judged for so many calendar days from ``begin`` (µs).

    Args:
        random: Fixes everything.
        calendar: The organisation's.
        begin: The first judged instant; history lies before it.
        judged_days: How many calendar days are judged.
        habits: What the floor is like.
    """
    first = _days_before(calendar, calendar.day(begin), HISTORY_WORKING_DAYS)
    last = calendar.day(begin) + judged_days
    days = [day for day in range(first, last) if calendar.day_working_us(day)]
    people = []
    for number in range(habits.reps):
        own = Random(random.random())  # noqa: S311  (a simulation repeats itself by its seed)
        people.append(_person(own, calendar, days, number, habits))
    return History(people, begin, calendar.day_start(last))


def _person(random: Random, calendar: Calendar, days: list[int], number: int, habits: Habits) -> Person:
    whole = max(map(calendar.day_working_us, days), default=0)
    lost = min(0.9, max(0.1, random.gauss(habits.loss_rate, habits.loss_spread)))
    factor = random.lognormvariate(0, habits.pace_spread)
    person = Person(f"rep-{number:04}", f"team-{number // habits.team_size:03}", [], [], set())
    week = 1.0
    for day in days:
        if day % 7 == days[0] % 7:
            week = random.lognormvariate(0, habits.week_spread)
        if random.random() < habits.leave_share:
            continue
        person.active.add(day)
        share = calendar.day_working_us(day) / whole
        pace = factor * week * share * random.gammavariate(habits.day_shape, 1 / habits.day_shape)
        decided = _instants(random, calendar, day, habits.decided_per_day * pace)
        person.decisions += [Decision(at, random.random() < lost, PIPELINE) for at in decided]
        person.advances += _instants(random, calendar, day, habits.advances_per_day * pace)
    return person


def _instants(random: Random, calendar: Calendar, day: int, mean: float) -> list[int]:
    """Poisson instants in the working time of a day, in order."""
    start, worked = calendar.day_start(day), calendar.day_working_us(day)
    found, at = [], random.expovariate(1.0)
    while at < mean:
        found.append(calendar.working_after(start, 1 + int(at / mean * (worked - 1))))
        at += random.expovariate(1.0)
    return found


def _days_before(calendar: Calendar, day: int, working_days: int) -> int:
    while working_days:
        day -= 1
        working_days -= calendar.day_working_us(day) > 0
    return day
