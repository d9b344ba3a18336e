"""``funnelwatch check``: is everything there that a deployment needs? All problems at once."""

from __future__ import annotations

import asyncio

import redis.asyncio
from redis.exceptions import RedisError

from funnelwatch.agents import topics
from funnelwatch.agents.connections import redis_client, redis_trouble
from funnelwatch.agents.errors import OperationError
from funnelwatch.schemas.settings import Secrets, Settings

Finding = tuple[str, list[str]]
"""What was looked at, and what is wrong with it."""


async def findings(settings: Settings, secrets: Secrets, *, gateway: bool = True) -> list[Finding]:
    """Look at Kafka, its topics and Redis, and (``gateway``) at the table of people and each source; change nothing."""
    found = [await _kafka(settings, secrets), await _redis(settings, secrets)]
    if gateway and settings.sources:
        from funnelwatch.agents.gateway.checking import people_and_sources  # noqa: PLC0415  (all translators)

        found += await asyncio.to_thread(people_and_sources, settings)
    return found


async def _kafka(settings: Settings, secrets: Secrets) -> Finding:
    what = f"Kafka at {', '.join(settings.kafka.bootstrap)} and its {len(topics.wanted(settings))} topics"
    try:
        return what, await topics.check(settings, secrets)
    except OperationError as error:
        return what, [str(error)]


async def _redis(settings: Settings, secrets: Secrets) -> Finding:
    what = f"Redis at {settings.redis.host}:{settings.redis.port}"
    client = redis.asyncio.Redis(**redis_client(settings, secrets))
    try:
        await client.ping()
    except (RedisError, OSError) as error:
        return what, [str(redis_trouble(settings, error))]
    finally:
        await client.aclose()
    return what, []
