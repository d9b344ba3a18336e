"""Events as networks deliver them: late, out of order, repeated, cut into chunks and delivered again.

Everything is a function of a seed; nothing is lost and nothing is invented.
"""

from collections.abc import Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")


def disordered(
    events: Sequence[T],
    seed: int,
    *,
    late_share: float = 0.05,
    late_places: int = 2_000,
    jitter_places: int = 20,
    repeat_share: float = 0.05,
) -> list[T]:
    """Mostly in order: all are displaced a little, some arrive much later, and some arrive again."""
    random = Random(f"{seed}/disorder")
    placed = []
    for place, event in enumerate(events):
        arrives = place + random.uniform(0, jitter_places)
        if random.random() < late_share:
            arrives += random.uniform(0, late_places)
        placed.append((arrives, event))
        if random.random() < repeat_share:
            placed.append((arrives + random.uniform(0, late_places), event))
    placed.sort(key=lambda pair: pair[0])
    return [event for _, event in placed]


def shuffled(events: Sequence[T], seed: int) -> list[T]:
    """In no order at all."""
    found = list(events)
    Random(f"{seed}/shuffle").shuffle(found)
    return found


def chunked(events: Sequence[T], seed: int, chunk_max: int = 500) -> list[list[T]]:
    """Cut into chunks of 1 to ``chunk_max`` events."""
    random, chunks, place = Random(f"{seed}/chunks"), [], 0
    while place < len(events):
        size = random.randint(1, chunk_max)
        chunks.append(list(events[place : place + size]))
        place += size
    return chunks


def redelivered(events: Sequence[T], seed: int, crashes: int = 3, back_places: int = 1_000) -> list[T]:
    """As read by somebody who crashes now and then and goes on from an earlier offset."""
    random, found, begin = Random(f"{seed}/crashes"), [], 0
    for crash in sorted(random.randint(0, len(events)) for _ in range(crashes)):
        found += events[begin:crash]
        begin = min(begin, crash) if crash < begin else max(0, crash - random.randint(0, back_places))
    return found + list(events[begin:])
