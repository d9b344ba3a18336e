"""What one rep has on the desk, and how this rep works."""

from __future__ import annotations

from collections import deque
from itertools import cycle
from random import Random
from typing import Final

import msgspec

from funnelwatch.schemas.settings import PipelineSettings
from funnelwatch.streams.simulator.people import Rep

CLOSED_MAX: Final = 30
"""Closed deals a rep remembers and may reopen."""
LEADS_MAX: Final = 60
"""Open leads a rep remembers and calls or writes to."""
ACCEPTED_MAX: Final = 40
"""Accepted leads waiting to become deals."""

BAG: Final = 6
"""Closes are decided by drawing without replacement from bags of this size, so that luck alone makes no spike."""
LOSSES: Final = ((3, 3, 2), (3,), (3, 3, 4))
"""How many of each bag are losses, in turn, by rep: 44, 50 or 56 %."""
SPIKE_BAG: Final = 20
SPIKE_LOSSES: Final = 19


class Deal(msgspec.Struct, gc=False):
    """A deal as the floor knows it."""

    id: str
    pipeline: PipelineSettings
    stage: int
    amount: int
    currency: str
    customer: str
    lead_id: str | None
    moved_at: int

    @property
    def stage_name(self) -> str:
        """The stage it is in."""
        return self.pipeline.stages[self.stage].name

    @property
    def is_in_last_stage(self) -> bool:
        """Whether no stage follows."""
        return self.stage == len(self.pipeline.stages) - 1


class Desk:
    """One rep's deals and leads, with randomness of its own, so that one rep's trouble leaves the others as they were.

    Args:
        rep: Who sits here.
        random: The rep's randomness.
        pipeline: The pipeline most of the rep's deals are in.
        prefix: The system that gives the ids.
    """

    def __init__(self, rep: Rep, random: Random, pipeline: PipelineSettings, prefix: str) -> None:
        self.rep = rep
        self.random = random
        self.pipeline = pipeline
        self.pace = random.uniform(0.9, 1.15)
        self._losses = cycle(random.choice(LOSSES))
        self.open: list[Deal] = []
        self.closed: deque[Deal] = deque(maxlen=CLOSED_MAX)
        self.leads: deque[str] = deque(maxlen=LEADS_MAX)
        self.accepted: deque[str] = deque(maxlen=ACCEPTED_MAX)
        self.is_stalled = False
        self.is_spiking = False
        self._bag: list[bool] = []
        self._prefix = prefix
        self._ids = 0

    def new_id(self, kind: str) -> str:
        """An id that no other entity has."""
        self._ids += 1
        return f"{self._prefix}:{kind}-{self.rep.id.rpartition('-')[2]}-{self._ids:05d}"

    def close(self, deal: Deal) -> None:
        """A deal is no longer open."""
        self.open.remove(deal)
        self.closed.append(deal)

    def stall(self) -> None:
        """From now on no deal moves or closes."""
        self.is_stalled = True

    def spike(self) -> None:
        """From now on nearly every close is a loss."""
        self.is_spiking = True
        self._bag = []

    def draw_loss(self) -> bool:
        """Whether the next close is a loss."""
        if not self._bag:
            size, losses = (SPIKE_BAG, SPIKE_LOSSES) if self.is_spiking else (BAG, next(self._losses))
            self._bag = [number < losses for number in range(size)]
            self.random.shuffle(self._bag)
        return self._bag.pop()

    def about(self, mean: float) -> int:
        """A whole number near ``mean``."""
        return int(mean * self.pace * self.random.uniform(0.75, 1.25) + self.random.random())

    def chance(self, probability: float) -> bool:
        """True so often."""
        return self.random.random() < probability
