"""The client's side of Bayeux 1.0 by long polling, as Salesforce's CometD speaks it: handshake, subscribe, connect.

A client is known by an id and a cookie for as long as it connects again soon. When the server has forgotten it, it
begins anew with a handshake; what was published meanwhile is asked for by the number of the last event (replay).
"""

from __future__ import annotations

import itertools
import json
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

import aiohttp

from funnelwatch.agents.errors import OperationError
from funnelwatch.agents.sources.api import BODY_BYTES_MAX, DENIED, DeniedError

ANSWER_SECONDS: Final = 150.0
"""A connect is answered after 110 s at the latest, with nothing if there is nothing."""
OLDEST: Final = -2
"""Replay from the oldest event that is still kept."""
META: Final = "/meta/"
ERROR_CHARS_MAX: Final = 300
_UNAUTHENTICATED: Final = "401"
_HTTP_OK: Final = 200

Message = dict[str, Any]


class ForgottenError(OperationError):
    """The server knows this client no more: begin with a handshake."""


class ReplayLostError(OperationError):
    """The event after which to go on is not kept any more."""


class Bayeux:
    """One client of one server.

    Args:
        address: Where it is.
        token: The access token that every request bears.
    """

    def __init__(self, address: str, token: str) -> None:
        self._address = address
        self._place = f"{urlsplit(address).scheme}://{urlsplit(address).hostname}"
        self._headers = {"authorization": f"Bearer {token}"}
        self._session: aiohttp.ClientSession | None = None
        self._client = ""
        self._numbers = itertools.count(1)

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS),
            cookie_jar=aiohttp.CookieJar(unsafe=True),  # of this one server, which may be an address of numbers
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def handshake(self) -> None:
        """Become a client.

        Raises:
            DeniedError: The token is not good, or not any more.
            OperationError: The server does not answer, or will not have us.
        """
        reply, _ = await self._ask(
            {
                "channel": "/meta/handshake",
                "version": "1.0",
                "minimumVersion": "1.0",
                "supportedConnectionTypes": ["long-polling"],
                "ext": {"replay": True},
            }
        )
        self._client = str(reply.get("clientId", ""))
        if not self._client:
            raise OperationError(f"{self._place} gives no clientId: is this a CometD address?")

    async def subscribe(self, channel: str, after: int) -> list[Message]:
        """Hear a channel from the event after a number on; what is there already.

        Raises:
            ReplayLostError: That event is not kept any more.
            DeniedError, ForgottenError, OperationError: As of `connect`.
        """
        extension = {"replay": {channel: after}}
        _, events = await self._ask({"channel": "/meta/subscribe", "subscription": channel, "ext": extension})
        return events

    async def connect(self) -> list[Message]:
        """Wait for events; none if there were none for a while.

        Raises:
            DeniedError: The token is not good any more.
            ForgottenError: The server has forgotten this client.
            OperationError: The server does not answer, or refuses.
        """
        _, events = await self._ask({"channel": "/meta/connect", "connectionType": "long-polling"})
        return events

    async def _ask(self, message: Message) -> tuple[Message, list[Message]]:
        """The reply to a message, and the events that came with it."""
        own = {"clientId": self._client} if self._client else {}
        channel = message["channel"]
        replies = await self._post([{"id": str(next(self._numbers))} | own | message])
        reply = next((one for one in replies if one.get("channel") == channel), {})
        events = [one for one in replies if not str(one.get("channel", "")).startswith(META)]
        if reply.get("successful") is not True:
            self._fail(channel, reply)
        return reply, events

    def _fail(self, channel: str, reply: Message) -> None:
        ext, advice = _object(_object(reply, "ext"), "sfdc"), _object(reply, "advice")
        error = str(reply.get("error") or "no reply")[:ERROR_CHARS_MAX]
        reason = str(ext.get("failureReason") or error)[:ERROR_CHARS_MAX]
        if reason.startswith(_UNAUTHENTICATED):
            raise DeniedError(f"{self._place} does not let us in any more ({reason}).")
        if channel == "/meta/subscribe" and "replayId" in error:
            raise ReplayLostError(f"{self._place}: {error}")
        if advice.get("reconnect") == "handshake" or "Unknown client" in error:
            raise ForgottenError(f"{self._place} has forgotten us ({error}).")
        raise OperationError(f"{self._place} refuses {channel}: {reason}.")

    async def _post(self, messages: list[Message]) -> list[Message]:
        assert self._session is not None
        try:
            async with self._session.post(
                self._address, json=messages, headers=self._headers, allow_redirects=False
            ) as answer:
                if answer.status in DENIED:
                    raise DeniedError(f"{self._place} refuses us ({answer.status}).")
                if answer.status != _HTTP_OK:
                    raise OperationError(f"{self._place} answers {answer.status} to {messages[0]['channel']}.")
                body = bytearray()
                async for piece in answer.content.iter_any():
                    body += piece
                    if len(body) > BODY_BYTES_MAX:
                        raise OperationError(f"{self._place} answers with more than {BODY_BYTES_MAX} bytes.")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise OperationError(f"{self._place} does not answer ({type(error).__name__}).") from error
        try:
            found = json.loads(body)
        except ValueError:
            raise OperationError(f"{self._place} does not answer with JSON: is this a CometD address?") from None
        return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _object(data: Message, name: str) -> Message:
    found = data.get(name)
    return found if isinstance(found, dict) else {}
