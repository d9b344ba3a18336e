"""The organisation of the demo: its calendar, its two pipelines and what it expects."""

from __future__ import annotations

from typing import Final

from funnelwatch.schemas.settings import (
    BenchmarkSettings,
    CalendarSettings,
    Holidays,
    LeadSettings,
    PipelineSettings,
    Settings,
    StageSettings,
)

DEMO_CALENDAR: Final = CalendarSettings(
    zone="Europe/Berlin",
    hours=("09:00-12:30", "13:15-17:45"),
    hours_by_day={"friday": ("09:00-15:00",)},
    holidays=Holidays(country="DE"),
)
TEHRAN_CALENDAR: Final = CalendarSettings(
    zone="Asia/Tehran",
    system="jalali",
    week_start="saturday",
    working_days=("saturday", "sunday", "monday", "tuesday", "wednesday", "thursday"),
    hours=("08:30-12:30", "13:30-17:30"),
    hours_by_day={"thursday": ("08:30-13:00",)},
    holidays=Holidays(country="IR"),
)

PIPELINES: Final = (
    PipelineSettings(
        name="new business",
        stages=(
            StageSettings("qualification", 24),
            StageSettings("discovery", 32),
            StageSettings("proposal", 40),
            StageSettings("negotiation", 24),
        ),
    ),
    PipelineSettings(
        name="renewals",
        stages=(
            StageSettings("review", 32),
            StageSettings("usage talk", 24),
            StageSettings("offer", 32),
            StageSettings("agreement", 16),
        ),
    ),
)


def demo_settings(calendar: CalendarSettings = DEMO_CALENDAR) -> Settings:
    """The settings under which the figures of a simulated floor make sense.

    Args:
        calendar: The calendar to work by: a gregorian one, or ``TEHRAN_CALENDAR`` with Jalali months.
    """
    return Settings(
        name="Demo sales floor",
        currency="EUR",
        calendar=calendar,
        pipelines=PIPELINES,
        leads=LeadSettings(new_hours=4, qualified_hours=8, accepted_hours=60),
        benchmarks=BenchmarkSettings(outreach_per_day=14, conversion_rate=0.2),
    )
