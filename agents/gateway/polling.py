"""Sources that are polled, beside those that call: each poller runs as a task of the gateway and hands its results in.

A poller is an asynchronous function that runs until it is cancelled. What must survive a restart it keeps as notes of
the source in the spool: how far it has come, what is still to be fetched.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import msgspec

from funnelwatch.agents.errors import OperationError
from funnelwatch.agents.gateway.intake import Intake
from funnelwatch.agents.gateway.metrics import Metrics
from funnelwatch.agents.gateway.sources import Source
from funnelwatch.agents.gateway.spool import FullError, Spool
from funnelwatch.schemas.reasons import RefusedError
from funnelwatch.schemas.settings import Secrets, Settings
from funnelwatch.schemas.sources.contract import Delivery

log = logging.getLogger(__name__)

RETRY_SECONDS: Final = 2.0
RETRY_SECONDS_MAX: Final = 120.0
FAILED: Final = "poll_failed"


class Polled(msgspec.Struct, frozen=True):
    """What a poller is given.

    ``heard`` is to be called after each successful look, also one that found nothing. ``refuse`` keeps what was fetched
    and cannot be read, with its bytes and why; the poller goes on behind it.
    """

    source: Source
    intake: Intake
    spool: Spool
    heard: Callable[[], None]
    refuse: Callable[[Delivery, RefusedError], Awaitable[None]] | None = None
    settings: Settings = Settings()
    secrets: Secrets = Secrets()


Poll = Callable[[Polled], Awaitable[None]]


class Poller(msgspec.Struct, frozen=True):
    """The poller of a system. ``wanted`` says whether a source's options ask for it: many systems also call.

    ``fetches`` is whether it fetches what notifications only name (`Wanted`). ``check`` looks, without reading anything
    in, whether it could begin; it may block, and raises `OperationError` with what is missing.
    """

    poll: Poll
    wanted: Callable[[Source], bool] = lambda _source: True
    fetches: bool = False
    check: Callable[[Source], object] = lambda _source: None


async def run(poller: Poller, polled: Polled, metrics: Metrics) -> None:
    """Poll until cancelled; after a failure again, each time after a longer pause."""
    pause = RETRY_SECONDS
    loop = asyncio.get_running_loop()
    name = polled.source.name
    while True:
        began = loop.time()
        try:
            await poller.poll(polled)
        except (OperationError, OSError, TimeoutError, FullError) as error:
            log.warning("polling the source %s failed (%s)", name, error)
        except Exception:  # logged whole and tried again: one source's defect must not stop the others
            log.exception("polling the source %s failed; this is a defect", name)
        else:
            log.info("the poller of the source %s has ended", name)
            return
        metrics.delivered(name, "refused", FAILED)
        pause = RETRY_SECONDS if loop.time() - began > RETRY_SECONDS_MAX else min(2 * pause, RETRY_SECONDS_MAX)
        await asyncio.sleep(pause)


def chosen(sources: Mapping[str, Source], pollers: Mapping[str, Poller]) -> dict[str, Poller]:
    """The sources that are polled, by name."""
    return {
        name: poller
        for name, source in sources.items()
        if (poller := pollers.get(source.system.name)) is not None and poller.wanted(source)
    }
