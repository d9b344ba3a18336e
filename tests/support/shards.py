"""A worker as Redis sees one: writes shards by the protocol that the board reads, nothing else."""

from __future__ import annotations

import msgspec
from redis import Redis

from funnelwatch.agents.board.shards import changes_channel, shard_key
from funnelwatch.schemas.events import Kind
from funnelwatch.schemas.settings import Settings
from funnelwatch.streams.cells import Cell, CellValue, encode, encode_value

pack = msgspec.msgpack.Encoder().encode
ALWAYS_CURRENT_US = 4_102_444_800_000_000
"""2100: this worker has never anything left to read, unless a test says so."""


class ShardWriter:
    """Publishes whole shards and changes, with numbers, heads and notes; ``silently`` leaves the note out."""

    def __init__(self, settings: Settings, *, epoch: int = 7, fingerprint: str | None = None) -> None:
        self._prefix = settings.redis.prefix
        self._partitions = settings.kafka.partitions
        self._redis = Redis(port=settings.redis.port)
        self._seq: dict[tuple[Kind, int], int] = {}
        self.epoch = epoch
        self.current_us = ALWAYS_CURRENT_US
        self.fingerprint = fingerprint or settings.fingerprint

    def close(self) -> None:
        self._redis.close()

    def everything(self, cells: dict[tuple[Kind, int], dict[Cell, CellValue]], *, at: int) -> None:
        """All shards: those given with their cells, the others empty."""
        for kind in Kind:
            for partition in range(self._partitions):
                self.whole(kind, partition, cells.get((kind, partition), {}), at=at)

    def whole(self, kind: Kind, partition: int, cells: dict[Cell, CellValue], *, at: int, silently=False) -> None:
        """Replace a shard."""
        key = shard_key(self._prefix, kind, partition, "cells")
        with self._redis.pipeline(transaction=True) as transaction:
            transaction.delete(key)
            if cells:
                transaction.hset(key, mapping={encode(cell): encode_value(value) for cell, value in cells.items()})
            self._head(transaction, kind, partition, at)
            if not silently:
                self._tell(transaction, kind, partition, "reload", None)
            transaction.execute()

    def change(
        self, kind: Kind, partition: int, cells: dict[Cell, CellValue | None], *, at: int, silently=False
    ) -> None:
        """Set and remove some cells of a shard."""
        key = shard_key(self._prefix, kind, partition, "cells")
        payload: list[bytes] = []
        with self._redis.pipeline(transaction=True) as transaction:
            for cell, value in cells.items():
                field = encode(cell)
                payload += [field, b"" if value is None else encode_value(value)]
                if value is None:
                    transaction.hdel(key, field)
                else:
                    transaction.hset(key, field, encode_value(value))
            self._head(transaction, kind, partition, at)
            if not silently:
                self._tell(transaction, kind, partition, "set", payload)
            transaction.execute()

    def beat(self, kind: Kind, partition: int, *, watermark: int | None, at: int) -> None:
        """Nothing changed, and the worker lives; no watermark while the shard never had an event."""
        key = shard_key(self._prefix, kind, partition, "meta")
        known = {} if watermark is None else {"watermark_us": watermark}
        self._redis.hset(key, mapping={**known, "updated_us": at, "current_us": self.current_us})
        self._tell(self._redis, kind, partition, "beat", [watermark, at, self.current_us])

    def refuse(self, kind: Kind, partition: int, why: str) -> None:
        """Redis answers and takes no writes: a message is all that gets through."""
        self._redis.publish(changes_channel(self._prefix), pack([kind.value, partition, 0, "refused", why]))

    def flush(self) -> None:
        """Lose everything under the prefix."""
        if keys := self._redis.keys(f"*{self._prefix}*"):
            self._redis.delete(*keys)

    def shout(self, data: bytes) -> None:
        """Something on the channel that is no note."""
        self._redis.publish(changes_channel(self._prefix), data)

    def _head(self, redis, kind: Kind, partition: int, at: int) -> None:
        self._seq[kind, partition] = self._seq.get((kind, partition), 0) + 1
        head = {
            "seq": self._seq[kind, partition],
            "watermark_us": at,
            "updated_us": at,
            "current_us": self.current_us,
            "epoch": self.epoch,
            "fingerprint": self.fingerprint,
            "worker": "w1",
        }
        redis.hset(shard_key(self._prefix, kind, partition, "meta"), mapping=head)

    def _tell(self, redis, kind: Kind, partition: int, op: str, payload) -> None:
        note = [kind.value, partition, self._seq[kind, partition], op, payload]
        redis.publish(changes_channel(self._prefix), pack(note))
