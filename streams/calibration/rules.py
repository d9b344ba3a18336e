"""What could page: the product's detectors, and the raw thresholds that most tools page by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from funnelwatch.streams.calibration.walk import HOUR_US, Seen
from funnelwatch.streams.detectors.alerts import RESOLVED_BELOW

STEP: Final = 0.25
NEIGHBOURS: Final = 6
"""Thresholds looked at on either side of the configured one."""
THRESHOLD_MIN: Final = 2.5


class Rule(msgspec.Struct, frozen=True):
    """``value`` of what was seen pages above a threshold; once it did, it does anew only after it was under ``clears``.

    ``clears`` None: under the threshold itself.
    """

    name: str
    trouble: str
    value: Callable[[Seen], float]
    thresholds: tuple[float, ...]
    clears: float | None = None
    unit: str = ""


def rules(loss_critical: float, stall_critical: float) -> tuple[Rule, ...]:
    """The detectors at the configured thresholds and neighbouring ones, and the raw rules."""
    return (
        Rule("loss spike: evidence", "loss", lambda seen: seen.loss, _near(loss_critical), RESOLVED_BELOW),
        Rule("raw: loss rate today", "loss", _loss_rate, (0.6, 0.7, 0.8, 0.9), unit="share"),
        Rule("raw: loss rate today, 5 or more decided", "loss", _loss_rate_of_five, (0.6, 0.7, 0.8, 0.9), unit="share"),
        Rule("funnel stalled: evidence", "stall", lambda seen: seen.stall, _near(stall_critical), RESOLVED_BELOW),
        Rule("raw: hours without an advance", "stall", _waited_hours, (2.0, 4.0, 8.0, 16.0, 24.0), unit="h"),
    )


def _near(configured: float) -> tuple[float, ...]:
    found = (configured + STEP * number for number in range(-NEIGHBOURS, NEIGHBOURS + 1))
    return tuple(threshold for threshold in found if threshold >= THRESHOLD_MIN)


def _loss_rate(seen: Seen, decided_min: int = 1) -> float:
    return seen.lost_today / seen.decided_today if seen.decided_today >= decided_min else 0.0


def _loss_rate_of_five(seen: Seen) -> float:
    return _loss_rate(seen, 5)


def _waited_hours(seen: Seen) -> float:
    return seen.waited_us / HOUR_US
