"""All systems that can be a source, by their name."""

from __future__ import annotations

from typing import Final

from funnelwatch.schemas.sources import crm, formats, phones
from funnelwatch.schemas.sources.contract import System

SYSTEMS: Final[dict[str, System]] = {
    system.name: system for system in (*crm.SYSTEMS, *phones.SYSTEMS, *formats.SYSTEMS)
}
