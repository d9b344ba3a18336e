"""HubSpot's objects that webhooks only name: deals and contacts with the history of what matters, calls, emails."""

from __future__ import annotations

import json
from typing import Any, Final

from funnelwatch.agents.clock import now_us
from funnelwatch.agents.errors import OperationError
from funnelwatch.agents.gateway.polling import Polled, Poller
from funnelwatch.agents.sources.api import Api, could_begin, secret_of
from funnelwatch.agents.sources.fetching import fetch_all
from funnelwatch.schemas.sources.contract import Delivery, SourceOptions, Wanted

ADDRESS: Final = "https://api.hubapi.com"
NOT_FOUND: Final = 404
PROPERTIES: Final = {
    "deals": (
        *("dealstage", "pipeline", "amount", "deal_currency_code", "hubspot_owner_id", "closedate"),
        "closed_lost_reason",
    ),
    "contacts": ("lifecyclestage", "hs_lead_status", "hubspot_owner_id", "hs_analytics_source"),
    "leads": ("hs_pipeline_stage", "hubspot_owner_id", "hs_lead_source", "hs_lead_disqualification_reason"),
    "calls": (
        *("hs_timestamp", "hs_call_direction", "hs_call_disposition", "hs_call_duration", "hs_call_status"),
        *("hs_call_recording_url", "hs_call_to_number", "hs_call_from_number", "hubspot_owner_id", "hs_activity_type"),
    ),
    "emails": ("hs_timestamp", "hs_email_direction", "hubspot_owner_id"),
}
HISTORIES: Final = frozenset({"deals", "contacts", "leads"})


async def poll(polled: Polled) -> None:
    """Fetch until cancelled."""
    options = polled.source.options
    token = {"authorization": f"Bearer {secret_of(polled.source)}"}
    async with Api(options.option("address", ADDRESS), float(options.option("pause_seconds", "0.5"))) as api:

        async def fetch(wanted: Wanted) -> Delivery | None:
            names = PROPERTIES.get(wanted.entity)
            if names is None:
                return None
            answer = await api.get(f"/crm/v3/objects/{wanted.entity}/{wanted.id}", query(wanted, options), token)
            if answer.status == NOT_FOUND:
                return None
            return Delivery(body=_named(answer.body, wanted.entity), received_us=now_us())

        await fetch_all(polled, fetch)


def query(wanted: Wanted, options: SourceOptions) -> dict[str, str]:
    """Which properties are asked for; those that the source's ``fields`` name as well."""
    names = ",".join((*PROPERTIES[wanted.entity], *options.fields.values()))
    found = {"properties": names}
    if wanted.entity in HISTORIES:
        found["propertiesWithHistory"] = names
    if wanted.entity == "deals":
        found["associations"] = options.option("leads", "contacts")
    return found


def _named(body: bytes, objects: str) -> bytes:
    """The answer with what kind of object it is, which HubSpot leaves to the address."""
    try:
        found: Any = json.loads(body)
    except ValueError:
        raise OperationError("HubSpot does not answer with JSON.") from None
    if not isinstance(found, dict):
        raise OperationError("HubSpot answers with something else than an object.")
    return json.dumps(found | {"objectType": objects}).encode()


POLLER: Final = Poller(
    poll,
    wanted=lambda source: source.options.option("fetch") == "True",
    fetches=True,
    check=lambda source: could_begin(source, ADDRESS),
)
