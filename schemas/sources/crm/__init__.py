"""CRMs and accounting: one module per system, each with its ``SYSTEM``."""

from __future__ import annotations

from typing import Final

from funnelwatch.schemas.sources.contract import System

SYSTEMS: Final[tuple[System, ...]] = ()
