"""Traffic through stages: the measures of sojourns that begin and end. Shared by deals and leads."""

from __future__ import annotations

from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.cells import MINUTE_US, Measure
from funnelwatch.streams.sketch import bin_of

FORWARD = "forward"
BACK = "back"
WON = "won"
LOST = "lost"
OTHER = "other"

RepSums = dict[tuple[str, int, Measure], int]
"""(rep, minute, measure) → amount."""


def count(sums: RepSums, rep: str, at: int, measure: Measure, amount: int = 1) -> None:
    """Credit ``amount`` of a measure to a rep at an instant."""
    key = (rep, at // MINUTE_US, measure)
    sums[key] = sums.get(key, 0) + amount


def leave(sums: RepSums, who: tuple[str, str, str], how: str, span: tuple[int, int], calendar: Calendar) -> None:
    """A sojourn ends.

    Args:
        sums: Where it is counted.
        who: Rep, pipeline and stage.
        how: `FORWARD` and so on.
        span: Its begin and end in µs.
        calendar: Tells its working time.
    """
    rep, pipeline, stage = who
    since, at = span
    minute = at // MINUTE_US
    working = calendar.working_us(since, at)
    wall = at - since
    for measure, amount in (
        (("left", pipeline, stage, how), 1),
        (("work", pipeline, stage, bin_of(working)), 1),
        (("wall", pipeline, stage, bin_of(wall)), 1),
        (("work_us", pipeline, stage), working),
        (("wall_us", pipeline, stage), wall),
    ):
        if amount:
            key = (rep, minute, measure)
            sums[key] = sums.get(key, 0) + amount
