"""Whether Redis ever takes a write of an older owner behind one of a newer: the epoch of a shard never falls."""

from __future__ import annotations

import contextlib
import threading
from typing import Self

import redis
from arena import SHARDS, Arena

from funnelwatch.agents.board.shards import shard_key
from funnelwatch.schemas.events import Kind

EVERY_SECONDS = 0.02


class Epochs:
    """Looks all the time, in a thread of its own. Use it as a context manager."""

    def __init__(self, arena: Arena) -> None:
        self._client = redis.Redis(port=arena.settings.redis.port, socket_timeout=5)
        self._prefix = arena.settings.redis.prefix
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.looks = 0
        self.fallen: list[str] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._client.close()

    def _look(self) -> None:
        known: dict[tuple[Kind, int], int] = {}
        while not self._ended.wait(EVERY_SECONDS):
            pipeline = self._client.pipeline(transaction=False)
            for kind, partition in SHARDS:
                pipeline.hget(shard_key(self._prefix, kind, partition, "meta"), "epoch")
            with contextlib.suppress(redis.RedisError):
                for shard, epoch in zip(SHARDS, pipeline.execute(), strict=True):
                    now = int(epoch or 0)
                    if now < known.get(shard, 0):
                        self.fallen.append(f"{shard[0].value}[{shard[1]}]: {now} behind {known[shard]}")
                    known[shard] = now
                self.looks += 1
