"""Telephone systems: one module per system, each with its ``SYSTEM``."""

from __future__ import annotations

from typing import Final

from funnelwatch.schemas.sources.contract import System
from funnelwatch.schemas.sources.phones import (
    aircall,
    asterisk,
    dialpad,
    gong,
    pbxmanager,
    ringcentral,
    simotel,
    threecx,
    twilio,
)

SYSTEMS: Final[tuple[System, ...]] = (
    asterisk.SYSTEM,
    pbxmanager.SYSTEM,
    simotel.SYSTEM,
    threecx.SYSTEM,
    twilio.SYSTEM,
    aircall.SYSTEM,
    ringcentral.SYSTEM,
    dialpad.SYSTEM,
    gong.SYSTEM,
)
