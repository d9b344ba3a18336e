"""What is delivered, acknowledged and fetched while partitions move: a rebalance lost whole chunks here once."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from types import SimpleNamespace
from unittest.mock import MagicMock
from weakref import WeakSet

import faust
import pytest
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from funnelwatch.agents.engine.chunk_transport import ChunkConsumer

SOURCE = TP("crm.deals", 0)
GENERATION = 3


class Delivered:
    """A chunk on its way through Faust."""

    def __init__(self, offset: int, generation: int = GENERATION) -> None:
        self.tp, self.topic, self.offset = SOURCE, SOURCE.topic, offset
        self.generation_id = generation
        self.acked = False


@pytest.fixture
def consumer(monkeypatch):
    monkeypatch.setattr(driver.Consumer, "perform_seek", _sought)
    consumer = ChunkConsumer.__new__(ChunkConsumer)
    consumer.app = SimpleNamespace(
        consumer_generation_id=GENERATION,
        source_topics=frozenset({SOURCE.topic}),
        topics=SimpleNamespace(acks_enabled_for=lambda topic: True, _acking_topics={SOURCE.topic}),
        before_reading=lambda: None,
        tables=SimpleNamespace(changelog_topics=set()),
    )
    consumer._folded, consumer._unacked_messages = WeakSet(), WeakSet()
    consumer._acked, consumer._acked_index = defaultdict(list), defaultdict(set)
    consumer._committed_offset, consumer._read_offset = defaultdict(lambda: None), {SOURCE: 10}
    consumer._n_acked = 0
    consumer._to_seek, consumer._sought = set(), set()
    consumer._active_partitions, consumer._paused_partitions = {TP("other", 0)}, {SOURCE}
    consumer._first_of, consumer._expected, consumer._frontier = defaultdict(dict), {}, {}
    consumer._held, consumer._probed, consumer._cuts, consumer._void = set(), {}, Counter(), WeakSet()
    consumer._delivered = defaultdict(WeakSet)
    consumer._buffered_partitions, consumer._fetch_idle, consumer.flow_active = set(), asyncio.Event(), True
    consumer._fetch_idle.set()
    consumer.can_resume_flow, consumer.suspend_flow = asyncio.Event(), asyncio.Event()
    return consumer


async def _sought(_):
    """The broker's part of it."""


def acknowledged(consumer) -> list[int]:
    return consumer._acked[SOURCE]


async def test_a_chunk_that_its_agent_folded_is_acknowledged(consumer):
    message = Delivered(9)
    consumer.folded(message)
    consumer.ack(message)

    assert acknowledged(consumer) == [9]


async def test_a_chunk_that_a_stream_skipped_is_not_acknowledged_and_nobody_waits_for_it(consumer):
    message = Delivered(9)
    consumer._unacked_messages.add(message)
    consumer.ack(message)

    assert acknowledged(consumer) == []
    assert (list(consumer._unacked_messages), message.acked) == ([], True)


async def test_a_chunk_of_an_earlier_generation_is_not_acknowledged(consumer):
    message = Delivered(9, generation=GENERATION - 1)
    consumer.folded(message)
    consumer.ack(message)

    assert acknowledged(consumer) == []


@pytest.mark.parametrize(("is_folded", "generation"), [(True, GENERATION), (False, GENERATION), (True, GENERATION - 1)])
async def test_a_compiled_stream_acknowledges_what_is_settled_as_folded_and_nothing_else(
    consumer, is_folded, generation
):
    """Faust's streams in C do the consumer's part themselves, without calling its `ack`."""
    streams = pytest.importorskip("faust._cython.streams")
    message = Delivered(9, generation)
    message.refcount, consumer._waiting_for_ack = 1, None
    if is_folded:
        consumer.folded(message)
    consumer.settle(message)
    stream = MagicMock()
    stream.app.consumer, stream.app.topics, stream.app.conf = consumer, consumer.app.topics, faust.App("test").conf
    streams.StreamIterator(stream).after(SimpleNamespace(message=message), True, None)

    assert acknowledged(consumer) == ([9] if is_folded and generation == GENERATION else [])


async def test_a_partition_is_fetched_from_when_it_was_sought_and_the_flow_goes_on_and_not_before(consumer):
    consumer.resume_partitions({SOURCE})
    assert SOURCE not in consumer._active_partitions
    await consumer.perform_seek()
    assert SOURCE not in consumer._active_partitions
    consumer.resume_flow()

    assert SOURCE in consumer._active_partitions
    assert consumer._expected[SOURCE] == consumer._frontier[SOURCE] == 10


