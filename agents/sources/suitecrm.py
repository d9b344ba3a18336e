"""SuiteCRM's V8 API: logs in as an OAuth2 client, reads what was changed since the last time, page by page.

Deleted records are not in the API, so deletions are not seen.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any, Final

from funnelwatch.agents.clock import now_us
from funnelwatch.agents.errors import OperationError
from funnelwatch.agents.gateway.polling import Polled, Poller
from funnelwatch.agents.sources import seen
from funnelwatch.agents.sources.api import Api, could_begin, document_of, secret_of
from funnelwatch.agents.sources.fetching import take
from funnelwatch.agents.sources.place import Place
from funnelwatch.agents.sources.token import Token
from funnelwatch.schemas.reasons import RefusedError
from funnelwatch.schemas.sources import reading
from funnelwatch.schemas.sources.contract import Delivery, SourceOptions
from funnelwatch.schemas.sources.crm import records, values
from funnelwatch.schemas.sources.crm.records import Outcome
from funnelwatch.schemas.sources.crm.suitecrm import LOST, WON

log = logging.getLogger(__name__)

PAGE: Final = 100
PAGES_MAX: Final = 100_000
MODULES: Final = ("Users", "Leads", "Opportunities", "Calls")
STAGES: Final = {"Opportunities": "sales_stage", "Leads": "status"}


class Session:
    """An access token that is renewed when it has expired."""

    def __init__(self, api: Api, client_id: str, secret: str) -> None:
        self._api = api
        self._form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
        self._token = Token(self._log_in)

    async def page(self, module: str, since: str, number: int) -> list[dict[str, Any]]:
        """A page of records that were changed at an instant or later, in the order of their changes.

        Raises:
            OperationError: SuiteCRM does not answer, or not with a document.
        """
        query = {
            "filter[date_modified][gte]": since,
            "sort": "date_modified",
            "page[size]": str(PAGE),
            "page[number]": str(number),
        }
        answer = await self._token.used(
            lambda token: self._api.get(
                f"/Api/V8/module/{module}",
                query,
                {"authorization": f"Bearer {token}", "accept": "application/vnd.api+json"},
            )
        )
        data = _document(answer.body).get("data")
        return [row for row in data if isinstance(row, dict)] if isinstance(data, list) else []

    async def _log_in(self) -> str:
        found = _document((await self._api.post("/Api/access_token", self._form)).body)
        token = reading.text_of(found.get("access_token"))
        if not token:
            raise OperationError("SuiteCRM gives no access_token: is its OAuth2 client one for client credentials?")
        return token


async def poll(polled: Polled) -> None:
    """Read what changed, again and again, until cancelled."""
    options = polled.source.options
    async with Api(options.option("address"), float(options.option("pause_seconds", "0.5"))) as api:
        session = Session(api, options.option("client_id"), secret_of(polled.source))
        while True:
            for module in MODULES:
                await look(polled, session, module)
            polled.heard()
            await asyncio.sleep(float(options.option("poll_seconds", "15")))


async def look(polled: Polled, session: Session, module: str) -> None:
    """Read everything of a module that changed since the last look.

    Raises:
        OperationError: SuiteCRM does not answer.
        FullError: There is no room for events.
    """
    key = f"{module}/through"
    place = behind = await Place.noted(polled, key) or Place()
    for number in range(1, PAGES_MAX):
        rows = await session.page(module, place.through, number)
        new = place.new(rows)
        if new:
            behind = behind.after(new, _modified)
            if module in STAGES:
                await seen.mark(polled, module, new, lambda row: _look_of(row, module, polled.source.options))
            body = json.dumps({"data": new}).encode()
            await take(polled, Delivery(body=body, received_us=now_us()), f"a page of {module}")
            await behind.note(polled, key)
            log.info(
                "%s of the source %s: %d records read", module, polled.source.name, (number - 1) * PAGE + len(rows)
            )
        if len(rows) < PAGE:
            break


def _modified(row: dict[str, Any]) -> str:
    """When a record was changed, as the filter wants it."""
    attributes = row.get("attributes")
    text = reading.text_of(attributes.get("date_modified")) if isinstance(attributes, dict) else ""
    try:
        return reading.instant_text(values.needed(text, "date_modified"))[:19].replace("T", " ")
    except RefusedError:
        return ""


def _look_of(row: dict[str, Any], module: str, options: SourceOptions) -> seen.Look | None:
    attributes = row.get("attributes")
    if not isinstance(attributes, dict):
        return None
    try:
        modified_at = values.needed(attributes.get("date_modified"), "date_modified")
        created_at = values.instant(attributes.get("date_entered"), "date_entered")
        stage = reading.text_of(attributes.get(STAGES[module]))
        closed = module == "Opportunities" and records.deal_stage(stage, options, WON, LOST) is not Outcome.OPEN
        day = reading.text_of(attributes.get("date_closed"))[:10]
        closed_at = values.instant(f"{day} 23:59:59", "date_closed", options.zone) if closed and day else None
        if closed_at is not None:
            closed_at = min(modified_at, max(closed_at, created_at or closed_at))
        return values.identity(row.get("id"), "id"), stage, modified_at, closed_at
    except RefusedError:
        return None  # the translator says why


def _document(body: bytes) -> dict[str, Any]:
    return document_of(body, "SuiteCRM", "that of SuiteCRM")


POLLER: Final = Poller(poll, check=could_begin)
