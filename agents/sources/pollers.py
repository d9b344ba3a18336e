"""The pollers there are, by their system's name."""

from __future__ import annotations

from typing import Final

from funnelwatch.agents.gateway.polling import Poller
from funnelwatch.agents.sources import (
    asterisk,
    debezium,
    hubspot,
    quickbooks,
    ringcentral,
    salesforce,
    suitecrm,
    vtiger,
    zoho,
)

POLLERS: Final[dict[str, Poller]] = {
    "asterisk": asterisk.POLLER,
    "debezium": debezium.POLLER,
    "hubspot": hubspot.POLLER,
    "quickbooks": quickbooks.POLLER,
    "ringcentral": ringcentral.POLLER,
    "salesforce": salesforce.POLLER,
    "suitecrm": suitecrm.POLLER,
    "vtiger": vtiger.POLLER,
    "zoho": zoho.POLLER,
}
