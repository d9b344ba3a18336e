"""Letters as the worker writes them, and which of them are asked for."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from funnelwatch.agents.dlq.letter import Letter, Position, Wanted, letter_of, position_of, since_of
from funnelwatch.agents.dlq.sending import addresses_of, again, obstacle
from funnelwatch.agents.engine.barrier import SendBarrier
from funnelwatch.agents.engine.chunk_fold import RefusedItem
from funnelwatch.agents.engine.outbox import LETTER_BYTES_MAX, Outbox
from funnelwatch.schemas.events import Refusal
from funnelwatch.schemas.settings import KafkaSettings, Settings

NOW = 1_795_000_000_000_000
SETTINGS = Settings(kafka=KafkaSettings(prefix="p."))


class Producer:
    """Keeps what a worker sends, as a consumer would get it."""

    def __init__(self) -> None:
        self.records = []

    async def send(self, topic, value=None, key=None, headers=()):
        record = {"topic": topic, "partition": 2, "offset": len(self.records), "timestamp": 1_000}
        self.records.append(SimpleNamespace(**record, key=key, value=value, headers=tuple(headers)))
        return _done()


async def _done():
    return None


async def refused(value: bytes, *, headers=(), index=None, detail="no such type") -> Letter:
    """The letter that the worker's own outbox writes of a message."""
    producer = Producer()
    outbox = Outbox(
        lambda: producer, SendBarrier(pytest.fail), dead_letters="p.crm.dead-letters", links="p.l", partitions=4
    )
    record = SimpleNamespace(topic="p.crm.deals", partition=3, offset=41, key=b"d1", value=value, headers=headers)
    await outbox.send_dead_letters([RefusedItem(record, index, Refusal("unknown_type", detail))])
    return letter_of(producer.records[0])


def letter(at: int = NOW, reason: str = "bad_time", topic: str = "p.crm.deals", **more) -> Letter:
    headers = (("dlq_reason", reason.encode()), ("dlq_topic", topic.encode()))
    return Letter(Position(0, 1), at, more.get("key"), more.get("value", b"{}"), headers)


async def test_what_a_worker_writes_is_read_back():
    found = await refused(b"{}", headers=(("ce_id", b"7"), ("dlq_reason", b"forged"), ("null", None)))

    assert (found.position, found.key, found.value) == (Position(2, 0), b"d1", b"{}")
    assert (found.reason, found.detail, found.topic) == ("unknown_type", "no such type", "p.crm.deals")
    assert found.source == Position(3, 41)
    assert found.own_headers == (("ce_id", b"7"), ("null", None))
    assert found.at > 1_000_000


async def test_it_is_sent_again_as_it_was_and_says_where_it_lay():
    found = await refused(b"\xff{", headers=(("ce_id", b"7"),))

    assert again(found) == {
        "topic": "p.crm.deals",
        "key": b"d1",
        "value": b"\xff{",
        "headers": [("ce_id", b"7"), ("dlq_replayed", b"2:0")],
    }
    assert obstacle(found, addresses_of(SETTINGS)) is None


async def test_an_event_of_a_batch_is_sent_again_alone():
    found = await refused(b'[{"a":1},{"b":2}]', index=1)

    assert found.value == b'{"b":2}'
    assert found.detail == "event 1 of a batch: no such type"
    assert not found.is_cut


@pytest.mark.parametrize("index", [None, 0])
async def test_what_was_cut_cannot_be_sent_again(index):
    found = await refused(b'["' + b"x" * LETTER_BYTES_MAX + b'"]', index=index)

    assert found.is_cut
    assert "too large to be kept whole" in obstacle(found, addresses_of(SETTINGS))


async def test_a_detail_that_quotes_the_mark_of_a_cut_is_no_cut():
    found = await refused(b"{}", detail="the type is '(the first 1 of 2 bytes)'")

    assert not found.is_cut


@pytest.mark.parametrize("topic", ["", "p.crm.dead-letters", "p.kpi.reps", "crm.deals", "other"])
def test_letters_go_only_where_workers_read(topic):
    assert obstacle(letter(topic=topic), addresses_of(SETTINGS)) is not None


@pytest.mark.parametrize(
    "headers", [(), None, (("dlq_time", b"\xff"),), (("dlq_time", b"noon"),), (("dlq_time", None),)]
)
def test_without_a_readable_time_the_record_s_own_counts(headers):
    record = SimpleNamespace(partition=0, offset=5, timestamp=1_700_000_000_123, key=None, value=None, headers=headers)

    assert letter_of(record).at == 1_700_000_000_123_000


@pytest.mark.parametrize("number", [b"-1", b"x", b"", b"1" * 19, "٣".encode()])
def test_a_source_that_is_no_number_is_no_source(number):
    headers = (("dlq_partition", number), ("dlq_offset", b"1"))

    assert Letter(Position(0, 1), NOW, None, None, headers).source is None


def test_its_repr_shows_nothing_that_others_wrote():
    assert repr(letter(key=b"secret", value=b"secret")) == "Letter(0:1)"


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted(), True),
        (Wanted(reasons={"bad_time", "empty"}), True),
        (Wanted(reasons={"empty"}), False),
        (Wanted(topics={"p.crm.deals"}), True),
        (Wanted(topics={"p.crm.leads"}), False),
        (Wanted(since=NOW), True),
        (Wanted(since=NOW + 1), False),
        (Wanted(reasons={"bad_time"}, topics={"p.crm.leads"}), False),
    ],
)
def test_filters_hold_together(wanted, expected):
    assert wanted.takes(letter()) is expected


def test_a_place_is_a_partition_and_an_offset():
    assert position_of("3:1042") == Position(3, 1042)
    assert str(Position(3, 1042)) == "3:1042"


@pytest.mark.parametrize("text", ["", "3", "3:", ":4", "-1:4", "3:4:5", "a:b", " 3:4", "٣:٤", "1:" + "9" * 19])
def test_what_is_no_place_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match=r"3:1042"):
        position_of(text)


@pytest.mark.parametrize(
    ("text", "seconds_ago"), [("90s", 90), ("30m", 1_800), ("2h", 7_200), ("7d", 604_800), ("999999999d", NOW / 1e6)]
)
def test_since_is_so_long_ago(text, seconds_ago):
    assert since_of(text, NOW) == NOW - int(seconds_ago * 1_000_000)


def test_since_is_an_instant():
    assert since_of("1970-01-01T01:00:00+00:00", NOW) == 3_600_000_000


@pytest.mark.parametrize("text", ["", "2", "2w", "h", "-2h", "yesterday", "2026-11-23", "2026-11-23T10:00:00"])
def test_what_is_no_time_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match="7d"):
        since_of(text, NOW)
