"""Open formats, for whatever system speaks one: CloudEvents over HTTP, JSON by a mapping, changes of a database."""

from __future__ import annotations

from typing import Final

from funnelwatch.schemas.sources.contract import System
from funnelwatch.schemas.sources.formats import cloudevents, debezium, webhook

SYSTEMS: Final[tuple[System, ...]] = (cloudevents.SYSTEM, debezium.SYSTEM, webhook.SYSTEM)
