"""A mergeable, subtractable histogram of durations: the log bins of DDSketch.

Masson, Rim, Lee: "DDSketch: a fast and fully-mergeable quantile sketch with relative-error guarantees", VLDB 2019.
A duration x falls into bin ⌈log_γ x⌉ with γ = (1 + α) / (1 − α); answering 2γ^i / (γ + 1) for bin i is off by at most
α. Counts per bin add and subtract exactly, so a bin is an ordinary measure of a cell.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil, floor, log

RELATIVE_ERROR = 0.01
_GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_LOG_GAMMA = log(_GAMMA)
ZERO_BIN = -1
"""The bin of durations under a millisecond."""


def bin_of(duration_us: int) -> int:
    """The bin of a duration in µs: ``ZERO_BIN`` below 1 ms, else ⌈log_γ(ms)⌉ ≥ 0."""
    ms = duration_us / 1_000
    return ZERO_BIN if ms < 1 else ceil(log(ms) / _LOG_GAMMA)


def bin_starts(longest_us: int) -> list[int]:
    """The smallest duration (µs) of each bin from 0 on, until one that is longer than ``longest_us``."""
    starts = [1_000]
    while starts[-1] <= longest_us:
        number, low, high = len(starts), starts[-1], 2 * starts[-1]
        while low + 1 < high:
            middle = (low + high) // 2
            low, high = (low, middle) if bin_of(middle) >= number else (middle, high)
        starts.append(high)
    return starts


def bin_seconds(number: int) -> float:
    """The duration in seconds that stands for a bin."""
    return 0.0 if number == ZERO_BIN else 2 * _GAMMA**number / (_GAMMA + 1) / 1_000


def rank(quantile: float, count: int) -> int:
    """Index into ``count`` sorted values of their ``quantile``: the lower of the two neighbours, ⌊q (n − 1)⌋."""
    return floor(quantile * (count - 1))


def quantile_seconds(bins: Iterable[tuple[int, int]], quantile: float) -> float | None:
    """The quantile of the durations counted in (bin, count) pairs, in seconds; None if there are none."""
    counts = sorted((number, count) for number, count in bins if count)
    wanted = rank(quantile, sum(count for _, count in counts))
    seen = 0
    for number, count in counts:
        seen += count
        if seen > wanted:
            return bin_seconds(number)
    return None
