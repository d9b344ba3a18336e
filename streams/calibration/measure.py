"""The whole measurement: a history judged as it is, then with trouble planted into some of its reps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from random import Random
from typing import Final

import msgspec

from funnelwatch.schemas.settings import DetectorSettings
from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.calibration.curve import WITHIN_HOURS, Point, curve
from funnelwatch.streams.calibration.history import History, Person
from funnelwatch.streams.calibration.rules import rules
from funnelwatch.streams.calibration.shape import fitted
from funnelwatch.streams.calibration.trouble import losing, stalled
from funnelwatch.streams.calibration.walk import Seen, Walk

PLANTED_MAX: Final = 200
"""Reps into whose history each trouble is planted, one at a time."""
SPIKE_RATE: Final = 0.83
DAY_US: Final = 86_400_000_000
HOURS: Final = max(WITHIN_HOURS)

Progress = Callable[[str, float], None]
"""``progress(what, share)``."""


class Measured(msgspec.Struct):
    """What came of it. ``days``: how many calendar days were judged; ``shape``: fitted, None if nobody's days tell."""

    reps: int
    days: float
    planted: int
    shape: float | None
    points: list[Point]

    def of(self, rule: str) -> list[Point]:
        """The points of one rule."""
        return [point for point in self.points if point.rule == rule]


def measure(
    random: Random, history: History, calendar: Calendar, settings: DetectorSettings, progress: Progress
) -> Measured:
    """Judge a history, plant trouble into it, and judge that.

    Args:
        random: Fixes whom trouble befalls and what is lost.
        history: At least 60 working days before its begin, and some to judge.
        calendar: The organisation's.
        settings: The configured thresholds and shape.
        progress: Told how far it is.
    """
    walk = Walk(history, calendar, settings.stall_shape)
    quiet = _by_rep(walk.everybody(lambda done, total: progress("judging", done / total)))
    busy = [person for person in history.people if person.decisions and person.advances]
    chosen = random.sample(busy, min(len(busy), PLANTED_MAX))
    since = walk.instants[0] if walk.instants else history.begin
    planted = {
        "loss": _planted(walk, {one.rep: losing(random, one, since, SPIKE_RATE) for one in chosen}, since),
        "stall": _planted(walk, {one.rep: stalled(one, since) for one in chosen}, since),
    }
    progress("planting", 1.0)
    days = (history.end - history.begin) / DAY_US
    points = [
        point
        for rule in rules(settings.loss_critical, settings.stall_critical)
        for point in curve(rule, quiet, planted[rule.trouble], days)
    ]
    return Measured(len(history.people), days, len(chosen), fitted(history.people, calendar), points)


def together(several: list[Measured]) -> Measured:
    """Several measurements of the same rules as one: pages and planted troubles added up."""
    points = []
    for same in zip(*(one.points for one in several), strict=True):
        hours = [point.hours for point in same if point.hours is not None]
        points.append(
            msgspec.structs.replace(
                same[0],
                false_pages=sum(point.false_pages for point in same),
                false_a_week=sum(point.false_a_week for point in same) / len(same),
                found=tuple(sum(shares) / len(same) for shares in zip(*(point.found for point in same), strict=True)),
                hours=sum(hours) / len(hours) if hours else None,
            )
        )
    shapes = [one.shape for one in several if one.shape is not None]
    return Measured(
        reps=several[0].reps,
        days=sum(one.days for one in several),
        planted=sum(one.planted for one in several),
        shape=sum(shapes) / len(shapes) if shapes else None,
        points=points,
    )


def _planted(walk: Walk, people: dict[str, Person], since: int) -> dict[str, list[Seen]]:
    return _by_rep(walk.again(people, since, HOURS))


def _by_rep(seen: Iterable[Seen]) -> dict[str, list[Seen]]:
    found: dict[str, list[Seen]] = defaultdict(list)
    for one in seen:
        found[one.rep].append(one)
    return found
