"""Zoho's notifications end after a day at most: this asks for them, and for another day several times a day."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from funnelwatch.agents.clock import now_us
from funnelwatch.agents.errors import OperationError
from funnelwatch.agents.gateway.polling import Polled, Poller
from funnelwatch.agents.sources.api import Answer, Api, RejectedError, could_begin, document_of, secret_of
from funnelwatch.agents.sources.token import Token
from funnelwatch.schemas.encode import time_text
from funnelwatch.schemas.sources import reading
from funnelwatch.schemas.sources.crm.zoho import ADDRESS, CHANNEL, EVENTS, LOG_IN_ADDRESS

log = logging.getLogger(__name__)

LOG_IN: Final = "/oauth/v2/token"
WATCH: Final = "/crm/v8/actions/watch"
LASTS_US: Final = 23 * 3_600_000_000
"""What is asked for. Of more than a day Zoho makes one hour."""
RENEWAL_SECONDS: Final = 4 * 3_600.0
_METHODS: Final = ("POST", "PUT")
"""To make a channel, and to change one that is there."""


class Session:
    """An access token that is renewed when it has expired.

    Args:
        api: Where tokens are given.
        client_id: The self client's.
        secret: ``CLIENT_SECRET:REFRESH_TOKEN``.
    """

    def __init__(self, api: Api, client_id: str, secret: str) -> None:
        self._api = api
        client_secret, _, refresh = secret.partition(":")
        self._form = {"grant_type": "refresh_token", "client_id": client_id, "client_secret": client_secret}
        self._form["refresh_token"] = refresh.strip()
        self._token = Token(self._log_in)

    async def send(self, api: Api, method: str, path: str, body: dict[str, Any]) -> Answer:
        """Send a document.

        Raises:
            RejectedError: Zoho will not have it.
            OperationError: It does not answer, or does not let us in.
        """
        return await self._token.used(
            lambda token: api.send(method, path, json=body, headers={"authorization": f"Zoho-oauthtoken {token}"})
        )

    async def _log_in(self) -> str:
        found = _document(await self._api.post(LOG_IN, self._form))
        token = reading.text_of(found.get("access_token"))
        if not token:
            why = reading.text_of(found.get("error")) or "no reason given"
            raise OperationError(f"Zoho gives no access_token ({why}): make the refresh token anew.")
        return token


async def poll(polled: Polled) -> None:
    """Keep the notifications on until cancelled.

    What is heard is heard as a webhook: that this works says nothing of that, so the source may be silent all the same.

    Raises:
        OperationError: Zoho does not answer, or will not notify.
    """
    options = polled.source.options
    pause_seconds = float(options.option("pause_seconds", "0.5"))
    wanted = watch(polled)
    async with (
        Api(options.option("address", ADDRESS), pause_seconds) as api,
        Api(options.option("log_in_address", LOG_IN_ADDRESS), pause_seconds) as log_in,
    ):
        session = Session(log_in, options.option("client_id"), secret_of(polled.source))
        while True:
            until = time_text((now_us() + LASTS_US) // 1_000_000 * 1_000_000)[:19] + "+00:00"
            await _renew(session, api, wanted | {"channel_expiry": until})
            log.info("Zoho notifies the source %s until %s", polled.source.name, until)
            await asyncio.sleep(float(options.option("renewal_seconds", str(RENEWAL_SECONDS))))


def watch(polled: Polled) -> dict[str, Any]:
    """What is asked for, but for its end.

    Raises:
        OperationError: The gateway's address or the secret is missing.
    """
    source, public_url = polled.source, polled.settings.gateway.public_url.rstrip("/")
    if not public_url:
        raise OperationError("Zoho must be told where the gateway is: set gateway.public_url.")
    return {
        "channel_id": source.options.option(CHANNEL),
        "events": source.options.option("events", EVENTS).split(","),
        "notify_url": f"{public_url}/hooks/{source.name}",
        "token": source.secrets.values[0],
        "return_affected_field_values": True,
    }


async def _renew(session: Session, api: Api, wanted: dict[str, Any]) -> None:
    problem = ""
    for method in _METHODS:
        try:
            found = _document(await session.send(api, method, WATCH, {"watch": [wanted]}))
        except RejectedError as error:
            problem = str(error)
            continue
        results = found.get("watch")
        first = results[0] if isinstance(results, list) and results and isinstance(results[0], dict) else {}
        if first.get("status") == "success":
            return
        problem = f"{reading.text_of(first.get('code'))} {reading.text_of(first.get('message'))}"[:200]
    raise OperationError(f"Zoho does not notify: {problem.strip() or 'it gives no reason'}.")


def _document(answer: Answer) -> dict[str, Any]:
    return document_of(answer.body, "Zoho", "that of its API")


POLLER: Final = Poller(
    poll,
    wanted=lambda source: bool(source.options.option("client_id")),
    check=lambda source: could_begin(source, ADDRESS),
)
