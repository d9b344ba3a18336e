"""What a poller has read is handed in: it waits while there is no room, and what cannot be read costs nothing else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Final

from funnelwatch.agents.clock import now_us
from funnelwatch.agents.gateway.polling import Polled
from funnelwatch.agents.gateway.spool import FullError
from funnelwatch.schemas.reasons import RefusedError
from funnelwatch.schemas.sources.contract import Delivery, Outgoing, Passed, Result

log = logging.getLogger(__name__)

FULL_SECONDS: Final = 1.0
"""How long something waits before it is handed in again when there was no room."""
_DAY_US: Final = 86_400_000_000


async def hand_in(polled: Polled, deliveries: Iterable[Delivery], what: str) -> None:
    """Return when all that the deliveries say is safe. ``what`` each of them is, for the log: ``a call``."""
    await put(polled, [result for delivery in deliveries for result in await _read(polled, delivery, what)])


async def put(polled: Polled, results: list[Result]) -> None:
    """Return when all results are safe. While there is no room, wait."""
    while True:
        try:
            await polled.intake.take(polled.source, results)
        except FullError as error:
            log.warning("what was read from the source %s waits (%s)", polled.source.name, error)
            await asyncio.sleep(FULL_SECONDS)
        else:
            return


async def _read(polled: Polled, delivery: Delivery, what: str) -> list[Result]:
    """The results of a delivery. What cannot be read is told, kept with its bytes, and costs no other."""
    source = polled.source
    oldest = now_us() - polled.settings.retention_days * _DAY_US
    try:
        results = source.system.translate(delivery, source.options)
        for result in results:
            if isinstance(result, Outgoing):
                result.event()  # what is refused later would take the others with it
    except RefusedError as error:
        log.warning("%s of the source %s cannot be read (%s): %s", what, source.name, error.reason, error.detail)
        if polled.refuse is not None:
            await polled.refuse(delivery, error)
        return []
    return [Passed("too_old") if isinstance(one, Outgoing) and one.at < oldest else one for one in results]
