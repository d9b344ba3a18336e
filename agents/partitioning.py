"""Which partition an entity lives in: murmur2 of its id, as Java's and Faust's clients have it.

The algorithm is Austin Appleby's MurmurHash2 with Kafka's seed. It is ours because the one of aiokafka takes a byte at
a time: of a worker's time, that was a twelfth. Once for each new entity and for each link, this is a hot path.
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct
from typing import Final

CACHED_MAX: Final = 1 << 15
"""Ids whose partition is remembered: links name the same leads and deals again and again."""
_SEED: Final = 0x9747B28C
_M: Final = 0x5BD1E995
_32_BITS: Final = 0xFFFFFFFF
_POSITIVE: Final = 0x7FFFFFFF
_WORD_BYTES: Final = 4
_words = Struct("<I").iter_unpack


@lru_cache(maxsize=CACHED_MAX)
def partition_of(subject: str, partitions: int) -> int:
    """The partition of an entity."""
    return (murmur2(subject.encode()) & _POSITIVE) % partitions


def murmur2(key: bytes) -> int:
    """The hash of a key, unsigned."""
    size = len(key)
    whole = size - size % _WORD_BYTES
    hashed = _SEED ^ size
    for (word,) in _words(key[:whole]):
        mixed = word * _M & _32_BITS
        hashed = (hashed * _M ^ (mixed ^ mixed >> 24) * _M) & _32_BITS
    if whole != size:
        hashed = (hashed ^ int.from_bytes(key[whole:], "little")) * _M & _32_BITS
    hashed = (hashed ^ hashed >> 13) * _M & _32_BITS
    return hashed ^ hashed >> 15
