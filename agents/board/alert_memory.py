"""What fires, remembered in Redis: a board that starts again pages nobody anew and knows since when it fires."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import redis.asyncio
import redis.exceptions

from funnelwatch.agents.connections import redis_client
from funnelwatch.schemas.document import Alert
from funnelwatch.schemas.settings import Secrets, Settings

KEPT_SECONDS: Final = 7 * 86_400
"""A board that was away for longer begins anew."""

log = logging.getLogger(__name__)

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Alert]).decode


class AlertMemory:
    """The alerts of one organisation, under one key. A Redis that is away or empty costs the memory, nothing else."""

    def __init__(self, settings: Settings, secrets: Secrets) -> None:
        self._redis: Any = redis.asyncio.Redis(**redis_client(settings, secrets))
        self._key = f"{settings.redis.prefix}:alerts:{settings.fingerprint}"

    async def load(self) -> list[Alert]:
        """What fired when it was last kept; nothing if that cannot be told."""
        try:
            kept = await self._redis.get(self._key)
            return _decode(kept) if kept else []
        except (redis.exceptions.RedisError, OSError, msgspec.MsgspecError) as trouble:
            log.warning("what fired before cannot be read from Redis, so alerts begin anew: %s", trouble)
            return []

    async def keep(self, alerts: Sequence[Alert]) -> None:
        """Remember what fires now."""
        try:
            await self._redis.set(self._key, _encode(alerts), ex=KEPT_SECONDS)
        except (redis.exceptions.RedisError, OSError) as trouble:
            log.warning("what fires cannot be kept in Redis: %s", trouble)

    async def close(self) -> None:
        """Give the connection back."""
        await self._redis.aclose()
