"""What leads and deals have in common: others tell them facts, and may take them back.

A fact that was taken back is kept with its version, or an older copy of it would count again: told by a worker that
slept, or read from an old place of the topic. It has no instant of its own, so the state keeps until when its tellers
had been observed, and is not forgotten before that lies beyond the retention.
"""

from __future__ import annotations

from typing import Protocol, TypeVar

from funnelwatch.streams.fold import Fold, State
from funnelwatch.streams.links import Link


class ReceivingState(State, Protocol):
    """A state with ``withdrawn_at``: the newest event (µs) of any that took a fact back; 0 if none did."""

    withdrawn_at: int


St = TypeVar("St", bound=ReceivingState)


class ReceivingFold(Fold[St]):
    """A fold of entities that facts are told to."""

    def add_link(self, state: St, link: Link) -> bool:
        """As of `Fold`."""
        changed = super().add_link(state, link)
        if link.at is None and link.told_at > state.withdrawn_at:
            state.withdrawn_at = link.told_at
            changed = True
        return changed

    def merge(self, left: St, right: St) -> St:
        """As of `Fold`."""
        merged = super().merge(left, right)
        merged.withdrawn_at = max(left.withdrawn_at, right.withdrawn_at)
        return merged
