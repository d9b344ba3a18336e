"""False pages against what is found, for every rule and threshold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Final

import msgspec

from funnelwatch.streams.calibration.rules import Rule
from funnelwatch.streams.calibration.walk import Seen

WITHIN_HOURS: Final = (8, 16, 24, 40, 80)
"""Working hours within which trouble counts as found: 1, 2, 3, 5 and 10 days of eight hours."""
REPS_OF_BUDGET: Final = 500
"""Pages are counted for so many reps and a week, whatever the floor's size."""
DAYS_A_WEEK: Final = 7

Series = Mapping[str, Sequence[Seen]]
"""What was seen of each rep, in order of time."""


class Point(msgspec.Struct, frozen=True):
    """A rule at one threshold.

    ``false_a_week``: pages on a floor without trouble, for 500 reps. ``found``: the share of planted troubles found
    within each of `WITHIN_HOURS`. ``hours``: median working hours until found, of those found at all; None if none was.
    """

    rule: str
    trouble: str
    threshold: float
    false_pages: int
    false_a_week: float
    found: tuple[float, ...]
    hours: float | None


def curve(rule: Rule, quiet: Series, planted: Series, days: float) -> list[Point]:
    """A rule at all its thresholds.

    Args:
        rule: What pages.
        quiet: A floor on which nothing is wrong (or an organisation's own past), judged for so many calendar ``days``.
        planted: Reps with trouble, judged from the hour it began; hourly.
        days: How long ``quiet`` was judged.
    """
    calm = [[rule.value(seen) for seen in series] for series in quiet.values()]
    troubled = [[rule.value(seen) for seen in series] for series in planted.values()]
    scale = REPS_OF_BUDGET / max(1, len(calm)) / (days / DAYS_A_WEEK)
    points = []
    for threshold in rule.thresholds:
        clears = threshold if rule.clears is None else rule.clears
        false = sum(pages(values, threshold, clears) for values in calm)
        waits = [_wait(values, threshold) for values in troubled]
        found = [wait for wait in waits if wait is not None]
        shares = tuple(sum(wait <= hours for wait in found) / max(1, len(waits)) for hours in WITHIN_HOURS)
        hours = median(found) if found else None
        points.append(Point(rule.name, rule.trouble, threshold, false, false * scale, shares, hours))
    return points


def pages(values: Iterable[float], threshold: float, clears: float) -> int:
    """How often an alert becomes critical: above the threshold, after it was under ``clears``."""
    count, fires = 0, False
    for value in values:
        if not fires and value > threshold:
            count, fires = count + 1, True
        elif fires and (value < clears or (clears == threshold and value <= threshold)):
            fires = False
    return count


def within_budget(points: Sequence[Point], budget_a_week: float) -> Point | None:
    """The lowest threshold from which on the false pages stay within the budget; None if there is none."""
    chosen = None
    for point in sorted(points, key=lambda point: -point.threshold):
        if point.false_a_week > budget_a_week:
            break
        chosen = point
    return chosen


def _wait(values: Sequence[float], threshold: float) -> int | None:
    return next((hour for hour, value in enumerate(values, 1) if value > threshold), None)
