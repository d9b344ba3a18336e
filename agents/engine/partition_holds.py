"""Partitions of which reading has stopped although they are ours: fetched no further, and gone on with where it ended.

What was delivered of one and not folded is void: its agent drops it unacknowledged, and it is fetched again. What a
fetch under way brings of it after that is not delivered either: the frontier would take it for what follows.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any
from weakref import WeakSet

from faust.transport.drivers import aiokafka as driver
from faust.types import TP


class HoldingConsumer(driver.Consumer):  # type: ignore[misc]  # Faust is untyped
    """Part of a consumer that delivers chunks and keeps a frontier (`chunk_transport.ChunkConsumer`)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._held: set[TP] = set()
        self._probed: dict[TP, int] = {}  # how many records a chunk of these may have
        self._cuts: Counter[TP] = Counter()  # how often reading was taken up again behind what had been fetched
        self._delivered: defaultdict[TP, WeakSet[Any]] = defaultdict(WeakSet)  # until their agent is done with them
        self._void: WeakSet[Any] = WeakSet()
        super().__init__(*args, **kwargs)

    def hold(self, tp: TP) -> None:
        """Fetch no more of a partition, and let its agent drop what waits."""
        self._held.add(tp)
        self._probed.pop(tp, None)
        self._buffered_partitions.discard(tp)
        self.pause_partitions({tp})
        self._make_void(tp)

    async def take_up(self, tp: TP, chunk_records: int | None = None) -> bool:
        """Go on with a held partition at the first record that was not folded; False if a rebalance prevents it now.

        Args:
            tp: The partition.
            chunk_records: How many records a chunk of it may have until `free` is called; None: as many as others.
        """
        generation = self.app.consumer_generation_id
        await self._fetch_idle.wait()
        if tp not in self._held or generation != self.app.consumer_generation_id or not self.flow_active:
            return False
        self._cuts[tp] += 1
        self._make_void(tp)
        self._new_offset(tp)  # moves the frontier over all that is acknowledged
        offset = self._frontier.get(tp)
        self._forget(tp)
        if offset is None:
            await self._thread.seek_to_beginning(driver.ensure_aiokafka_TP(tp))
        else:
            self._expected[tp] = self._frontier[tp] = offset
            self._acked[tp] = []  # what the frontier has passed is still to be committed
            await self._thread.seek_wait({tp: offset})
        if generation != self.app.consumer_generation_id or not self.flow_active:
            return False
        self._held.discard(tp)
        if chunk_records is not None:
            self._probed[tp] = chunk_records
        driver.Consumer.resume_partitions(self, {tp})  # ours would wait for another seek
        return True

    def free(self, tp: TP) -> None:
        """Deliver a partition that was taken up like all others."""
        self._probed.pop(tp, None)

    def let_go(self, tp: TP) -> None:
        """The partition is not ours any more."""
        self._held.discard(tp)
        self._probed.pop(tp, None)

    def is_void(self, message: Any) -> bool:
        """Whether a message was delivered before its partition was held: it comes again."""
        return message in self._void

    def resume_flow(self) -> None:
        """What is held stays so over a rebalance, and what is to be held is not read first."""
        self.app.before_reading()
        self._sought -= self._held
        super().resume_flow()

    def on_buffer_drop(self, tp: TP) -> None:
        """As stock, but for what is held: its queue is emptied, and nothing follows."""
        if tp in self._held:
            self._buffered_partitions.discard(tp)
        else:
            super().on_buffer_drop(tp)

    def _is_read_or_held(self, tp: TP) -> bool:
        return tp in self._held or super()._is_read_or_held(tp)

    def _cuts_now(self) -> Counter[TP]:
        return self._cuts.copy()

    def _is_stale(self, tp: TP, cuts: Counter[TP]) -> bool:
        """Whether what was fetched when ``cuts`` were so must not be delivered any more."""
        return tp in self._held or self._cuts[tp] != cuts[tp]

    def _make_void(self, tp: TP) -> None:
        self._void.update(message for message in self._delivered.pop(tp, ()) if message not in self._folded)
