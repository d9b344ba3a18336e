"""The simulated floor on the wire: its history at once, then its life at the demo's pace, with two troubles."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Final

from funnelwatch.agents.clock import now_us
from funnelwatch.agents.demo.accounts import Trouble
from funnelwatch.agents.demo.options import Options
from funnelwatch.agents.demo.pace import Pace, first_live_instant
from funnelwatch.agents.publisher import Publisher
from funnelwatch.agents.topics import input_topic
from funnelwatch.schemas.events import Kind
from funnelwatch.schemas.settings import Settings
from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.simulator import Floor, Published, Rep

STALL: Final = "funnel_stalled"
SPIKE: Final = "loss_spike"


class Simulation:
    """A floor, what it has published so far, and its troubles."""

    def __init__(self, options: Options, settings: Settings) -> None:
        calendar = Calendar(settings.calendar)
        begin = first_live_instant(calendar, now_us())
        self.published = 0
        self.troubles: list[Trouble] = []
        self._settings = settings
        self._topics = {kind: input_topic(settings, kind) for kind in Kind}
        self._pace = Pace(calendar, begin, options.speed)
        self._random = random.Random(f"{options.seed}/troubles")  # noqa: S311  (a simulation repeats itself by its seed)
        self._floor, self._waiting = Floor.with_history(options.seed, begin, settings, reps=options.reps)

    @property
    def now(self) -> int:
        """The simulated instant."""
        return self._floor.now

    async def publish_history(self, publisher: Publisher) -> None:
        """Publish everything before the first live instant.

        Raises:
            OperationError: Kafka does not take it.
        """
        await self._publish(publisher, self._waiting)
        self._waiting = []

    async def live(self, publisher: Publisher, lived_seconds: float) -> None:
        """Let the floor live until so many seconds after its first live instant, and publish what happens.

        Raises:
            OperationError: Kafka does not take it.
        """
        await self._publish(publisher, self._floor.advance(self._pace.at(lived_seconds, now_us())))

    def plant(self, lived_seconds: float, healthy: Iterable[str]) -> list[Trouble]:
        """From now on one rep's funnel stalls and another one's loss rate spikes; ``healthy`` reps are preferred."""
        fit = set(healthy)
        reps = [rep for rep in self._floor.reps if rep.id in fit] or list(self._floor.reps)
        stalled, losing = self._random.sample(reps if len(reps) > 1 else list(self._floor.reps), 2)
        at = self._floor.now
        self._floor.plant_stall(stalled.id, at)
        self._floor.plant_loss_spike(losing.id, at)
        self.troubles = [self._trouble(STALL, stalled, lived_seconds), self._trouble(SPIKE, losing, lived_seconds)]
        return self.troubles

    def _trouble(self, detector: str, rep: Rep, lived_seconds: float) -> Trouble:
        return Trouble(detector, rep.id, rep.name, lived_seconds, self._floor.now)

    async def _publish(self, publisher: Publisher, events: Iterable[Published]) -> None:
        for event in events:
            await publisher.add(self._topics[event.kind], event.subject, event.value)
            self.published += 1
        await publisher.flush()
