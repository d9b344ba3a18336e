"""Loss-rate spike: does a rep lose more of what is decided than was to be expected?

Windows of 1, 2, 5, 10 and 20 working days up to today. The baseline is the rep's own rate of the 40 working days
before the window, shrunk to the team's with weight 50, then shifted by how the team without the rep does in the same
window against its own prior (on the logit scale, the window's rate shrunk to the prior with weight 50): a market that
turns is not ten reps' fault.
"""

from __future__ import annotations

from math import exp, log

import msgspec

from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.detectors.days import Days, back_from, decided
from funnelwatch.streams.detectors.tails import binomial_at_least

WINDOWS_WORKING_DAYS = (1, 2, 5, 10, 20)
PRIOR_WORKING_DAYS = 40
SHRINKAGE = 50
DECIDED_MIN = 8
LIFT_MIN = 0.10
BASELINE_MIN, BASELINE_MAX = 0.02, 0.98


class Spans(msgspec.Struct, frozen=True):
    """A window and the days before it that the baseline is taken from (half-open ordinals)."""

    working_days: int
    window: range
    prior: range


class Spike(msgspec.Struct, frozen=True):
    """The strongest window: x ``lost`` of n ``decided`` against ``baseline``."""

    evidence: float
    working_days: int
    lost: int
    decided: int
    baseline: float


def spans(calendar: Calendar, today: int) -> list[Spans]:
    """The five windows that end today, each with its prior."""
    found = []
    for working_days in WINDOWS_WORKING_DAYS:
        first = back_from(calendar, today, working_days)
        prior = back_from(calendar, first - 1, PRIOR_WORKING_DAYS)
        found.append(Spans(working_days, range(first, today + 1), range(prior, first)))
    return found


def first_day_needed(calendar: Calendar, today: int) -> int:
    """The earliest day any window's prior looks at."""
    return spans(calendar, today)[-1].prior.start


def baseline(own: tuple[int, int], team_prior: tuple[int, int], team_window: tuple[int, int], fallback: float) -> float:
    """The loss rate to expect, from pairs (lost, decided).

    ``own``: the rep's prior; ``team_prior`` and ``team_window``: the team without the rep, before and in the window;
    ``fallback``: the rate the team's own prior is shrunk to (the organisation's).
    """
    team = _shrunk(team_prior, fallback)
    shift = _logit(_clip(_shrunk(team_window, team))) - _logit(_clip(team))
    expected = 1 / (1 + exp(-(_logit(_clip(_shrunk(own, team))) + shift)))
    return _clip(expected)


def strongest(own: Days, team: Days, organisation: Days, pipeline: str, windows: list[Spans]) -> Spike:
    """The window with the most evidence; evidence is 0 where too little was decided.

    ``team`` includes the subject, whose own part is taken out here; ``organisation`` is what the team's own prior
    shrinks to.
    """
    best = Spike(0.0, 0, 0, 0, 0.0)
    for span in windows:
        window = lost, n = decided(own, pipeline, span.window)
        if n < DECIDED_MIN:
            continue
        prior = decided(own, pipeline, span.prior)
        all_lost, all_n = decided(organisation, pipeline, span.prior)
        expected = baseline(
            prior,
            _without(decided(team, pipeline, span.prior), prior),
            _without(decided(team, pipeline, span.window), window),
            (all_lost + 1) / (all_n + 2),
        )
        evidence = binomial_at_least(n, lost, expected) if lost / n - expected >= LIFT_MIN else 0.0
        if evidence > best.evidence or best.decided == 0:
            best = Spike(evidence, span.working_days, lost, n, expected)
    return best


def _without(whole: tuple[int, int], part: tuple[int, int]) -> tuple[int, int]:
    return whole[0] - part[0], whole[1] - part[1]


def _shrunk(seen: tuple[int, int], towards: float) -> float:
    lost, n = seen
    return (lost + SHRINKAGE * towards) / (n + SHRINKAGE)


def _clip(rate: float) -> float:
    return min(BASELINE_MAX, max(BASELINE_MIN, rate))


def _logit(rate: float) -> float:
    return log(rate / (1 - rate))
