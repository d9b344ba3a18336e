"""What a fold needs to know of the organisation, prepared once."""

from __future__ import annotations

from funnelwatch.schemas.settings import Settings
from funnelwatch.streams.calendar import Calendar


class Context:
    """Stage order, default currency and calendar of the organisation. Construct it once: the calendar has caches."""

    __slots__ = ("calendar", "currency", "settings", "stage_order")

    def __init__(self, settings: Settings, calendar: Calendar) -> None:
        self.settings = settings
        self.calendar = calendar
        self.currency = settings.currency
        self.stage_order: dict[str, dict[str, int]] = {
            pipeline.name: {stage.name: place for place, stage in enumerate(pipeline.stages)}
            for pipeline in settings.pipelines
        }