async def test_a_fetch_that_ends_while_the_flow_is_stopped_seeks_nothing_and_delivers_nothing(consumer, monkeypatch):
    async def fetched(_):
        return {SOURCE: [SimpleNamespace(offset=10)]}, {SOURCE}

    consumer._wait_next_records, consumer.flow_active, consumer._stopped = fetched, False, asyncio.Event()
    consumer.perform_seek = None  # calling it would raise
    monkeypatch.setattr(ChunkConsumer, "should_stop", False)

    assert [delivery async for delivery in consumer.getmany(1.0)] == []
    assert consumer._expected == {}


@pytest.mark.parametrize(("is_full", "flow"), [(False, True), (True, True), (False, False)])
async def test_a_chunk_its_agent_has_room_for_is_delivered_at_once_and_another_one_as_stock_does(
    consumer, monkeypatch, is_full, flow
):
    delivered = []

    async def fetched(_):
        return {SOURCE: [SimpleNamespace(offset=10)]}, {SOURCE}

    async def deliver(message):
        delivered.append(message)

    consumer._wait_next_records, consumer.flow_active, consumer._stopped = fetched, True, asyncio.Event()
    consumer._to_message = lambda tp, record: Delivered(record.offset)
    consumer.callback = deliver
    queue = SimpleNamespace(full=lambda: is_full)
    consumer.app.topics._tp_index = {SOURCE: [SimpleNamespace(queue=queue)]}
    consumer.app.flow_control = SimpleNamespace(is_active=lambda: flow)
    monkeypatch.setattr(ChunkConsumer, "should_stop", False)
    yielded = [message async for _, message in consumer.getmany(1.0)]

    at_once = flow and not is_full
    assert [message.offset for message in delivered] == ([10] if at_once else [])
    assert [message.offset for message in yielded] == ([] if at_once else [10])
    assert consumer._expected[SOURCE] == 11


class Thread:
    """The part of the consumer that talks to the broker."""

    def __init__(self, consumer) -> None:
        self.consumer, self.sought, self.meanwhile = consumer, [], None

    async def seek_wait(self, offsets) -> None:
        self.sought.append(dict(offsets))
        if self.meanwhile:
            self.meanwhile()

    async def seek_to_beginning(self, *tps) -> None:
        self.sought.append(dict.fromkeys(tps, "beginning"))


def reading(consumer, monkeypatch, *slices) -> Thread:
    """Each fetch of the source brings the next of these slices of offsets."""
    left = [[SimpleNamespace(offset=offset) for offset in one] for one in slices]

    async def fetched(_):
        return {SOURCE: left.pop(0)}, consumer._active_partitions

    consumer._wait_next_records, consumer._stopped = fetched, asyncio.Event()
    consumer._to_message = lambda tp, record: Delivered(record.offset)
    consumer._thread, consumer.app.topics._tp_index = Thread(consumer), {}
    consumer._active_partitions.add(SOURCE)
    consumer._paused_partitions.clear()
    monkeypatch.setattr(ChunkConsumer, "should_stop", False)
    return consumer._thread


async def deliver(consumer) -> list:
    return [message async for _, message in consumer.getmany(1.0)]


def fold(consumer, message) -> None:
    consumer.folded(message)
    consumer.ack(message)


def offsets(messages) -> list[list[int]]:
    return [[record.offset for record in message.value] for message in messages]


async def test_what_was_delivered_of_a_held_partition_is_void_and_is_delivered_again_when_it_is_taken_up(
    consumer, monkeypatch
):
    thread = reading(consumer, monkeypatch, [10, 11], [12, 13], [12, 13], [12, 13, 14])
    first, second = (await deliver(consumer))[0], (await deliver(consumer))[0]
    fold(consumer, first)
    consumer.hold(SOURCE)

    assert (consumer.is_void(first), consumer.is_void(second)) == (False, True)
    assert (SOURCE in consumer._active_partitions, SOURCE in consumer._paused_partitions) == (False, True)
    assert await deliver(consumer) == []  # what a fetch under way brings

    assert await consumer.take_up(SOURCE) is True
    assert thread.sought == [{SOURCE: 12}]
    assert consumer._new_offset(SOURCE) == 12  # still to be committed
    again = await deliver(consumer)
    assert offsets(again) == [[12, 13, 14]]
    assert not consumer.is_void(again[0])
    fold(consumer, again[0])
    assert consumer._new_offset(SOURCE) == 15


