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
    get = sums.get
    key: tuple[str, int, Measure] = (rep, minute, ("left", pipeline, stage, how))
    sums[key] = get(key, 0) + 1
    key = (rep, minute, ("work", pipeline, stage, bin_of(working)))
    sums[key] = get(key, 0) + 1
    key = (rep, minute, ("wall", pipeline, stage, bin_of(wall)))
    sums[key] = get(key, 0) + 1
    if working:
        key = (rep, minute, ("work_us", pipeline, stage))
        sums[key] = get(key, 0) + working
    if wall:
        key = (rep, minute, ("wall_us", pipeline, stage))
        sums[key] = get(key, 0) + wall
