"""Stops reading a partition of which too much is refused, tries it from time to time, and goes on when it is told to.

What decides is `streams.storm`; this holds the partitions, tells about it, and listens to ``funnelwatch dlq resume``.
A stop goes with its partition: whoever gets it finds it told in Redis, and tries a few events at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import msgspec
import redis.exceptions
from aiokafka.errors import KafkaError
from faust.types import TP

from funnelwatch.agents.clock import monotonic, now_us
from funnelwatch.agents.stops import KEPT_SECONDS, Place, Stop, Stops
from funnelwatch.streams.storm import Flow, Storm, StormRules

TICK_SECONDS: Final = 1.0
PROBE_RECORDS: Final = 20
AWAY: Final = (TimeoutError, redis.exceptions.RedisError, OSError)

log = logging.getLogger(__name__)


class Held(msgspec.Struct):
    """A partition that has stopped."""

    since_us: int
    storm: Storm


class Storms:
    """All partitions of this worker.

    Args:
        rules: When reading stops.
        consumer: Gives the consumer, which can hold partitions.
        is_settled: Whether no rebalance is under way.
        is_on: Whether anything is ever stopped.
    """

    def __init__(
        self, rules: StormRules, consumer: Callable[[], Any], is_settled: Callable[[], bool], *, is_on: bool = True
    ) -> None:
        self._rules = rules
        self._consumer = consumer
        self._is_settled = is_settled
        self._is_on = is_on
        self._storms: dict[Place, Storm] = {}
        self._held: dict[Place, Held] = {}
        self._freed: set[Place] = set()  # what Redis still says has stopped
        self._told: dict[Place, Stop] = {}  # as of a moment ago
        self._news = asyncio.Event()

    # -- what agents ask and tell

    def drops(self, message: Any) -> bool:
        """Whether a message is not to be folded now, since its partition has stopped: it comes again."""
        return self._is_on and bool(self._consumer().is_void(message))

    def note(self, topic: str, partition: int, read: int, refused: int) -> None:
        """What became of a chunk's events."""
        place = (topic, partition)
        storm = self._storms.get(place)
        if storm is None:
            if not refused or not self._is_on:
                return  # nearly all partitions, nearly always
            storm = self._storms[place] = Storm(self._rules)
        was_probing = storm.flow is Flow.PROBING
        if storm.note(monotonic(), read, refused):
            self._hold(place, storm)
            self._say_stopped(place, storm, again=was_probing)
        elif was_probing:
            self._flow(place)
            log.warning("%s[%s] is read on: its events are taken again.", *place)

    def stopped(self) -> list[Place]:
        """The partitions that are not read on, also those of which a few events are being tried."""
        return sorted(self._held)

    def trouble(self) -> str:
        """A sentence for ``/readyz``; empty if everything is read."""
        if not self._held:
            return ""
        names = ", ".join(f"{topic}[{partition}]" for topic, partition in self.stopped())
        return f"reading of {names} has stopped, since most of it is refused: see `funnelwatch dlq list`"

    # -- from time to time

    async def look(self, stops: Stops) -> None:
        """See what is said to have stopped. Before the start, so that nothing of it is read then."""
        with suppress(*AWAY):
            self._told = await stops.told()

    def adopt(self) -> None:
        """Reading is about to begin anew after a rebalance: stop what had stopped where it was read before."""
        if not self._is_on:
            return
        consumer = self._consumer()
        ours = {(tp.topic, tp.partition) for tp in consumer.assignment()}
        for place, stop in self._told.items():
            is_old = now_us() - stop.told_us > KEPT_SECONDS * 1_000_000
            if place in self._held or place in self._freed or place not in ours or is_old:
                continue
            storm = self._storms[place] = Storm(self._rules)
            storm.stop(monotonic(), probe_in_seconds=0.0)
            self._hold(place, storm, stop.since_us)
            log.warning("%s[%s] had stopped where it was read before, since most of it was refused.", *place)

    async def run(self, stops: Stops) -> None:
        """Look after what has stopped, until cancelled."""
        while self._is_on:
            with suppress(TimeoutError):  # what has just stopped is told at once: its worker may be gone in a second
                await asyncio.wait_for(self._news.wait(), TICK_SECONDS)
            self._news.clear()
            try:
                if self._is_settled():
                    await self._tick(stops)
            except (KafkaError, TimeoutError) as trouble:
                log.warning("A stopped partition is not read on, Kafka does not answer: %r", trouble)
            except Exception as failure:  # noqa: BLE001  (what has stopped would never be read again)
                self._consumer().app.die(failure, "stopped partitions could not be looked after")

    async def _tick(self, stops: Stops) -> None:
        self._let_go({(tp.topic, tp.partition) for tp in self._consumer().assignment()})
        with suppress(*AWAY):
            await self._exchange(stops)
        await self.look(stops)
        for place, held in list(self._held.items()):
            if held.storm.is_due(monotonic()):
                held.storm.stop(monotonic(), probe_in_seconds=TICK_SECONDS)  # should this attempt fail
                if await self._consumer().take_up(TP(*place), PROBE_RECORDS):
                    held.storm.probe()

    async def _exchange(self, stops: Stops) -> None:
        for place in list(self._held):
            seconds = await stops.asked(place)
            if seconds is not None and not await self._grant(place, seconds):
                await stops.ask(place, seconds)
        await self._tell(stops)
        for place in list(self._freed):
            await stops.forget(place)
            self._freed.discard(place)

    async def leave(self, stops: Stops) -> None:
        """Tell what has stopped for whoever gets it next: this worker is about to stop in order."""
        with suppress(*AWAY):
            async with asyncio.timeout(TICK_SECONDS):
                await self._tell(stops)

    async def _tell(self, stops: Stops) -> None:
        now = now_us()
        await stops.tell(
            {place: Stop(one.since_us, now, one.storm.read, one.storm.refused) for place, one in self._held.items()}
        )

    def _let_go(self, ours: set[Place]) -> None:
        for place in self._storms.keys() - ours:
            self._storms.pop(place)
            self._held.pop(place, None)  # told in Redis for whoever has it now
            self._freed.discard(place)
            self._consumer().let_go(TP(*place))

    async def _grant(self, place: Place, seconds: int) -> bool:
        is_probed = self._held[place].storm.flow is Flow.PROBING
        if not (is_probed or await self._consumer().take_up(TP(*place))):
            return False
        log.warning("%s[%s] is read on as somebody wants, for %s s whatever is refused.", *place, seconds)
        self._held[place].storm.grant(monotonic() + seconds)
        self._flow(place)
        return True

    def _hold(self, place: Place, storm: Storm, since_us: int | None = None) -> None:
        self._consumer().hold(TP(*place))
        known = self._held.get(place)
        self._freed.discard(place)
        self._held[place] = known or Held(now_us() if since_us is None else since_us, storm)
        self._news.set()

    def _flow(self, place: Place) -> None:
        self._held.pop(place, None)
        self._freed.add(place)
        self._consumer().free(TP(*place))

    def _say_stopped(self, place: Place, storm: Storm, *, again: bool) -> None:
        topic, partition = place
        if again:
            log.warning("%s[%s]: a few events were tried, and most are still refused.", topic, partition)
            return
        log.critical(
            "Reading of %s[%s] has stopped: %s of the last %s events were refused, for %.0f s. What follows waits in "
            "the topic. Look at `funnelwatch dlq list --topic %s`; correct the publisher, or roll this version back. A "
            "few events are tried every %.0f s, and reading goes on when they are taken. To set aside what is refused "
            "and read on: `funnelwatch dlq resume --topic %s --partition %s`.",
            topic,
            partition,
            storm.refused,
            storm.read,
            self._rules.seconds,
            topic,
            self._rules.probe_seconds,
            topic,
            partition,
        )
