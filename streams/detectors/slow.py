"""The slow detectors: sales declining, outreach short, conversion low.

Judged from a rep's KPI document, at most once a day. Each answers with evidence on the same scale as the others; what
falls short but could be chance stays small.
"""

from __future__ import annotations

import msgspec

from funnelwatch.schemas.document import Document
from funnelwatch.streams.detectors.tails import binomial_at_most, poisson_at_most

DECLINE_MIN = 0.2
"""A decline smaller than this share of ``prev_mtd`` is nobody's warning."""
ELAPSED_MIN = 0.2
"""Before this share of the month's working time a month-over-month comparison says little."""
OUTREACH_DAYS = 5
CONVERSION_WINDOW = "90d"


class Shortfall(msgspec.Struct, frozen=True):
    """``observed`` (of ``of``) where ``baseline`` was to be expected, and the likelier cause."""

    evidence: float
    observed: float
    of: float
    baseline: float
    cause: str | None


def sales_declining(document: Document) -> Shortfall:
    """Fewer wins than in the previous month up to the same working time, and less won, in the currency that fell most.

    Given the wins of both months, each is equally likely to fall into either: P(Bin(n₀ + n₁, ½) ≤ n₁).
    """
    sales = document.sales
    now, before = sales.mtd.won, sales.prev_mtd.won
    fallen = {currency: growth for currency, growth in sales.growth.items() if growth <= -DECLINE_MIN}
    if not fallen or (sales.elapsed or 0) < ELAPSED_MIN or now >= before:
        return Shortfall(0.0, now, now + before, before, None)
    currency = min(fallen, key=lambda name: (fallen[name], name))
    change = sales.change.get(currency)
    return Shortfall(
        binomial_at_most(now + before, now, 0.5), now, now + before, before, change.cause if change else None
    )


def outreach_short(document: Document) -> Shortfall:
    """Outreach of the last 5 whole working days under the share of the benchmark that is still taken for chance."""
    outreach = document.outreach
    if not outreach.needs_support or outreach.per_day is None or outreach.recent_attainment is None:
        return Shortfall(0.0, 0.0, 0.0, 0.0, None)
    expected = OUTREACH_DAYS * outreach.per_day
    done = round(outreach.recent_attainment * expected)
    return Shortfall(poisson_at_most(expected, done), done, expected, expected, None)


def conversion_low(document: Document) -> Shortfall:
    """Fewer of the leads qualified in 90 days are customers than expected: P(Bin(qualified, expected) ≤ converted)."""
    leads, leak = document.windows[CONVERSION_WINDOW].leads, document.conversion[CONVERSION_WINDOW]
    expected = leak.expected
    converted = min(leads.cohort_converted, leads.qualified)
    if not expected or expected >= 1 or not leads.qualified or converted / leads.qualified >= expected:
        return Shortfall(0.0, converted, leads.qualified, expected or 0.0, None)
    return Shortfall(
        binomial_at_most(leads.qualified, converted, expected), converted, leads.qualified, expected, leak.half
    )
