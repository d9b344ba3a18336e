"""Dead letters say what was refused and why; strays and links find the partition of whom they are for."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka.errors import MessageSizeTooLargeError
from support.messages import Record, batch_of, record_of
from support.story import Story

from funnelwatch.agents.engine.barrier import SendBarrier
from funnelwatch.agents.engine.chunk_fold import Item, RefusedItem
from funnelwatch.agents.engine.outbox import LETTER_BYTES_MAX, Outbox
from funnelwatch.agents.partitioning import partition_of
from funnelwatch.schemas.codec import UNLIMITED, decode
from funnelwatch.schemas.events import Kind, Refusal
from funnelwatch.streams.links import TOUCH, Link
from funnelwatch.streams.links import decode as decode_link

PARTITIONS = 4


class Batch:
    def __init__(self) -> None:
        self.records: list[tuple[bytes, bytes]] = []

    def append(self, *, key, value, timestamp, headers):
        self.records.append((key, value))
        return timestamp

    def close(self) -> None:
        pass


class Producer:
    """Remembers what it was given; acknowledges at once."""

    def __init__(self, size_max: int = 2_500_000) -> None:
        self.sent: list[dict] = []
        self.batches: list[tuple[str, int, list]] = []
        self.size_max = size_max

    async def send(self, topic, value=None, key=None, partition=None, headers=()):
        if len(value or b"") + sum(len(name) + len(content) for name, content in headers) > self.size_max:
            raise MessageSizeTooLargeError
        self.sent.append({"topic": topic, "value": value, "key": key, "partition": partition, "headers": list(headers)})
        return self._acknowledged()

    def create_batch(self) -> Batch:
        return Batch()

    async def send_batch(self, batch, topic, *, partition):
        self.batches.append((topic, partition, batch.records))
        return self._acknowledged()

    def _acknowledged(self) -> asyncio.Future:
        future = asyncio.get_running_loop().create_future()
        future.set_result(None)
        return future


@pytest.fixture
def producer():
    return Producer()


@pytest.fixture
def outbox(producer):
    return Outbox(lambda: producer, SendBarrier(pytest.fail), dead_letters="dead", links="links", partitions=PARTITIONS)


def refused(record: Record, index: int | None = None, detail: str = "because") -> RefusedItem:
    return RefusedItem(record, index, Refusal("bad_time", detail))


async def test_a_dead_letter_has_the_messages_bytes_key_and_headers_and_says_why(outbox, producer):
    record = Record("crm.deals", 3, 17, b"k", b"\xff{", (("trace", b"1"), ("dlq_reason", b"from the last time")))

    await outbox.send_dead_letters([refused(record)])

    (letter,) = producer.sent
    headers = dict(letter["headers"])
    assert (letter["topic"], letter["key"], letter["value"]) == ("dead", b"k", b"\xff{")
    assert headers.pop("dlq_time").endswith(b"Z")
    assert headers == {
        "trace": b"1",
        "dlq_reason": b"bad_time",
        "dlq_detail": b"because",
        "dlq_topic": b"crm.deals",
        "dlq_partition": b"3",
        "dlq_offset": b"17",
    }
    assert len(letter["headers"]) == len(headers) + 1


async def test_of_a_batch_only_the_bad_event_is_set_aside_as_one_that_can_be_sent_again(outbox, producer):
    story = Story()
    events = [story(f"deal.created d{n}", "2026-10-05 09:00") for n in range(3)]
    record = batch_of(events)._replace(headers=(("content-type", b"application/cloudevents-batch+json"),))

    await outbox.send_dead_letters([refused(record, 1)])

    (letter,) = producer.sent
    headers = dict(letter["headers"])
    assert decode(Kind.DEAL, letter["value"], letter["headers"], UNLIMITED) == [events[1]]
    assert headers["dlq_detail"] == b"event 1 of a batch: because"


async def test_a_tombstone_stays_one(outbox, producer):
    await outbox.send_dead_letters([refused(Record("crm.deals", 0, 1, b"k", None))])

    assert producer.sent[0]["value"] is None


async def test_a_message_as_large_as_a_broker_takes_is_set_aside_whole(outbox, producer):
    await outbox.send_dead_letters([refused(Record("crm.deals", 0, 1, b"k", b"x" * 1_048_588))])

    assert producer.sent[0]["value"] == b"x" * 1_048_588


async def test_a_message_larger_than_the_topic_of_letters_takes_is_cut_and_says_so(outbox, producer):
    await outbox.send_dead_letters([refused(Record("crm.deals", 0, 1, b"k", b"x" * 3_000_000))])

    (letter,) = producer.sent
    assert letter["value"] == b"x" * LETTER_BYTES_MAX
    assert dict(letter["headers"])["dlq_detail"].startswith(b"(the first 2000000 of 3000000 bytes)")


async def test_a_message_without_key_and_value_is_set_aside_too(outbox, producer):
    await outbox.send_dead_letters([refused(Record("crm.deals", 0, 1, None, None))])

    (letter,) = producer.sent
    assert letter["value"] == b""
    assert dict(letter["headers"])["dlq_detail"].startswith(b"(neither key nor value")


async def test_headers_too_large_for_a_dead_letter_are_left_out(producer, outbox):
    producer.size_max = 10_000

    await outbox.send_dead_letters([refused(Record("crm.deals", 0, 1, b"k", b"v", (("huge", b"x" * 20_000),)))])

    (letter,) = producer.sent
    assert letter["value"] == b"v"
    assert all(name.startswith("dlq_") for name, _ in letter["headers"])
    assert dict(letter["headers"])["dlq_detail"].startswith(b"(without its key and headers")


async def test_links_go_to_the_partition_of_their_receiver(outbox, producer):
    links = [Link(Kind.LEAD, f"lead-{n}", Kind.CALL, "c1", TOUCH, n, 1) for n in range(20)]

    await outbox.send_links(links)

    assert {topic for topic, _, _ in producer.batches} == {"links"}
    found = [(partition, key, decode_link(value)) for _, partition, some in producer.batches for key, value in some]
    assert sorted(link.target_id for _, _, link in found) == sorted(link.target_id for link in links)
    for partition, key, link in found:
        assert (partition, key) == (partition_of(link.target_id, PARTITIONS), link.target_id.encode())


async def test_a_stray_event_is_sent_to_the_partition_of_its_subject(outbox, producer):
    story = Story()
    alone, packed = story("deal.created d1", "2026-10-05 09:00"), story("deal.won d2", "2026-10-05 10:00")
    items = [Item(record_of(alone), None, alone), Item(batch_of([alone, packed]), 1, packed)]

    await outbox.forward("crm.deals", items)

    for sent, event in zip(producer.sent, (alone, packed), strict=True):
        assert decode(Kind.DEAL, sent["value"], sent["headers"], UNLIMITED) == [event]
        assert sent["key"] == event.subject.encode()
        assert (sent["topic"], sent["partition"]) == ("crm.deals", partition_of(event.subject, PARTITIONS))
