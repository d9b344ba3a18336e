"""What the detectors read from the day cells of a subject, and spans of working days."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import msgspec

from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.cells import Sums

DAYS_BACK_MAX = 400
"""How far back a span of working days is looked for (a calendar without working days ends here)."""


class DayFigures(msgspec.Struct, gc=False):
    """One subject's day as the detectors need it."""

    won: dict[str, int]
    lost: dict[str, int]
    advances: int


Days = dict[int, DayFigures]


def day_figures(sums: Sums) -> DayFigures:
    """Wins and losses by pipeline, and advances over all pipelines, of one day's sums."""
    won: dict[str, int] = defaultdict(int)
    lost: dict[str, int] = defaultdict(int)
    advances = 0
    for measure, amount in sums.items():
        name = measure[0]
        if name == "won":
            won[str(measure[1])] += amount
        elif name == "lost":
            lost[str(measure[1])] += amount
        elif name == "advance":
            advances += amount
    return DayFigures(won=dict(won), lost=dict(lost), advances=advances)


def extract(days: Mapping[int, Sums], first_day: int) -> Days:
    """The figures of all days from ``first_day`` on on which the subject did anything at all."""
    return {day: day_figures(sums) for day, sums in days.items() if day >= first_day and sums}


def decided(days: Days, pipeline: str, span: Iterable[int]) -> tuple[int, int]:
    """(lost, decided) of a pipeline over some days."""
    lost = won = 0
    for day in span:
        figures = days.get(day)
        if figures is not None:
            lost += figures.lost.get(pipeline, 0)
            won += figures.won.get(pipeline, 0)
    return lost, lost + won


def back_from(calendar: Calendar, last_day: int, working_days: int) -> int:
    """The first day of the span that ends with ``last_day`` and holds that many working days."""
    day, left = last_day, working_days
    for _ in range(DAYS_BACK_MAX):
        left -= calendar.day_working_us(day) > 0
        if left <= 0:
            break
        day -= 1
    return day
