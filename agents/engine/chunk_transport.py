"""Deliver fetched slices instead of records, and commit only what is durable.

Faust's aiokafka driver with these changes, and no more:

1. **Chunks.** One Faust message per (partition, fetched slice): its value is the list of records, its offset the last
   record's. Faust's own delivery costs 60-100 µs a record; a slice pays that once. Changelogs arrive in chunks too.
2. **Frontier.** A partition may be committed up to the first offset that is not processed yet. The frontier is kept
   from the intervals that were delivered, so that offsets which do not exist (transaction markers, compaction) are
   covered by the chunk that follows them. Stock passes one such gap per commit and can stick after a rebalance.
3. **Barrier.** No offset is committed before everything sent so far is acknowledged. This holds in stock delivery too.
4. **Revocation.** What is done is committed *before* stock forgets what was acknowledged; an event finished after its
   partition went is not acknowledged into the new generation, and one that its agent never folded not at all.
5. **No fetch crosses a seek.** A fetch under way while partitions are assigned would hand records of the new
   assignment to the old one, and the seek that follows would not know that they were taken: the assignment waits for
   it, and source partitions are not fetched before they were sought to their committed offset (or to the beginning:
   stock leaves those where they are), and before recovery has emptied the agents' queues for the last time.
6. **Holds.** Reading of a partition can be stopped, and taken up where it ended (`partition_holds`).
7. **Aborted transactions** of publishers are not read, and a producer's retry does not write a batch twice.

Overridden names are not public API: the version is pinned and a contract test holds the behaviour.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final
from weakref import WeakSet

from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from funnelwatch.agents.engine.partition_holds import HoldingConsumer

CHUNK_RECORDS_MAX: Final = 2_000
BARRIER_SECONDS_MAX: Final = 30.0
REVOCATION_COMMIT_SECONDS_MAX: Final = 3.0
FETCH_WAIT_MS_MAX: Final = 200
FETCH_SECONDS_MAX: Final = 0.25
FETCH_DRAIN_SECONDS_MAX: Final = 5.0
SEND_UNCERTAIN: Final = "something sent to Kafka was not acknowledged"


class ConsumerThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]  # Faust is untyped
    """Reads committed records only, and does not make others wait for a fetch; stock has no settings for either.

    All that a consumer asks a broker waits behind the fetch under way: with stock's 1.5 s a recovery stood still 3 s.
    """

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"  # noqa: SLF001  (aiokafka reads both when it starts)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS_MAX  # noqa: SLF001  (as above)
        return consumer


class DurableConsumer(driver.Consumer):  # type: ignore[misc]  # Faust is untyped
    """Stock delivery, committing only behind the barrier."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._fetch_idle = asyncio.Event()
        self._fetch_idle.set()
        self._to_seek: set[TP] = set()  # source partitions that are resumed once they were sought
        self._sought: set[TP] = set()  # and once nobody empties the agents' queues any more
        self._folded: WeakSet[Any] = WeakSet()  # messages whose agent is done with them
        super().__init__(*args, **kwargs)

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    # -- fetching and seeking

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:  # noqa: ASYNC109  (Faust's signature)
        """As stock, for a shorter time, and for the partitions that are active now whatever happens meanwhile."""
        generation = self.app.consumer_generation_id
        self._fetch_idle.clear()
        try:
            fetched = await super()._getmany(set(active_partitions or ()), min(timeout, FETCH_SECONDS_MAX))
        finally:
            self._fetch_idle.set()
        return fetched if generation == self.app.consumer_generation_id else {}

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Nothing is fetched from before this call until the partition was sought."""
        try:
            await asyncio.wait_for(self._fetch_idle.wait(), FETCH_DRAIN_SECONDS_MAX)
        except TimeoutError as failure:
            self.app.die(failure, "a fetch did not end during a rebalance")
        self._to_seek.clear()
        self._sought.clear()
        self._paused_partitions.update(assigned)
        await super().on_partitions_assigned(assigned, generation_id)

    def resume_partitions(self, tps: Iterable[TP]) -> None:
        """As stock; source partitions wait for the seek that follows."""
        tps = set(tps)
        self._to_seek |= {tp for tp in tps if not self._is_changelog_tp(tp)}
        super().resume_partitions(tps - self._to_seek)

    async def perform_seek(self) -> None:
        """As stock, and source partitions of which nothing was committed are sought to their beginning."""
        await super().perform_seek()
        fresh = [tp for tp, offset in self._read_offset.items() if offset is None and tp in self._to_seek]
        if fresh:
            await self._thread.seek_to_beginning(*map(driver.ensure_aiokafka_TP, fresh))
        self._sought |= self._to_seek
        self._to_seek.clear()

    def resume_flow(self) -> None:
        """As stock, and what was sought is fetched: had it come sooner, it would have been thrown out of the queues."""
        sought, self._sought = self._sought, set()
        super().resume_partitions(sought)
        super().resume_flow()

    # -- commit, revocation

    async def _commit_offsets(self, offsets: Mapping[TP, int], start_new_transaction: bool = True) -> bool:
        """Commit ``offsets``, which were computed before this call, once what they caused is safe."""
        try:
            if not await self.app.barrier.passed(BARRIER_SECONDS_MAX):
                self.log.error("Commit put off: sends unacknowledged for %s s.", BARRIER_SECONDS_MAX)
                return False
        except Exception as failure:  # noqa: BLE001  (whatever a send fails with, nothing may be committed any more)
            self.app.die(failure, SEND_UNCERTAIN)
        return bool(await super()._commit_offsets(offsets, start_new_transaction))

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Commit what is done before stock forgets what was acknowledged: it forgets first, and so never commits."""
        if revoked:
            try:
                await asyncio.wait_for(self.commit(), REVOCATION_COMMIT_SECONDS_MAX)
            except Exception as failure:  # noqa: BLE001  (not committed means delivered again, which changes nothing)
                self.log.warning("No commit at revocation: %r", failure)
        await super().on_partitions_revoked(revoked)

    def folded(self, message: Any) -> None:
        """The agent is done with the message: only now may it be acknowledged."""
        self._folded.add(message)

    def settle(self, message: Any) -> None:
        """Keep Faust from acknowledging a message that must not be: its compiled streams do it without asking `ack`.

        An agent calls this last, without awaiting anything before it asks for the next message.
        """
        if not self._may_be_acknowledged(message):
            self._unacked_messages.discard(message)
            message.acked = True

    def _may_be_acknowledged(self, message: Any) -> bool:
        if message.topic not in self.app.source_topics:
            return True
        return message.generation_id == self.app.consumer_generation_id and message in self._folded

    def ack(self, message: Any) -> bool:
        """Ignore what no agent folded (streams skip and acknowledge it while a rebalance begins), or folded too late.

        Too late: the partition was revoked. The next owner processes it again.
        """
        if not self._may_be_acknowledged(message):
            self.settle(message)
            return False
        return bool(super().ack(message))

    def committed(self) -> dict[TP, int]:
        """The committed offset of every partition of a source topic that is ours."""
        return {
            tp: self._committed_offset.get(tp) or 0
            for tp in {
                *self._committed_offset,
                *self._active_partitions,
            }  # stock keeps none of what never had a message
            if tp.topic in self.app.source_topics and self._is_read_or_held(tp)
        }

    def _is_read_or_held(self, tp: TP) -> bool:
        return tp in self._active_partitions

    def fetched(self, tp: TP) -> int | None:
        """The next offset that is asked for; None while it is not ours to say."""
        state = self._state_of(tp)
        return state.position if state and state.has_valid_position else None

    def highwater(self, tp: TP) -> int | None:
        """As stock, but None while the partition is being moved: stock raises, and a healthy worker left for it."""
        state = self._state_of(tp)
        return state.highwater if state else None

    def _state_of(self, tp: TP) -> Any:
        consumer = self._thread._consumer  # noqa: SLF001  (aiokafka's own `position` may only be awaited in its thread)
        subscription = consumer and consumer._subscription.subscription  # noqa: SLF001  (as above)
        return subscription and subscription.assignment and subscription.assignment._tp_state.get(tp)  # noqa: SLF001

    def verify_event_path(self, now: float, tp: TP) -> None:
        """As stock, which only writes to the log; not of a partition that is being moved, over which it crashes."""
        with suppress(AssertionError, AttributeError):
            super().verify_event_path(now, tp)


