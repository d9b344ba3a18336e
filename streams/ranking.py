"""Key figures of a document in one row, and how much a manager should worry: worst first.

Concern is a sum of named parts, each between 0 (nothing) and 1, so that the order can be explained: how far sales are
behind pace and behind last month, how sure the detectors are, how far outreach and conversion fall short, and how
much of what is open is overdue. A firing alert outweighs all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from funnelwatch.schemas.board import Row, SlowStage
from funnelwatch.schemas.document import Alert, Document
from funnelwatch.streams.detectors.alerts import PAGING

SEVERITY_CONCERN: Final = {"critical": 20.0, "warning": 10.0}
"""More than all parts together, so that alerts come first."""
CRITICAL_EVIDENCE: Final = 4.0
"""Evidence at which a part is whole: where the page would go out."""
REASON_MIN: Final = 0.25
"""Smaller parts are not named as a reason."""
RATE_WINDOW: Final = "30d"
DAY_WINDOW: Final = "today"


def _share(value: float) -> float:
    return min(1.0, max(0.0, value))


def main_currency(document: Document, preferred: str) -> str | None:
    """The currency to judge sales by: the quota's, else the preferred one if there is any of it, else any."""
    sales = document.sales
    for amounts in (sales.quota, sales.mtd.won_amount, sales.prev_mtd.won_amount, document.funnel.open_amount):
        if amounts:
            return preferred if preferred in amounts else next(iter(amounts))
    return None


def parts(document: Document, evidence: Mapping[str, float], currency: str | None) -> dict[str, float]:
    """What there is to worry about, each between 0 and 1; what does not exist is left out.

    Of the detectors only those that page: the slow ones judge by the figures that are parts of their own.
    """
    found = {name: _share(value / CRITICAL_EVIDENCE) for name, value in evidence.items() if name in PAGING}
    sales, funnel, outreach = document.sales, document.funnel, document.outreach
    if currency in sales.pace:
        found["pace"] = _share(1 - sales.pace[currency])
    if currency in sales.growth:
        found["growth"] = _share(-sales.growth[currency])
    if funnel.open_deals:
        found["overdue"] = _share(funnel.overdue_deals / funnel.open_deals)
    if outreach.recent_attainment is not None:
        found["outreach"] = _share(1 - outreach.recent_attainment)
    leak = document.conversion.get(RATE_WINDOW)
    if leak is not None and leak.period is not None and leak.expected:
        found["conversion"] = _share(1 - leak.period / leak.expected)
    return found


def worst_severity(alerts: Iterable[Alert]) -> str | None:
    """``critical`` if any alert is, else ``warning`` if there is one."""
    return max((alert.severity for alert in alerts), key=lambda one: SEVERITY_CONCERN.get(one, 0.0), default=None)


def row(document: Document, evidence: Mapping[str, float], severity: str | None, preferred: str) -> Row:
    """The key figures of a document. An inactive rep is of no concern.

    Args:
        document: Of a rep, a team or the organisation.
        evidence: What the detectors see in it, by detector.
        severity: Of the worst alert that fires for it.
        preferred: The organisation's currency.
    """
    currency = main_currency(document, preferred)
    found = parts(document, evidence, currency) if document.active else {}
    concern = sum(found.values()) + SEVERITY_CONCERN.get(severity or "", 0.0)
    sales, funnel, outreach = document.sales, document.funnel, document.outreach
    leak = document.conversion.get(RATE_WINDOW)
    rates = document.windows.get(RATE_WINDOW)
    today = outreach.windows.get(DAY_WINDOW)
    return Row(
        level=document.level,
        id=document.id,
        name=document.name,
        team=document.team,
        manager=document.manager,
        active=document.active,
        as_of=document.as_of,
        concern=round(concern, 3),
        reasons=[name for name, value in sorted(found.items(), key=lambda part: -part[1]) if value >= REASON_MIN],
        severity=severity,
        currency=currency,
        month=sales.month,
        elapsed=sales.elapsed,
        won=sales.mtd.won,
        won_amount=sales.mtd.won_amount,
        quota=sales.quota,
        attainment=sales.attainment,
        pace=sales.pace,
        projection=sales.projection,
        growth=sales.growth,
        cause={currency: change.cause for currency, change in sales.change.items()},
        open_deals=funnel.open_deals,
        open_amount=funnel.open_amount,
        overdue_deals=funnel.overdue_deals,
        idle_seconds=funnel.idle_seconds,
        slow_stage=_slow_stage(document),
        conversion=leak.period if leak else None,
        conversion_expected=leak.expected if leak else None,
        conversion_half=leak.half if leak else None,
        outreach_done=today.done if today else 0,
        outreach_expected=today.expected if today else None,
        outreach_attainment=today.attainment if today else None,
        outreach_recent=outreach.recent_attainment,
        needs_support=outreach.needs_support,
        lost=rates.lost if rates else 0,
        decided=rates.lost + rates.won if rates else 0,
        loss_rate=rates.loss_rate if rates else None,
        evidence=dict(evidence),
    )


def _slow_stage(document: Document) -> SlowStage | None:
    found = [
        SlowStage(pipeline, now.bottleneck.stage, now.bottleneck.ratio)
        for pipeline, now in document.funnel.pipelines.items()
        if now.bottleneck is not None
    ]
    return max(found, key=lambda stage: stage.ratio, default=None)


def worst_first(rows: Iterable[Row]) -> list[Row]:
    """Rows by falling concern; equals by name, then id, so that the order is stable."""
    return sorted(rows, key=lambda one: (-one.concern, one.name, one.id))
