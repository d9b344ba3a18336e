"""Which partitions have stopped, and who wants them read on, as workers and operators tell each other in Redis.

Keys, with P the configured prefix: ``P:stopped``, a hash of ``topic:partition`` to JSON, told again every second by the
worker that has the partition; ``P:resume:topic:partition``, for how many seconds it is to be read whatever is refused.
If Redis is away, stopping and trying go on; only this is not known elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

ASKED_SECONDS: Final = 30
"""A wish that no worker has taken up by then is forgotten."""
FRESH_SECONDS: Final = 10.0
"""A stop told longer ago than this has no worker now."""
KEPT_SECONDS: Final = 3_600.0
"""And after this it does not count any more: whoever gets the partition begins anew."""

Place = tuple[str, int]
"""(topic, partition)."""


class Stop(msgspec.Struct, frozen=True):
    """A partition that is not read on. ``since_us`` and ``told_us`` are of the system clock."""

    since_us: int
    told_us: int
    read: int
    refused: int


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Stop).decode


class Stops:
    """What is told in Redis.

    Args:
        redis: An asynchronous client that answers bytes.
        prefix: In front of all keys.
    """

    def __init__(self, redis: Any, prefix: str) -> None:
        self._redis = redis
        self._key = f"{prefix}:stopped"
        self._prefix = f"{prefix}:resume:"

    async def tell(self, stops: Mapping[Place, Stop]) -> None:
        """These have stopped."""
        if stops:
            await self._redis.hset(self._key, mapping={_field(place): _encode(stop) for place, stop in stops.items()})

    async def forget(self, place: Place) -> None:
        """This one is read again."""
        await self._redis.hdel(self._key, _field(place))

    async def told(self) -> dict[Place, Stop]:
        """All that are said to have stopped; what cannot be read is left out."""
        found = {}
        for field, value in (await self._redis.hgetall(self._key)).items():
            topic, _, partition = field.decode().rpartition(":")
            try:
                found[topic, int(partition)] = _decode(value)
            except (ValueError, msgspec.MsgspecError):
                continue
        return found

    async def ask(self, place: Place, seconds: int) -> None:
        """Want a partition read on, for so long whatever is refused."""
        await self._redis.set(self._prefix + _field(place), seconds, ex=ASKED_SECONDS)

    async def asked(self, place: Place) -> int | None:
        """For how many seconds somebody wants a partition read on; None if nobody does. It is said once."""
        async with self._redis.pipeline(transaction=True) as transaction:
            transaction.get(self._prefix + _field(place))
            transaction.delete(self._prefix + _field(place))
            seconds, _ = await transaction.execute()
        return int(seconds) if seconds is not None and seconds.isdigit() else None


def _field(place: Place) -> str:
    topic, partition = place
    return f"{topic}:{partition}"
