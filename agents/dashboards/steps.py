"""Where a figure turns from good to bad on a panel: the same limits by which the detectors and the pages judge."""

from __future__ import annotations

from typing import Final

from funnelwatch.agents.dashboards.spec import Say, Step
from funnelwatch.schemas.settings import BenchmarkSettings
from funnelwatch.streams.detectors.alerts import CRITICAL_ABOVE, WARNING_ABOVE

GOOD: Final = "green"
FAIR: Final = "yellow"
BAD: Final = "red"
PLAIN: Final = "text"

AGE_SECONDS_FAIR, AGE_SECONDS_BAD = 10.0, 30.0
PACE_BAD, PACE_FAIR = 0.8, 1.0
LOSS_FAIR, LOSS_BAD = 0.6, 0.8


def evidence(say: Say) -> tuple[Step, ...]:
    """Of a detector: it warns above 3 and pages above 4."""
    return (
        Step(None, GOOD, say("as usual", "عادی")),
        Step(WARNING_ABOVE, FAIR, say("warning", "هشدار")),
        Step(CRITICAL_ABOVE, BAD, say("page", "فوری")),
    )


def pace(say: Say) -> tuple[Step, ...]:
    """Of attainment relative to the time elapsed: 1 is on pace."""
    return (
        Step(None, BAD, say("far behind", "بسیار عقب")),
        Step(PACE_BAD, FAIR, say("behind", "عقب")),
        Step(PACE_FAIR, GOOD, say("on pace", "طبق برنامه")),
    )


def support(say: Say) -> tuple[Step, ...]:
    """Of outreach: under the support ratio a rep needs help."""
    return (
        Step(None, BAD, say("needs support", "نیازمند کمک")),
        Step(BenchmarkSettings().support_ratio, FAIR, say("below benchmark", "زیر معیار")),
        Step(1.0, GOOD, say("at benchmark", "در حد معیار")),
    )


def loss(say: Say) -> tuple[Step, ...]:
    """Of the loss ratio; what pages is the evidence, not this figure."""
    return (
        Step(None, GOOD, say("usual", "معمول")),
        Step(LOSS_FAIR, FAIR, say("high", "بالا")),
        Step(LOSS_BAD, BAD, say("very high", "بسیار بالا")),
    )


def age(say: Say) -> tuple[Step, ...]:
    """Of the oldest partition's figures."""
    return (
        Step(None, GOOD, say("fresh", "تازه")),
        Step(AGE_SECONDS_FAIR, FAIR, say("ageing", "در حال کهنه شدن")),
        Step(AGE_SECONDS_BAD, BAD, say("old", "کهنه")),
    )


def any_is_bad(say: Say) -> tuple[Step, ...]:
    """Of a count that should be 0."""
    return (Step(None, GOOD, say("none", "هیچ")), Step(1, BAD, say("some", "دارد")))
