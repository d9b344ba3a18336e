"""A vendor's HTTP API, politely: few tries, longer and longer pauses, as long as it asks for, and nothing too large."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

import aiohttp
import msgspec

from funnelwatch.agents.errors import OperationError
from funnelwatch.agents.gateway.sources import Source

TIMEOUT_SECONDS: Final = 60.0
TRIES_MAX: Final = 5
PAUSE_SECONDS: Final = 0.5
PAUSE_SECONDS_MAX: Final = 120.0
"""A vendor that asks for more patience is left alone until the poller is started again, which waits longer."""
BODY_BYTES_MAX: Final = 64 * 1024 * 1024
SECRET_BYTES_MAX: Final = 64 * 1024
AGAIN: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers after which the same request may be sent again."""
DENIED: Final = frozenset({401, 403})
API: Final = "_API"
"""Behind the variable of a source's secret: the one that holds what its poller logs in with."""


class DeniedError(OperationError):
    """The vendor does not let us in: expired, revoked, or wrong."""


class RejectedError(OperationError):
    """The vendor will never answer this request, however often it is asked."""


class Answer(msgspec.Struct, frozen=True):
    """What a vendor answered. The repr shows no body: it may hold secrets."""

    status: int
    body: bytes

    def __repr__(self) -> str:
        return f"Answer({self.status}, {len(self.body)} bytes)"


class Api:
    """Requests to one vendor, one after the other.

    Args:
        address: Where it is; its path stands in front of those of requests.
        pause_seconds: Before the second try; it doubles.
    """

    def __init__(self, address: str, pause_seconds: float = PAUSE_SECONDS) -> None:
        parts = urlsplit(address)
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            raise OperationError(f"{address!r} is no address of an API; write one like 'https://crm.example/'.")
        self._address = address.rstrip("/")
        self._pause_seconds = pause_seconds
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def get(
        self, path: str, query: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Ask for something; as of `send`."""
        return await self.send("GET", path, params=dict(query or {}), headers=dict(headers or {}))

    async def post(self, path: str, form: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Answer:
        """Send a form; as of `send`."""
        return await self.send("POST", path, data=dict(form), headers=dict(headers or {}))

    async def send(self, method: str, path: str, **request: Any) -> Answer:
        """The answer to a request, which is sent again while the vendor is busy or away.

        Raises:
            DeniedError: 401 or 403.
            RejectedError: Another error than 404 that asking again does not change.
            OperationError: It stays away.
        """
        pause = self._pause_seconds
        for attempt in range(1, TRIES_MAX + 1):
            try:
                answer, asked_seconds = await self._once(method, path, request)
                problem = f"answers {answer.status}"
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                answer, asked_seconds, problem = None, 0.0, f"does not answer ({type(error).__name__})"
            if answer is not None and answer.status in DENIED:
                raise DeniedError(f"{self._place} refuses us ({answer.status}).")
            if answer is not None and answer.status not in AGAIN:
                if answer.status >= 400 and answer.status != 404:  # noqa: PLR2004  (HTTP's errors; 404 is an answer)
                    raise RejectedError(f"{self._place} {problem} to {method} {path}.")
                return answer
            if attempt == TRIES_MAX or asked_seconds > PAUSE_SECONDS_MAX:
                break
            await asyncio.sleep(max(asked_seconds, min(pause, PAUSE_SECONDS_MAX)))
            pause *= 2
        raise OperationError(f"{self._place} {problem} to {method} {path}, after {attempt} tries.")

    @property
    def _place(self) -> str:
        """The address without what may be a secret."""
        parts = urlsplit(self._address)
        return f"{parts.scheme}://{parts.hostname}"

    async def _once(self, method: str, path: str, request: dict[str, Any]) -> tuple[Answer, float]:
        assert self._session is not None
        async with self._session.request(method, self._address + path, allow_redirects=False, **request) as response:
            body = await response.content.read(BODY_BYTES_MAX + 1)
            while len(body) <= BODY_BYTES_MAX and (more := await response.content.read(BODY_BYTES_MAX + 1 - len(body))):
                body += more
            if len(body) > BODY_BYTES_MAX:
                raise OperationError(f"{self._place} answers with more than {BODY_BYTES_MAX} bytes to {path}.")
            return Answer(response.status, body), _seconds(response.headers.get("retry-after", ""))


def document_of(body: bytes, vendor: str, address: str) -> dict[str, Any]:
    """The document that an answer is. ``address`` is what to look at if it is none: ``that of its API``.

    Raises:
        OperationError: It is none.
    """
    try:
        found = json.loads(body)
    except ValueError:
        raise OperationError(f"{vendor} does not answer with JSON: is the address {address}?") from None
    if not isinstance(found, dict):
        raise OperationError(f"{vendor} answers with something else than a document.")
    return found


def secret_of(source: Source, environment: Mapping[str, str] = os.environ) -> str:
    """What a source's poller logs in with: apart from the secret that callers prove themselves with.

    Raises:
        OperationError: There is none; the text says where it is looked for.
    """
    variable = source.settings.secret_variable + API
    found = environment.get(variable, "").strip()
    path = source.settings.secret_file
    if not found and path:
        try:
            with Path(f"{path}.api").open(encoding="utf-8") as opened:
                found = opened.read(SECRET_BYTES_MAX).strip()
        except (OSError, UnicodeDecodeError):
            found = ""
    if not found:
        place = f"{variable}, or the file {path}.api" if path else variable
        raise OperationError(f"The poller of {source.name!r} has nothing to log in with: set {place}.")
    return found


def could_begin(source: Source, address: str = "") -> None:
    """Whether a poller has what it needs to log in; ``address`` is where it goes if the source names none.

    Raises:
        OperationError: Something is missing; the text says what.
    """
    Api(source.options.option("address", address))
    secret_of(source)


def _seconds(text: str) -> float:
    """What ``Retry-After`` asks for, if it is in seconds; dates are answered by our own pauses."""
    return float(text) if text.strip().isdecimal() and len(text) < 10 else 0.0  # noqa: PLR2004  (digits of a number)
