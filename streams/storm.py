"""When too much of a partition is refused, and for too long, to go on reading it. No clock: instants come in.

One publisher that sends a few seconds of garbage is set aside and no more. But when most of what comes is refused for a
minute, the fault is a publisher's new version or ours, and every further event that is drained into the dead letters is
one to be replayed by hand: reading stops. A few events are tried from time to time; as soon as they are taken, reading
goes on by itself.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

SLICES: Final = 6
"""Of the time a storm has to last. One slice with enough good events in it ends the storm."""


class StormRules(NamedTuple):
    """When reading stops and how it goes on.

    ``share``: more than this part of the events is refused. ``seconds``: for at least so long. ``events_min``: and at
    least so many are. ``probe_seconds``: so long after a stop a few events are tried.
    """

    share: float
    seconds: float
    events_min: int
    probe_seconds: float


class Flow(StrEnum):
    """What a partition's reading does."""

    FLOWING = "flowing"
    STOPPED = "stopped"
    PROBING = "probing"
    """A few events are read, and what becomes of them decides."""


class Storm:
    """One partition's. Instants are seconds of any one clock that does not go back."""

    def __init__(self, rules: StormRules) -> None:
        self._rules = rules
        self._slice_seconds = rules.seconds / SLICES
        self._slice_ends = float("-inf")
        self._granted_until = float("-inf")
        self._probe_at = float("inf")
        self.flow = Flow.FLOWING
        self._began: float | None = None
        self._read = self._refused = 0
        self._slice_read = self._slice_refused = 0

    def note(self, now: float, read: int, refused: int) -> bool:
        """What became of some events; True: stop reading the partition now.

        Args:
            now: When.
            read: How many events there were.
            refused: How many of them were refused.
        """
        if not read or now < self._granted_until or self.flow is Flow.STOPPED:
            return False
        if self.flow is Flow.PROBING:
            return self._judge_probe(now, read, refused)
        if now >= self._slice_ends:
            self._open_slice(now)
        self._slice_read += read
        self._slice_refused += refused
        if not self._is_bad(self._slice_read, self._slice_refused):
            return False
        if self._began is None:
            self._began = now
        if now - self._began < self._rules.seconds or self.refused < self._rules.events_min:
            return False
        self.stop(now)
        return True

    @property
    def refused(self) -> int:
        """How many events were refused since the storm began."""
        return self._refused + self._slice_refused

    @property
    def read(self) -> int:
        """How many events were read since then."""
        return self._read + self._slice_read

    def stop(self, now: float, probe_in_seconds: float | None = None) -> None:
        """Reading has stopped; a probe is due after a while."""
        self.flow = Flow.STOPPED
        self._probe_at = now + (self._rules.probe_seconds if probe_in_seconds is None else probe_in_seconds)

    def is_due(self, now: float) -> bool:
        """Whether a few events should be tried."""
        return self.flow is Flow.STOPPED and now >= self._probe_at

    def probe(self) -> None:
        """A few events are going to be read."""
        self.flow = Flow.PROBING

    def grant(self, until: float) -> None:
        """Read on whatever is refused, until then: somebody looked and wants the events set aside."""
        self.flow, self._granted_until = Flow.FLOWING, until
        self._calm()

    def _judge_probe(self, now: float, read: int, refused: int) -> bool:
        if self._is_bad(read, refused):
            self._read, self._refused = self._read + read, self._refused + refused
            self.stop(now)
            return True
        self.flow = Flow.FLOWING
        self._calm()
        return False

    def _open_slice(self, now: float) -> None:
        """Judge the slice that ended: a good one, or silence for as long as a storm must last, ends the storm."""
        is_silent = now - self._slice_ends > self._rules.seconds
        if is_silent or not self._is_bad(self._slice_read, self._slice_refused):
            self._calm()
        self._read, self._refused = self._read + self._slice_read, self._refused + self._slice_refused
        self._slice_read = self._slice_refused = 0
        self._slice_ends = now + self._slice_seconds

    def _is_bad(self, read: int, refused: int) -> bool:
        return refused > self._rules.share * read

    def _calm(self) -> None:
        self._began = None
        self._read = self._refused = self._slice_read = self._slice_refused = 0
