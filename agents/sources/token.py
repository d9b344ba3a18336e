"""An access token of a vendor's API: asked for when there is none, and once more when it is refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from funnelwatch.agents.sources.api import Answer, DeniedError

TRIES: Final = 2


class Token:
    """The token of one session.

    Args:
        log_in: Gives a new one; raises `OperationError` if the vendor does not.
    """

    def __init__(self, log_in: Callable[[], Awaitable[str]]) -> None:
        self._log_in = log_in
        self._token = ""

    async def used(self, ask: Callable[[str], Awaitable[Answer]]) -> Answer:
        """What is answered to a request that bears the token; if that has expired, to one with a new one.

        Raises:
            DeniedError: A fresh token is refused, too.
        """
        for attempt in range(1, TRIES + 1):
            if not self._token:
                self._token = await self._log_in()
            try:
                return await ask(self._token)
            except DeniedError:
                self._token = ""
                if attempt == TRIES:
                    raise
        raise AssertionError