async def test_a_fetch_that_spans_the_holding_and_the_taking_up_delivers_nothing_old(consumer, monkeypatch):
    """The frontier would take what lies between for offsets that do not exist, and commit past them."""
    thread = reading(consumer, monkeypatch, [10, 11], [12, 13])
    fold(consumer, (await deliver(consumer))[0])
    fetch = consumer._wait_next_records

    async def slow(seconds):
        found = await fetch(seconds)
        consumer.hold(SOURCE)
        await consumer.take_up(SOURCE)
        found[0][SOURCE] = [SimpleNamespace(offset=offset) for offset in (20, 21)]
        return found

    consumer._wait_next_records = slow

    assert await deliver(consumer) == []
    assert thread.sought == [{SOURCE: 12}]
    assert consumer._expected[SOURCE] == consumer._frontier[SOURCE] == 12


async def test_a_few_records_are_tried_in_small_chunks_until_the_partition_is_free(consumer, monkeypatch):
    reading(consumer, monkeypatch, [10], [11, 12, 13], [11, 12, 13])
    fold(consumer, (await deliver(consumer))[0])
    consumer.hold(SOURCE)
    await consumer.take_up(SOURCE, 2)

    assert offsets(await deliver(consumer)) == [[11, 12], [13]]

    consumer.hold(SOURCE)
    await consumer.take_up(SOURCE, 2)
    consumer.free(SOURCE)
    assert offsets(await deliver(consumer)) == [[11, 12, 13]]


async def test_a_held_partition_stays_held_over_a_rebalance_and_when_its_queue_is_emptied(consumer, monkeypatch):
    reading(consumer, monkeypatch, [10])
    await deliver(consumer)
    consumer._buffered_partitions.add(SOURCE)
    consumer.hold(SOURCE)
    consumer._buffered_partitions.add(SOURCE)
    consumer.on_buffer_drop(SOURCE)
    consumer.resume_partitions({SOURCE})
    await consumer.perform_seek()
    consumer.resume_flow()

    assert (SOURCE in consumer._active_partitions, SOURCE in consumer._buffered_partitions) == (False, False)


async def test_a_partition_is_not_taken_up_while_a_rebalance_is_under_way(consumer, monkeypatch):
    thread = reading(consumer, monkeypatch, [10])
    fold(consumer, (await deliver(consumer))[0])
    consumer.hold(SOURCE)
    thread.meanwhile = lambda: setattr(consumer.app, "consumer_generation_id", GENERATION + 1)

    assert await consumer.take_up(SOURCE) is False
    assert SOURCE not in consumer._active_partitions


def test_a_partition_that_never_had_a_message_has_a_position_too(consumer):
    """Judgement waits until every partition is read to its end: one that is missing here would hold it for ever."""
    empty, changelog = TP(SOURCE.topic, 1), TP("changelog", 0)
    consumer._active_partitions = {SOURCE, empty, changelog}
    consumer._committed_offset[SOURCE] = 7

    assert consumer.committed() == {SOURCE: 7, empty: 0}


@pytest.mark.parametrize("assignment", [None, SimpleNamespace(_tp_state={})])
def test_a_partition_that_is_being_moved_has_no_end_and_no_position_and_nobody_leaves_for_it(consumer, assignment):
    """The figures about progress asked for it in the middle of a rebalance, and the worker left."""
    subscription = SimpleNamespace(assignment=assignment)
    consumer._thread = SimpleNamespace(
        _consumer=SimpleNamespace(_subscription=SimpleNamespace(subscription=subscription))
    )

    assert (consumer.highwater(SOURCE), consumer.fetched(SOURCE)) == (None, None)


@pytest.mark.parametrize("failure", [AssertionError(), AttributeError("highwater")])
def test_looking_for_partitions_that_stand_still_is_nothing_to_leave_for_while_they_are_moved(consumer, failure):
    def verify(now, tp):
        raise failure

    consumer._thread = SimpleNamespace(verify_event_path=verify)

    consumer.verify_event_path(0.0, SOURCE)
