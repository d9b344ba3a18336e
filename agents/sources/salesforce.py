"""Salesforce: subscribes to its change events by CometD, and fetches what an event does not hold.

Each event has a number (replay id); that of the last one that is safe is remembered, so a restart goes on behind it, as
long as Salesforce keeps events (three days). When that one is gone, what is kept is read from its beginning, and that
something may be missing is said.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any, Final

from funnelwatch.agents.clock import now_us
from funnelwatch.agents.errors import OperationError
from funnelwatch.agents.gateway.polling import Polled, Poller
from funnelwatch.agents.sources.api import Api, DeniedError, could_begin, document_of, secret_of
from funnelwatch.agents.sources.bayeux import OLDEST, Bayeux, ForgottenError, Message, ReplayLostError
from funnelwatch.agents.sources.fetching import fetch_all
from funnelwatch.agents.sources.handing_in import hand_in
from funnelwatch.schemas.sources import reading
from funnelwatch.schemas.sources.contract import Delivery, Passed, Wanted
from funnelwatch.schemas.sources.crm.salesforce import API_VERSION, CHANNEL

log = logging.getLogger(__name__)

LOG_IN: Final = "/services/oauth2/token"
NOT_FOUND: Final = 404
AGAIN_SECONDS: Final = 1.0
"""Before the next handshake, when the server has forgotten us."""
RENEWAL_SECONDS: Final = 60.0
"""A token that is refused sooner was never good."""
REPLAY_LOST: Final = "replay_lost"


class Session:
    """An access token by client credentials, renewed when it has expired.

    Args:
        api: The organisation's own domain.
        client_id: The connected app's consumer key.
        secret: Its consumer secret.
    """

    def __init__(self, api: Api, client_id: str, secret: str) -> None:
        self._api = api
        self._form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
        self._token = ""

    async def token(self) -> str:
        """A token that is good as far as is known.

        Raises:
            OperationError: Salesforce does not answer, or gives none.
        """
        if not self._token:
            found = _document((await self._api.post(LOG_IN, self._form)).body)
            self._token = reading.text_of(found.get("access_token"))
            if not self._token:
                raise OperationError("Salesforce gives no access_token: does the app have the client credentials flow?")
        return self._token

    def forget(self, token: str) -> None:
        """This one is not good."""
        if token == self._token:
            self._token = ""


async def poll(polled: Polled) -> None:
    """Listen, and fetch, until cancelled.

    Raises:
        OperationError: Salesforce does not answer, or does not let us in.
    """
    options = polled.source.options
    async with Api(options.option("address"), float(options.option("pause_seconds", "0.5"))) as api:
        session = Session(api, options.option("client_id"), secret_of(polled.source))

        async def fetch(wanted: Wanted) -> Delivery | None:
            return await record(api, session, wanted, options.option("api_version", API_VERSION))

        tasks = [asyncio.create_task(_listen(polled, session)), asyncio.create_task(fetch_all(polled, fetch))]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _listen(polled: Polled, session: Session) -> None:
    loop = asyncio.get_running_loop()
    renewed = -RENEWAL_SECONDS
    while True:
        token = await session.token()
        try:
            await _subscribed(polled, token)
        except ForgottenError as error:
            log.info("the source %s subscribes again: %s", polled.source.name, error)
            await asyncio.sleep(AGAIN_SECONDS)
        except DeniedError:
            session.forget(token)
            if loop.time() - renewed < RENEWAL_SECONDS:  # a fresh token is refused, too
                raise
            renewed = loop.time()


async def _subscribed(polled: Polled, token: str) -> None:
    """Hear events until the server ends it, which it does by an error."""
    options = polled.source.options
    channel = options.option("channel", CHANNEL)
    address = f"{options.option('address').rstrip('/')}/cometd/{options.option('api_version', API_VERSION)}"
    async with Bayeux(address, token) as server:
        await server.handshake()
        noted = await polled.spool.noted(polled.source.name, channel)
        try:
            events = await server.subscribe(channel, int(noted) if noted else OLDEST)
        except ReplayLostError as error:
            log.error("The source %s was away for longer than Salesforce keeps events: %s", polled.source.name, error)  # noqa: TRY400  (nothing of ours failed)
            await polled.intake.take(polled.source, [Passed(REPLAY_LOST)])
            events = await server.subscribe(channel, OLDEST)
        log.info("the source %s hears %s", polled.source.name, channel)
        while True:
            await _take(polled, channel, events)
            polled.heard()
            events = await server.connect()


async def _take(polled: Polled, channel: str, events: list[Message]) -> None:
    """Hand events in; when they are safe, note the last one's number."""
    found = [event["data"] for event in events if isinstance(event.get("data"), dict)]
    if not found:
        return
    deliveries = [Delivery(body=json.dumps(data).encode(), received_us=now_us()) for data in found]
    await hand_in(polled, deliveries, "a change event")
    numbers = [number for data in found if isinstance(number := _number(data), int)]
    if numbers:
        await polled.spool.note(polled.source.name, channel, str(numbers[-1]))


def _number(data: dict[str, Any]) -> object:
    event = data.get("event")
    return event.get("replayId") if isinstance(event, dict) else None


async def record(api: Api, session: Session, wanted: Wanted, version: str) -> Delivery | None:
    """A record as a change event that says everything, so that nothing is wanted any more; None if it is gone.

    Raises:
        OperationError: Salesforce does not answer, or does not let us in.
    """
    path = f"/services/data/v{version}/sobjects/{wanted.entity}/{wanted.id}"
    for attempt in (1, 2):
        token = await session.token()
        try:
            answer = await api.get(path, None, {"authorization": f"Bearer {token}"})
            break
        except DeniedError:
            session.forget(token)
            if attempt == 2:  # noqa: PLR2004  (a fresh token is refused, too)
                raise
    if answer.status == NOT_FOUND:
        return None
    header = {
        "entityName": wanted.entity,
        "recordIds": [wanted.id],
        "changeType": "CREATE" if wanted.entity == "Task" or wanted.change.endswith("CREATE") else "UPDATE",
        "commitTimestamp": wanted.at // 1_000,
        "sequenceNumber": wanted.at % 1_000,
    }
    body = json.dumps(_document(answer.body) | {"ChangeEventHeader": header}).encode()
    return Delivery(body=body, received_us=now_us())


def _document(body: bytes) -> dict[str, Any]:
    return document_of(body, "Salesforce", "your My Domain's")


POLLER: Final = Poller(
    poll, wanted=lambda source: bool(source.options.option("client_id")), fetches=True, check=could_begin
)
