"""Asking the workers to read on what has stopped, and waiting until they do."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Final

import redis.asyncio
from redis.exceptions import RedisError

from funnelwatch.agents.clock import monotonic, now_us
from funnelwatch.agents.connections import redis_client, redis_trouble
from funnelwatch.agents.stops import FRESH_SECONDS, Place, Stop, Stops
from funnelwatch.schemas.settings import Secrets, Settings

WAIT_SECONDS: Final = 15.0
POLL_SECONDS: Final = 0.5


async def stopped(settings: Settings, secrets: Secrets, wanted: Callable[[Place], bool]) -> dict[Place, Stop]:
    """The partitions that have stopped now, as their workers tell.

    Raises:
        OperationError: Redis does not answer.
    """
    async with _stops(settings, secrets) as stops:
        return await _fresh(stops, wanted)


async def resume(settings: Settings, secrets: Secrets, places: list[Place], seconds: int) -> list[Place]:
    """Have partitions read on, for so long whatever is refused; those that no worker took up.

    Raises:
        OperationError: Redis does not answer.
    """
    async with _stops(settings, secrets) as stops:
        for place in places:
            await stops.ask(place, seconds)
        deadline = monotonic() + WAIT_SECONDS
        while left := await _fresh(stops, places.__contains__):
            if monotonic() > deadline:
                return sorted(left)
            await asyncio.sleep(POLL_SECONDS)
        return []


async def _fresh(stops: Stops, wanted: Callable[[Place], bool]) -> dict[Place, Stop]:
    since = now_us() - int(FRESH_SECONDS * 1_000_000)
    told = await stops.told()
    return {place: stop for place, stop in sorted(told.items()) if wanted(place) and stop.told_us >= since}


@contextlib.asynccontextmanager
async def _stops(settings: Settings, secrets: Secrets) -> AsyncIterator[Stops]:
    client = redis.asyncio.Redis(**redis_client(settings, secrets))
    try:
        yield Stops(client, settings.redis.prefix)
    except (RedisError, OSError) as error:
        raise redis_trouble(settings, error) from error
    finally:
        await client.aclose()
