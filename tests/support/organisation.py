"""A small organisation for examples: two pipelines, euros, working hours Monday to Friday, 09:00 to 17:00 UTC."""

from __future__ import annotations

from funnelwatch.schemas.settings import PipelineSettings, Settings, StageSettings
from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.context import Context

STAGES = (StageSettings("Qualify", 16), StageSettings("Demo", 24), StageSettings("Offer", 40))
SETTINGS = Settings(pipelines=(PipelineSettings("default", STAGES), PipelineSettings("partner", STAGES)))
CALENDAR = Calendar(SETTINGS.calendar)
CONTEXT = Context(SETTINGS, CALENDAR)
