"""What is going to happen on the floor, in the order of time."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush

Deed = Callable[[int], None]
"""Something that happens at an instant (µs)."""


class Agenda:
    """Deeds by instant; of those at one instant the one entered first comes first."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Deed]] = []
        self._entered = 0

    def enter(self, at: int, deed: Deed) -> None:
        """Let ``deed`` happen at ``at``."""
        self._entered += 1
        heappush(self._heap, (at, self._entered, deed))

    def run(self, until: int) -> None:
        """Let everything happen that is due before ``until``, and what that brings about before then."""
        heap = self._heap
        while heap and heap[0][0] < until:
            at, _, deed = heappop(heap)
            deed(at)
