"""How evenly reps advance deals from day to day, fitted from an organisation's own days.

A day's advances of a rep are taken for Poisson with a rate that varies by a gamma factor of shape k: their variance is
m + m² ÷ k about the rep's mean m. The method of moments over all reps gives k = Σ m² ÷ Σ (s² − m).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.calibration.history import Person

SHAPE_MAX: Final = 100.0
"""More even than this is taken for Poisson."""
DAYS_MIN: Final = 10
"""A rep with fewer whole working days tells nothing of their variance."""


def fitted(people: Iterable[Person], calendar: Calendar) -> float | None:
    """The shape; None if nobody has days enough."""
    squares = excess = 0.0
    for person in people:
        counts = Counter(map(calendar.day, person.advances))
        whole = max((calendar.day_working_us(day) for day in person.active), default=0)
        days = [counts[day] for day in person.active if whole and calendar.day_working_us(day) == whole]
        if len(days) < DAYS_MIN:
            continue
        mean = sum(days) / len(days)
        variance = sum((count - mean) ** 2 for count in days) / (len(days) - 1)
        weight = len(days)
        squares += weight * mean**2
        excess += weight * (variance - mean)
    if not squares:
        return None
    return min(SHAPE_MAX, squares / excess) if excess > 0 else SHAPE_MAX
