"""What is delivered, acknowledged and fetched while partitions move: a rebalance lost whole chunks here once."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from types import SimpleNamespace
from weakref import WeakSet

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
        topics=SimpleNamespace(acks_enabled_for=lambda topic: True),
        tables=SimpleNamespace(changelog_topics=set()),
    )
    consumer._folded, consumer._unacked_messages = WeakSet(), WeakSet()
    consumer._acked, consumer._acked_index = defaultdict(list), defaultdict(set)
    consumer._committed_offset, consumer._read_offset = defaultdict(lambda: None), {SOURCE: 10}
    consumer._n_acked = 0
    consumer._to_seek, consumer._sought = set(), set()
    consumer._active_partitions, consumer._paused_partitions = {TP("other", 0)}, {SOURCE}
    consumer._first_of, consumer._expected, consumer._frontier = defaultdict(dict), {}, {}
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
