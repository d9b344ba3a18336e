"""KPI 2: which stage holds a pipeline up, counting also what has not left it yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from funnelwatch.schemas.document import Bottleneck
from funnelwatch.streams.kpis.parts import Bins
from funnelwatch.streams.sketch import bin_seconds

SOJOURNS_MIN: Final = 5
"""Fewer sojourns say nothing about a stage."""


class StageTimes(NamedTuple):
    """Sojourns of one stage by bin of working time: those that ended in the window, and the open ones' ages."""

    stage: str
    expected_seconds: float | None
    ended: Bins
    present: Bins


def bottleneck(stages: Iterable[StageTimes]) -> Bottleneck | None:
    """The stage with the largest median ÷ expected; the first one if equal, None if no stage can be judged."""
    worst: Bottleneck | None = None
    for stage, expected, ended, present in stages:
        sojourns = sum(ended.values()) + sum(present.values())
        if not expected or expected < 0 or sojourns < SOJOURNS_MIN:
            continue
        median = bin_seconds(median_bin(ended, present))
        if worst is None or median / expected > worst.ratio:
            worst = Bottleneck(stage, median, expected, median / expected, sojourns)
    return worst


def median_bin(ended: Bins, present: Bins) -> int:
    """Median of sojourns of which some are not over: Kaplan and Meier's, over bins; there must be a sojourn.

    Kaplan, Meier: "Nonparametric estimation from incomplete observations", JASA 53 (1958). Survival is kept as a
    fraction of integers. Between two censored bins its factors cancel: at risk after a bin are those who survived it.
    """
    at_risk = _total(ended) + _total(present)
    numerator = denominator = 1
    entered = at_risk  # at risk when the present run without censoring began
    for number in sorted(ended.keys() | present.keys()):
        survived = at_risk - ended.get(number, 0)
        if 2 * numerator * survived <= denominator * entered:
            return number
        at_risk = survived
        censored = present.get(number, 0)
        if censored:
            numerator *= survived
            denominator *= entered
            at_risk = entered = survived - censored
    return max(ended.keys() | present.keys())


def _total(bins: Mapping[int, int]) -> int:
    return sum(bins.values())
