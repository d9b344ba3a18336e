"""Events to the messages of their homes: which topic and partition, and how many travel together.

`Packer` is the definition. The compiled one (`native/src/packing.rs`) does the same for many lines in one step and
leaves each line of which it is not sure, which then goes here as all do without it. A test holds both equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from funnelwatch.agents.partitioning import partition_of

try:
    from funnelwatch import _native
except ImportError:  # no compiler when it was installed
    _native = None  # type: ignore[assignment]  # asked for by `is_compiled`

INTERFACE: Final = 1
"""What `native/src/lib.rs` has to say: what was built for another way of being called is not used."""
PACK_BYTES: Final = 200 * 1024
"""The largest message of packed events, but for one event that is larger alone."""

Message = tuple[str, int, bytes | None, bytes]
"""Topic, partition, key (None: several events, or one that waited for more) and value."""


class Packing(Protocol):
    """Packs events of the topics that it knows; events of one entity stay in order."""

    def read(self, block: bytes, at: int, lines_max: int, /) -> tuple[int, int]:
        """Take lines of a block from a place on: where the first one begins that is left, and how many were taken."""

    def add(self, topic: str, subject: bytes, event: bytes, /) -> None:
        """Take one event.

        Raises:
            KeyError: The topic is none that was named.
        """

    def take(self) -> list[Message]:
        """The messages that nothing more goes into; they are forgotten here."""

    def close(self) -> None:
        """Nothing more goes into any message."""

    def counts(self) -> dict[str, int]:
        """How many events were taken, by topic."""


class Packer:
    """Packs in Python.

    Args:
        topic_of: Topics by the types of their events.
        partitions: Of each topic.
        pack: How many events travel in one message at most; 1: each with its entity's id as key.
        pack_bytes: How large together.
    """

    def __init__(self, topic_of: Mapping[str, str], partitions: int, pack: int, pack_bytes: int = PACK_BYTES) -> None:
        self._partitions = partitions
        self._pack = pack
        self._pack_bytes = pack_bytes
        self._waiting: dict[tuple[str, int], tuple[list[bytes], int]] = {}
        self._full: list[Message] = []
        self._counts = dict.fromkeys(topic_of.values(), 0)

    def read(self, block: bytes, at: int, lines_max: int, /) -> tuple[int, int]:
        """Leave the first line, whatever it is."""
        del block, lines_max
        return at, 0

    def add(self, topic: str, subject: bytes, event: bytes, /) -> None:
        """As `Packing` has it."""
        self._counts[topic] += 1
        home = (topic, partition_of(subject.decode(), self._partitions))
        if self._pack == 1:
            self._full.append((*home, subject, event))
            return
        pack, size = self._waiting.get(home, ([], 0))
        if pack and size + len(event) > self._pack_bytes:
            self._full.append((*home, None, _packed(pack)))
            pack, size = [], 0
        pack.append(event)
        self._waiting[home] = (pack, size + len(event))
        if len(pack) == self._pack:
            del self._waiting[home]
            self._full.append((*home, None, _packed(pack)))

    def take(self) -> list[Message]:
        """As `Packing` has it."""
        full, self._full = self._full, []
        return full

    def close(self) -> None:
        """As `Packing` has it."""
        self._full += [(*home, None, _packed(pack)) for home, (pack, _) in self._waiting.items()]
        self._waiting.clear()

    def counts(self) -> dict[str, int]:
        """As `Packing` has it."""
        return dict(self._counts)


def is_compiled() -> bool:
    """Whether there is a compiled one."""
    return _native is not None and getattr(_native, "PACKER_INTERFACE", None) == INTERFACE


def packer(topic_of: Mapping[str, str], partitions: int, pack: int) -> Packing:
    """The compiled one where it is installed."""
    if is_compiled():
        return _native.Packer(dict(topic_of), partitions, pack, PACK_BYTES)
    return Packer(topic_of, partitions, pack)


def _packed(events: list[bytes]) -> bytes:
    return events[0] if len(events) == 1 else b"[" + b",".join(events) + b"]"
