"""RingCentral's call log: read as it grows, since it is not notified. Talk time and recordings are only there.

Records come with the begin of a call and are written when it ends, recordings later still: each look goes back some
hours, and hands in what is new there or has become another. Where it goes on is remembered over restarts.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import logging
from typing import Any, Final

import msgspec

from funnelwatch.agents.clock import now_us
from funnelwatch.agents.errors import OperationError
from funnelwatch.agents.gateway.polling import Polled, Poller
from funnelwatch.agents.sources.api import Answer, Api, could_begin, document_of, secret_of
from funnelwatch.agents.sources.fetching import take
from funnelwatch.agents.sources.token import Token
from funnelwatch.schemas.encode import time_text
from funnelwatch.schemas.sources import reading
from funnelwatch.schemas.sources.contract import Delivery

log = logging.getLogger(__name__)

ADDRESS: Final = "https://platform.ringcentral.com"
LOG_IN: Final = "/restapi/oauth/token"
CALL_LOG: Final = "/restapi/v1.0/account/~/call-log"
JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
PAGE: Final = 250
PAGES_MAX: Final = 10_000
THROUGH: Final = "call-log/through"
HOUR_US: Final = 3_600_000_000
BEFORE_US: Final = 3 * HOUR_US
"""How far each look goes back: a call that took longer, or a recording that came later, is not found."""
SPAN_US: Final = 7 * 24 * HOUR_US
"""What is asked for at a time while history is read."""
HISTORY_DAYS: Final = 30
KNOWN_MAX: Final = 100_000
"""Records that are known again."""


class Session:
    """An access token that is renewed when it has expired.

    Args:
        api: Where RingCentral is.
        client_id: The app's.
        secret: ``CLIENT_SECRET:JWT``, the credential of the user whose call log it is.
    """

    def __init__(self, api: Api, client_id: str, secret: str) -> None:
        self._api = api
        client_secret, _, jwt = secret.partition(":")
        self._basic = "Basic " + base64.b64encode(f"{client_id}:{client_secret}".encode()).decode()
        self._form = {"grant_type": JWT_BEARER, "assertion": jwt.strip()}
        self._token = Token(self._log_in)

    async def page(self, begin: int, end: int, number: int) -> tuple[list[dict[str, Any]], bool]:
        """A page of the records of calls that began between two instants, in µs, and whether there is another.

        Raises:
            OperationError: RingCentral does not answer, does not let us in, or answers with something else.
        """
        query = {
            "view": "Simple",
            "type": "Voice",
            "dateFrom": time_text(begin),
            "dateTo": time_text(end),
            "perPage": str(PAGE),
            "page": str(number),
        }
        found = _document(await self._get(query))
        records, navigation = found.get("records"), found.get("navigation")
        if not isinstance(records, list):
            raise OperationError("RingCentral answers with something else than a call log.")
        more = isinstance(navigation, dict) and isinstance(navigation.get("nextPage"), dict)
        return [record for record in records if isinstance(record, dict)], more

    async def _get(self, query: dict[str, str]) -> Answer:
        return await self._token.used(
            lambda token: self._api.get(CALL_LOG, query, {"authorization": f"Bearer {token}"})
        )

    async def _log_in(self) -> str:
        found = _document(await self._api.post(LOG_IN, self._form, {"authorization": self._basic}))
        token = reading.text_of(found.get("access_token"))
        if not token:
            raise OperationError("RingCentral gives no access_token: is its app one of the JWT flow?")
        return token


class Known:
    """The records of the last hours as they were handed in."""

    def __init__(self) -> None:
        self._looks: dict[str, str] = {}

    def new(self, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The records that are new, or have become others."""
        return [record for record in records if self._looks.get(_id(record)) != _look(record)]

    def note(self, records: list[dict[str, Any]]) -> None:
        """These are safe."""
        self._looks |= {_id(record): _look(record) for record in records}
        while len(self._looks) > KNOWN_MAX:
            del self._looks[next(iter(self._looks))]


async def poll(polled: Polled) -> None:
    """Read what there is, again and again, until cancelled."""
    options = polled.source.options
    noted = await polled.spool.noted(polled.source.name, THROUGH)
    history_days = int(options.option("history_days", str(HISTORY_DAYS)))
    through = int(noted) if noted else now_us() - history_days * 24 * HOUR_US
    known = Known()
    async with Api(options.option("address", ADDRESS), float(options.option("pause_seconds", "0.5"))) as api:
        session = Session(api, options.option("client_id"), secret_of(polled.source))
        while True:
            now = now_us()
            while through < now:
                end = min(now, through + SPAN_US)
                await look(polled, session, known, (through - BEFORE_US, end))
                through = end
                await polled.spool.note(polled.source.name, THROUGH, str(through))
            polled.heard()
            await asyncio.sleep(float(options.option("poll_seconds", "60")))


async def look(polled: Polled, session: Session, known: Known, span: tuple[int, int]) -> None:
    """Hand in what the log has of a span of time that was not handed in before.

    Raises:
        OperationError: RingCentral does not answer.
        FullError: There is no room for events.
    """
    for number in range(1, PAGES_MAX):
        records, more = await session.page(*span, number)
        new = known.new(records)
        if new:
            body = json.dumps({"records": new}).encode()
            await take(polled, Delivery(body=body, received_us=now_us()), "a page of the call log")
            known.note(new)
            log.info("the call log of the source %s: %d records before %s", polled.source.name, len(new), _day(span[1]))
        if not more:
            break


def _day(at: int) -> str:
    return time_text(at)[:10]


def _id(record: dict[str, Any]) -> str:
    return reading.text_of(record.get("id"))


def _look(record: dict[str, Any]) -> str:
    return hashlib.sha256(msgspec.json.encode(record, order="deterministic")).hexdigest()[:16]


def _document(answer: Answer) -> dict[str, Any]:
    return document_of(answer.body, "RingCentral", "that of its API")


POLLER: Final = Poller(
    poll,
    wanted=lambda source: bool(source.options.option("client_id")),
    check=lambda source: could_begin(source, ADDRESS),
)
