"""Tail probabilities of the three laws the detectors use, as evidence (−log10 p), exact in the log domain."""

from __future__ import annotations

from collections.abc import Iterable
from math import exp, inf, lgamma, log, log1p

EVIDENCE_MAX = 300.0
"""Evidence is capped here: beyond it the probability underflows a double."""

_LN10 = log(10)


def _evidence(log_terms: Iterable[float]) -> float:
    """−log10 of a sum of probabilities given by their natural logarithms."""
    terms = list(log_terms)
    top = max(terms, default=-inf)
    if top == -inf:
        return EVIDENCE_MAX
    total = top + log(sum(exp(term - top) for term in terms))
    return min(EVIDENCE_MAX, max(0.0, -total / _LN10))


def _log_binomial(n: int, k: int, p: float) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) + k * log(p) + (n - k) * log1p(-p)


def binomial_at_least(n: int, x: int, p: float) -> float:
    """Evidence of x or more of n, each with probability 0 < p < 1."""
    return 0.0 if x <= 0 else _evidence(_log_binomial(n, k, p) for k in range(x, n + 1))


def binomial_at_most(n: int, x: int, p: float) -> float:
    """Evidence of x or fewer of n, each with probability 0 < p < 1."""
    return 0.0 if x >= n else _evidence(_log_binomial(n, k, p) for k in range(x + 1))


def poisson_at_most(mean: float, x: int) -> float:
    """Evidence of x or fewer where ``mean`` > 0 are expected."""
    return _evidence(k * log(mean) - mean - lgamma(k + 1) for k in range(x + 1))


def none_expected(means: Iterable[float], shape: float) -> float:
    """Evidence of no event at all on days on which ``means`` are expected: P = Π (1 + mean ÷ shape)^−shape.

    Each day's count is negative binomial: Poisson, with a rate that varies from day to day by a gamma factor of this
    shape, independently. With shape → ∞ this is Poisson's e^−Σ means.
    """
    return min(EVIDENCE_MAX, sum(shape * log1p(max(0.0, mean) / shape) for mean in means) / _LN10)
