"""Open formats, for whatever system speaks one: CloudEvents over HTTP, JSON by a mapping."""

from __future__ import annotations

from typing import Final

from funnelwatch.schemas.sources.contract import System
from funnelwatch.schemas.sources.formats import cloudevents, webhook

SYSTEMS: Final[tuple[System, ...]] = (cloudevents.SYSTEM, webhook.SYSTEM)
