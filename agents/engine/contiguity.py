"""Which records of a changelog partition are known to be on this disk.

The third rule of the changelog: a worker's own batches must follow one another without a gap. A gap is another writer,
most often one that was paused and woke up. The known prefix does not pass it before its records were read, merged and
written again.
"""

from __future__ import annotations

Range = tuple[int, int]
"""Offsets, half-open."""


class Contiguity:
    """The prefix of a changelog partition that this disk holds, and what is known beyond it.

    ``through`` is the last offset of the prefix, -1 before the first record.
    """

    def __init__(self, next_offset: int) -> None:
        self._next = next_offset  # the prefix ends just before it
        self._seen = next_offset  # nothing at or above it is acknowledged yet
        self._known: dict[int, int] = {}  # begin → end of ranges beyond the prefix

    @property
    def through(self) -> int:
        """The last offset of the prefix."""
        return self._next - 1

    def own(self, first: int, count: int) -> Range | None:
        """Note one acknowledged batch of ours; the range of foreign records that showed up before it, if any."""
        end = first + count
        if end <= self._seen:
            return None  # recovery has read it back already
        gap = (self._seen, first) if first > self._seen else None
        self._know(max(first, self._seen), end)
        self._seen = end
        return gap

    def repaired(self, gap: Range) -> None:
        """The records of ``gap`` are merged into our rows, and what they touched is written again."""
        self._know(*gap)

    def _know(self, begin: int, end: int) -> None:
        self._known[begin] = end
        while self._next in self._known:
            self._next = self._known.pop(self._next)
