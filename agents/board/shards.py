"""What the workers publish in Redis, decoded: one shard's head, its cells, and the notes that announce changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from funnelwatch.agents.topics import input_topic
from funnelwatch.schemas.events import Kind
from funnelwatch.schemas.settings import Settings
from funnelwatch.streams.cells import Cell, CellValue, decode_cell, decode_value
from funnelwatch.streams.table import Shard

PARTITIONS_MAX = 10_000
"""Notes about a partition beyond this are not believed."""

MICROSECONDS = 1_000_000

OPS = frozenset({"set", "reload", "beat", "refused"})


class Head(msgspec.Struct, frozen=True):
    """The ``meta`` hash of a shard: who wrote it, up to which write, and how far its events go.

    ``current_us``: everything that Kafka had at this system time is in; 0 if nobody can say.
    """

    seq: int
    epoch: int
    watermark_us: int
    updated_us: int
    current_us: int
    fingerprint: str
    worker: str

    @classmethod
    def of(cls, meta: Mapping[bytes, bytes]) -> Head | None:
        """From the hash as read; None if there is none (yet, or any more).

        Raises:
            ValueError: It is there and cannot be read.
        """
        if not meta:
            return None
        try:
            return cls(
                seq=int(meta[b"seq"]),
                epoch=int(meta[b"epoch"]),
                watermark_us=int(meta.get(b"watermark_us") or 0),
                updated_us=int(meta.get(b"updated_us") or 0),
                current_us=int(meta.get(b"current_us") or 0),
                fingerprint=meta[b"fingerprint"].decode(),
                worker=meta.get(b"worker", b"").decode(errors="replace"),
            )
        except (KeyError, ValueError) as error:
            raise ValueError(f"the head of a shard is unreadable: {error!r}") from error


class Note(msgspec.Struct, frozen=True, array_like=True):
    """One message on the channel of changes. ``op``: ``set``, ``reload``, ``beat`` or ``refused``."""

    kind: Kind
    partition: int
    seq: int
    op: str
    payload: Any = None

    @property
    def shard(self) -> Shard:
        """The shard it is about."""
        return (self.kind, self.partition)


_decode_note = msgspec.msgpack.Decoder(Note).decode


def decode_note(data: bytes) -> Note:
    """A message of the channel.

    Raises:
        ValueError: It is none that this version knows.
    """
    note = _decode_note(data)
    if note.op not in OPS or not 0 <= note.partition < PARTITIONS_MAX:
        raise ValueError(f"unknown change {note.op!r} of partition {note.partition}")
    return note


def decode_changes(payload: list[bytes]) -> dict[Cell, CellValue | None]:
    """Field, value, field, value …: an empty value means the cell is gone.

    Raises:
        ValueError: It is not a list of pairs of cells and their values.
    """
    changes: dict[Cell, CellValue | None] = {}
    for field, value in zip(payload[::2], payload[1::2], strict=True):
        cell = decode_cell(field)
        changes[cell] = decode_value(cell, value) if value else None
    return changes


def shard_key(prefix: str, kind: Kind, partition: int, what: str) -> str:
    """The Redis key of a shard's ``meta`` or ``cells``; the braces keep a shard on one node of a cluster."""
    return f"{{{prefix}:{kind.value}:{partition}}}:{what}"


def changes_channel(prefix: str) -> str:
    """The Redis channel on which workers announce what they wrote."""
    return f"{prefix}:changes"


def topic_of(settings: Settings, shard: Shard) -> str:
    """The input topic whose partition a shard is."""
    return input_topic(settings, shard[0])


def name_of(shard: Shard) -> str:
    """A shard as a log shows it."""
    return f"{shard[0].value}/{shard[1]}"


def expected_shards(settings: Settings) -> tuple[Shard, ...]:
    """All shards there must be before the figures are whole."""
    return tuple((kind, partition) for kind in Kind for partition in range(settings.kafka.partitions))
