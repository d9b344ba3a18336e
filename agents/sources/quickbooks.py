"""QuickBooks' objects that webhooks only name: fetched, and their money noted for the reconciliation.

An access token holds for an hour; the token that renews it is replaced by QuickBooks itself from time to time, so the
latest one is noted in the gateway's own file, and the configured one is only where it begins.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
from typing import Any, Final
from urllib.parse import quote

import msgspec

from funnelwatch.agents.clock import now_us
from funnelwatch.agents.errors import OperationError
from funnelwatch.agents.gateway.polling import Polled, Poller
from funnelwatch.agents.sources.api import Answer, Api, could_begin, secret_of
from funnelwatch.agents.sources.fetching import fetch_all
from funnelwatch.agents.sources.token import Token
from funnelwatch.schemas.reasons import RefusedError
from funnelwatch.schemas.sources import reading
from funnelwatch.schemas.sources.contract import Delivery, Wanted
from funnelwatch.schemas.sources.crm import quickbooks_money as money

log = logging.getLogger(__name__)

ADDRESS: Final = "https://quickbooks.api.intuit.com"
LOG_IN: Final = "https://oauth.platform.intuit.com"
NOT_FOUND: Final = 404
GONE: Final = frozenset({"deleted", "voided"})
INVOICE: Final = "invoice/"
"""Begins the keys of notes that hold an invoice's money."""
MONEY: Final = frozenset({"Invoice", "SalesReceipt", "CreditMemo"})

_encode = msgspec.json.Encoder().encode


class Session:
    """An access token that is renewed when it has expired.

    Args:
        polled: Where the renewing token is noted.
        api: Where tokens are given.
        secret: ``CLIENT_SECRET:REFRESH_TOKEN``, the token as QuickBooks gave it first.
    """

    def __init__(self, polled: Polled, api: Api, secret: str) -> None:
        self._polled = polled
        self._api = api
        client_secret, _, self._first = secret.partition(":")
        client = f"{polled.source.options.option('client_id')}:{client_secret}"
        self._basic = "Basic " + base64.b64encode(client.encode()).decode()
        self._note = f"token/{hashlib.sha256(secret.encode()).hexdigest()[:16]}"
        self._token = Token(self._renew)

    async def get(self, api: Api, path: str) -> Answer:
        """Ask for something.

        Raises:
            OperationError: QuickBooks does not answer, or does not let us in.
        """
        return await self._token.used(
            lambda token: api.get(path, None, {"authorization": f"Bearer {token}", "accept": "application/json"})
        )

    async def _renew(self) -> str:
        name = self._polled.source.name
        refresh = await self._polled.spool.noted(name, self._note) or self._first
        form = {"grant_type": "refresh_token", "refresh_token": refresh}
        headers = {"authorization": self._basic, "accept": "application/json"}
        found = _object((await self._api.post("/oauth2/v1/tokens/bearer", form, headers)).body)
        token = reading.text_of(found.get("access_token"))
        if not token:
            raise OperationError("QuickBooks gives no access_token: authorise the app again.")
        latest = reading.text_of(found.get("refresh_token"))
        if latest and latest != refresh:
            await self._polled.spool.note(name, self._note, latest)
        return token


async def poll(polled: Polled) -> None:
    """Fetch until cancelled."""
    options = polled.source.options
    pause_seconds = float(options.option("pause_seconds", "0.5"))
    async with (
        Api(options.option("address", ADDRESS), pause_seconds) as api,
        Api(options.option("log_in_address", LOG_IN), pause_seconds) as log_in,
    ):
        session = Session(polled, log_in, secret_of(polled.source))

        async def fetch(wanted: Wanted) -> Delivery | None:
            return await fetch_one(polled, session, api, wanted)

        await fetch_all(polled, fetch)


async def fetch_one(polled: Polled, session: Session, api: Api, wanted: Wanted) -> Delivery | None:
    """An object as the translator reads it; its money is noted on the way."""
    realm = wanted.account or polled.source.options.option("realm")
    key = f"{INVOICE}{realm}/{wanted.entity}/{wanted.id}"
    answer = None
    if wanted.change not in GONE:
        answer = await session.get(api, f"/v3/company/{realm}/{wanted.entity.lower()}/{wanted.id}")
    if answer is None or answer.status == NOT_FOUND:
        if wanted.entity in MONEY:
            await polled.spool.note(polled.source.name, key, "")
        return None
    body = answer.body
    if wanted.entity in MONEY:
        try:
            record = reading.json_object(body).get(wanted.entity)
            invoice = money.invoice(wanted.entity, reading.mapping(record, wanted.entity), polled.source.options)
        except RefusedError as error:
            log.error("%s %s cannot be reconciled: %s", wanted.entity, wanted.id, error.detail)  # noqa: TRY400
        else:
            await polled.spool.note(polled.source.name, key, _encode(invoice).decode())
    return Delivery(url=f"?realm={quote(realm)}", body=body, received_us=now_us())


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        raise OperationError("QuickBooks does not answer with JSON.") from None
    if not isinstance(found, dict):
        raise OperationError("QuickBooks answers with something else than an object.")
    return found


POLLER: Final = Poller(
    poll,
    wanted=lambda source: source.options.option("fetch") == "True",
    fetches=True,
    check=lambda source: could_begin(source, ADDRESS),
)