class ChunkConsumer(HoldingConsumer, DurableConsumer):
    """Delivers chunks and commits the frontier."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._first_of: dict[TP, dict[int, int]] = defaultdict(dict)  # last offset of a chunk → first it covers
        self._expected: dict[TP, int] = {}  # next offset from the fetcher
        self._frontier: dict[TP, int] = {}  # every offset below is processed
        super().__init__(*args, **kwargs)

    # -- delivery

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Any]]:  # noqa: ASYNC109  (Faust's signature)
        """As stock, one message per slice, delivering here what its agent has room for.

        What is yielded is delivered by stock, in a race with the end of the flow: four tasks and three turns of the
        loop, which at light load cost more than folding the slice.
        """
        cuts = self._cuts_now()
        records, active = await self._wait_next_records(timeout)
        generation = self.app.consumer_generation_id
        if records is None or self.should_stop:
            return
        if not self.flow_active:
            return  # stock seeks here, at the same time as the rebalance that stopped the flow, and so resumes too soon
        for tp, fetched in records.items():
            if not fetched or not (active is None or tp in active or tp in self._buffered_partitions):
                continue
            for chunk in self._chunks(tp, fetched):
                if not self.flow_active or self.app.consumer_generation_id != generation:
                    return  # before it is noted as delivered: it will be fetched again
                if self._is_stale(tp, cuts):
                    break
                message = self._delivery(tp, chunk)
                if self._is_taken_at_once(tp):
                    await self.callback(message)
                    self._read_offset[tp] = message.offset
                else:
                    yield tp, message

    def _is_taken_at_once(self, tp: TP) -> bool:
        """Whether delivery waits for nobody: not for an agent, not for the end of a rebalance."""
        channels = self.app.topics._tp_index.get(tp)  # noqa: SLF001  (Faust's conductor tells nobody)
        return bool(
            channels
            and tp.topic in self.app.source_topics
            and self.app.flow_control.is_active()
            and not any(channel.queue.full() for channel in channels)
        )

    def _chunks(self, tp: TP, fetched: list[Any]) -> Iterator[list[Any]]:
        most = self._probed.get(tp, CHUNK_RECORDS_MAX)
        for i in range(0, len(fetched), most):
            chunk = fetched[i : i + most]
            fresh = chunk if self._is_changelog_tp(tp) else self._undelivered(tp, chunk)
            if fresh:
                yield fresh

    def _delivery(self, tp: TP, chunk: list[Any]) -> Any:
        if not self._is_changelog_tp(tp):
            self._note_delivery(tp, chunk)
        message = self._to_message(tp, chunk[-1])
        message.value = chunk
        self._delivered[tp].add(message)
        return message

    def _undelivered(self, tp: TP, chunk: list[Any]) -> list[Any]:
        expected = self._expected.get(tp)
        if expected is None or chunk[0].offset >= expected:
            return chunk
        return [record for record in chunk if record.offset >= expected]

    def _note_delivery(self, tp: TP, chunk: list[Any]) -> None:
        first = self._expected.get(tp, chunk[0].offset)  # covers offsets that do not exist before the chunk
        self._frontier.setdefault(tp, first)
        self._first_of[tp][chunk[-1].offset] = first
        self._expected[tp] = chunk[-1].offset + 1
        self._read_offset[tp] = None  # switches stock's per-record gap tracking off

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Nothing: the frontier knows."""

    # -- commit

    def _new_offset(self, tp: TP) -> int | None:
        """The frontier, if it has moved past the committed offset."""
        frontier = self._frontier.get(tp)
        if frontier is None:
            return None
        acked, first_of, used = self._acked[tp], self._first_of[tp], []
        for first, last in sorted((first_of.get(last, last), last) for last in acked):
            if first > frontier:
                break
            frontier = max(frontier, last + 1)
            used.append(last)
        for last in used:
            acked.remove(last)
            first_of.pop(last, None)
        self._acked_index[tp].difference_update(used)
        self._frontier[tp] = frontier
        return frontier if frontier > (self._committed_offset[tp] or 0) else None

    # -- rebalance

    async def perform_seek(self) -> None:
        """As stock; what was delivered but not committed is expected again."""
        await super().perform_seek()
        for tp, offset in self._read_offset.items():
            if self._is_changelog_tp(tp):
                continue
            self._forget(tp)
            if offset is not None:  # None: nothing was ever committed, the first chunk tells where it begins
                self._expected[tp] = self._frontier[tp] = offset

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Forget where the revoked partitions stood."""
        await super().on_partitions_revoked(revoked)
        for tp in revoked:
            self._forget(tp)

    def _forget(self, tp: TP) -> None:
        for state in (self._first_of, self._expected, self._frontier, self._acked, self._acked_index):
            state.pop(tp, None)


class IdempotentProducer(driver.Producer):  # type: ignore[misc]  # Faust is untyped
    """A retried batch is written once: a second copy in a changelog would look like another writer's."""

    def _settings_extra(self) -> Mapping[str, Any]:
        return {"enable_idempotence": True, "acks": "all"}


class ChunkTransport(driver.Transport):  # type: ignore[misc]  # Faust is untyped
    """Chunk delivery."""

    Consumer = ChunkConsumer
    Producer = IdempotentProducer


class StockTransport(driver.Transport):  # type: ignore[misc]  # Faust is untyped
    """Faust's own delivery, record by record, for comparison."""

    Consumer = DurableConsumer
    Producer = IdempotentProducer
