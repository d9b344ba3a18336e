"""The loop of ``funnelwatch digest``: when the hour has come, each manager's mail, once."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import redis.asyncio
from redis.exceptions import RedisError

from funnelwatch.agents import clock
from funnelwatch.agents.connections import redis_client
from funnelwatch.agents.digest.rendering import render
from funnelwatch.agents.digest.sending import Claim, Marks, message, send
from funnelwatch.agents.errors import OperationError
from funnelwatch.agents.fetch import UnreachableError, get
from funnelwatch.schemas.alerting import Contact
from funnelwatch.schemas.digest import Digest, Digests
from funnelwatch.schemas.settings import Secrets, Settings
from funnelwatch.streams.alerting.routing import contact_of
from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.digest import is_due

LOOK_SECONDS: Final = 20.0
FETCH_SECONDS_MAX: Final = 60.0
OK: Final = 200

log = logging.getLogger(__name__)


def fetch(settings: Settings) -> Digests:
    """The digests as the board has them now.

    Raises:
        OperationError: The board does not answer, or has no figures.
    """
    status, body = get(settings.board.host, settings.board.port, "/api/v1/digests", FETCH_SECONDS_MAX)
    if status != OK:
        raise OperationError(f"The board has no figures now ({status}): {body[:300].decode(errors='replace')}")
    return msgspec.json.decode(body, type=Digests)


def recipient(settings: Settings, manager: str) -> Contact:
    """Who gets a manager's digest: the manager, or everybody's contact if no mail address of his or hers is known."""
    contact = contact_of(settings, manager) if manager else None
    return contact if contact is not None and contact.email else settings.alerting.everybody


class Service:
    """Sends what is due.

    Args:
        settings: The organisation's.
        marks: What was sent already.
        now_us: The system clock: the digest comes in the morning, whatever figures are judged by.
        fetched: Gives the digests.
    """

    def __init__(
        self,
        settings: Settings,
        marks: Marks,
        now_us: Callable[[], int] = clock.now_us,
        fetched: Callable[[Settings], Digests] = fetch,
    ) -> None:
        self._settings = settings
        self._marks = marks
        self._now_us = now_us
        self._fetched = fetched
        self._calendar = Calendar(settings.calendar)
        self._done = ""
        """The day of which everything that could be sent was."""

    async def look(self) -> int:
        """Send what is due and was not sent; how many mails that were.

        Raises:
            OperationError: The board has no figures.
            redis.RedisError: Redis is away: nothing is sent without a mark.
        """
        now = self._now_us()
        day = self._calendar.text(now)[:10]
        if day == self._done or not is_due(self._calendar, now, self._settings.digest.time):
            return 0
        found = await asyncio.to_thread(self._fetched, self._settings)
        outcomes = [await self._send(digest, day) for digest in found.digests]
        if all(outcome is not None for outcome in outcomes):
            self._done = day
        return sum(outcome is True for outcome in outcomes)

    async def _send(self, digest: Digest, day: str) -> bool | None:
        """True: sent now; False: nothing to send; None: to be tried again."""
        contact = recipient(self._settings, digest.manager)
        if not contact.email or not digest.reps:
            return False
        claim = await self._marks.claim(day, digest.manager)
        if claim is not Claim.MINE:
            return False if claim is Claim.SENT else None
        try:
            mail = render(digest, self._settings, contact.language)
            at = datetime.fromtimestamp(self._now_us() / 1_000_000, UTC)
            found = message(mail, self._settings.mail, contact.email, day=day, manager=digest.manager, at=at)
            await asyncio.to_thread(send, found, self._settings.mail)
        except Exception as trouble:
            await self._marks.release(day, digest.manager)
            if not isinstance(trouble, OperationError):
                raise
            log.warning("the digest of %r is not sent yet: %s", digest.manager, trouble)
            return None
        await self._marks.sent(day, digest.manager)
        log.info("the digest of %r was sent to %s", digest.manager, ", ".join(contact.email))
        return True


def run(settings: Settings, secrets: Secrets) -> int:
    """Send digests until SIGTERM or SIGINT; the exit code.

    Raises:
        OperationError: There is no server that takes mail.
    """
    if not settings.mail.host:
        raise OperationError("The digest is a mail, and there is no server that takes it: set mail.host.")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    return asyncio.run(_serve(settings, secrets))


async def _serve(settings: Settings, secrets: Secrets) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    client: Any = redis.asyncio.Redis(**redis_client(settings, secrets))
    service = Service(settings, Marks(client, settings.redis.prefix))
    log.info("Digests go out at %s on working days (%s).", settings.digest.time, settings.calendar.zone)
    try:
        while not stop.is_set():
            try:
                await service.look()
            except (OperationError, UnreachableError, RedisError, OSError) as trouble:
                log.warning("no digest is sent now, it is tried again: %s", trouble)
            await _wait(stop, LOOK_SECONDS)
    finally:
        await client.aclose()
    return 0


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
