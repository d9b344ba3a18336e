"""A source's settings as its translator gets them: what is empty there is the organisation's."""

from __future__ import annotations

from funnelwatch.schemas.mapping import Import
from funnelwatch.schemas.settings import Settings, SourceSettings
from funnelwatch.schemas.sources.contract import SourceOptions


def options_of(source: SourceSettings, settings: Settings, mapping: Import | None = None) -> SourceOptions:
    """The options of a source; ``mapping`` is what its ``mapping_file`` holds."""
    return SourceOptions(
        name=source.name,
        system=source.system,
        zone=source.zone or settings.calendar.zone,
        prefix=source.prefix,
        currency=source.currency or settings.currency,
        stages=source.stages,
        won=source.won,
        lost=source.lost,
        lead_states=source.lead_states,
        outcomes=source.outcomes,
        fields=source.fields,
        options=source.options,
        mapping=mapping,
    )
