"""CRMs and accounting: one module per system, each with its ``SYSTEM``; `records` is how any of them becomes events."""

from __future__ import annotations

from typing import Final

from funnelwatch.schemas.sources.contract import System
from funnelwatch.schemas.sources.crm import (
    close,
    espocrm,
    hubspot,
    odoo,
    pipedrive,
    quickbooks,
    salesforce,
    suitecrm,
    twenty,
    vtiger,
    zoho,
)

SYSTEMS: Final[tuple[System, ...]] = (
    close.SYSTEM,
    espocrm.SYSTEM,
    hubspot.SYSTEM,
    odoo.SYSTEM,
    pipedrive.SYSTEM,
    quickbooks.SYSTEM,
    salesforce.SYSTEM,
    suitecrm.SYSTEM,
    twenty.SYSTEM,
    vtiger.SYSTEM,
    zoho.SYSTEM,
)
