"""Objects that notifications only name are fetched and translated, one after the other, until none waits.

What is to be fetched is on disk until its events are safe: a restart fetches it, an error fetches it again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from funnelwatch.agents.gateway.polling import Polled
from funnelwatch.agents.sources.api import RejectedError
from funnelwatch.schemas.reasons import RefusedError
from funnelwatch.schemas.sources.contract import Delivery, Passed, Wanted
from funnelwatch.schemas.sources.crm.batches import UNREADABLE

log = logging.getLogger(__name__)

PORTION: Final = 100
IDLE_SECONDS: Final = 1.0

Fetch = Callable[[Wanted], Awaitable[Delivery | None]]
"""Gives what the translator reads; None if the object is gone, or nothing for us."""

_decode = msgspec.json.Decoder(Wanted).decode


async def fetch_all(polled: Polled, fetch: Fetch) -> None:
    """Fetch until cancelled."""
    while True:
        if not await fetch_portion(polled, fetch):
            await asyncio.sleep(IDLE_SECONDS)


async def fetch_portion(polled: Polled, fetch: Fetch) -> int:
    """Fetch some of what waits. How many objects it was; several notifications of one object are one.

    Raises:
        OperationError: The vendor does not answer; what was not fetched waits on.
        FullError: There is no room for events.
    """
    name = polled.source.name
    waiting = await polled.spool.wanted(name, PORTION)
    fetched: dict[tuple[str, str, str], list[int]] = {}
    latest: dict[tuple[str, str, str], Wanted] = {}
    for number, encoded in waiting:
        wanted = _decode(encoded)
        key = (wanted.account, wanted.entity, wanted.id)
        fetched.setdefault(key, []).append(number)
        latest[key] = max(latest.get(key, wanted), wanted, key=lambda one: one.at)
    for key, wanted in latest.items():
        what = f"{wanted.entity} {wanted.id}"
        try:
            delivery = await fetch(wanted)
        except RejectedError as error:
            log.error("%s of the source %s cannot be fetched: %s", what, name, error)  # noqa: TRY400
            delivery = None
        if delivery is not None:
            await take(polled, delivery, what)
        await polled.spool.fetched(fetched[key])
        polled.heard()
    return len(latest)


async def take(polled: Polled, delivery: Delivery, what: str) -> None:
    """Translate what a vendor answered. What cannot be read is told in the log and left: asking again gives the same.

    Raises:
        FullError: There is no room for events.
    """
    source = polled.source
    try:
        results = source.system.translate(delivery, source.options)
        for result in results:
            if isinstance(result, Passed) and result.reason == UNREADABLE:
                log.error("a record of %s of the source %s cannot be read: %s", what, source.name, result.detail)
        await polled.intake.take(source, results)
    except RefusedError as error:
        log.error("%s of the source %s cannot be read (%s): %s", what, source.name, error.reason, error.detail)  # noqa: TRY400
