from __future__ import annotations

import asyncio
import contextlib
import logging

import msgspec
import pytest
from aiokafka.errors import KafkaConnectionError, MessageSizeTooLargeError
from msgspec.structs import replace
from support.documents import document

from funnelwatch.agents.board import publisher as module
from funnelwatch.agents.board.publisher import Publisher
from funnelwatch.schemas.document import Alert, Evidence
from funnelwatch.schemas.settings import KafkaSettings, Secrets, Settings

SECONDS_MAX = 10.0
SEEN = Evidence("loss_spike", "rep", "r1", "new", 4.5, 5, 12, 14, 0.5)
ALERT = Alert(
    "a1", "loss_spike", "rep", "r1", "Sara", "North", "critical", "firing", "t0", "t0", SEEN, None, "Sara lost", "/"
)


class FakeKafka:
    """Takes messages while it is up; holds what it took."""

    def __init__(self) -> None:
        self.up = True
        self.too_large: set[str] = set()
        self.taken: list[tuple[str, str, bytes | None]] = []

    def producer(self, **_options) -> FakeProducer:
        return FakeProducer(self)

    def keys(self, topic: str) -> list[str]:
        return [key for name, key, _ in self.taken if name == topic]


class FakeProducer:
    def __init__(self, kafka: FakeKafka) -> None:
        self._kafka = kafka

    async def start(self) -> None:
        if not self._kafka.up:
            raise KafkaConnectionError("nobody there")

    async def stop(self) -> None:
        pass

    async def send(self, topic: str, value: bytes | None, *, key: bytes) -> asyncio.Future[None]:
        if key.decode() in self._kafka.too_large:
            raise MessageSizeTooLargeError("too large")
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._kafka.up:
            self._kafka.taken.append((topic, key.decode(), value))
            future.set_result(None)
        else:
            future.set_exception(KafkaConnectionError("gone"))
        return future

    async def send_and_wait(self, topic: str, value: bytes | None, *, key: bytes) -> None:
        await (await self.send(topic, value, key=key))


@pytest.fixture
def kafka(monkeypatch):
    found = FakeKafka()
    monkeypatch.setattr(module, "AIOKafkaProducer", found.producer)
    monkeypatch.setattr(module, "PUBLISH_SECONDS", 0.01)
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.01)
    return found


@contextlib.asynccontextmanager
async def publishing():
    publisher = Publisher(Settings(kafka=KafkaSettings(prefix="t.")), Secrets())
    task = asyncio.create_task(publisher.run())
    try:
        yield publisher
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(holds) -> None:
    async with asyncio.timeout(SECONDS_MAX):
        while not holds():  # noqa: ASYNC110  (what is waited for is the publisher's doing)
            await asyncio.sleep(0.005)


def offer(publisher: Publisher, one) -> None:
    publisher.document(one)


async def test_a_document_that_only_aged_is_not_published_again(kafka):
    async with publishing() as publisher:
        offer(publisher, document("r1"))
        await until(lambda: kafka.keys("t.kpi.reps") == ["r1"])
        offer(publisher, replace(document("r1"), as_of="2026-11-20T15:31:00+00:00"))
        offer(publisher, document("r2"))
        await until(lambda: "r2" in kafka.keys("t.kpi.reps"))

        assert kafka.keys("t.kpi.reps") == ["r1", "r2"]


async def test_while_kafka_is_away_only_the_newest_document_of_a_rep_waits(kafka, caplog):
    caplog.set_level(logging.INFO)
    kafka.up = False
    async with publishing() as publisher:
        for seed in range(5):
            offer(publisher, document("r1", seed=seed))
        publisher.alerts([ALERT, replace(ALERT, state="resolved")])
        await until(lambda: publisher.failures_total > 3)
        kafka.up = True
        await until(lambda: caplog.records[-1].levelno == logging.INFO)

    assert [(topic, key) for topic, key, _ in kafka.taken] == [
        ("t.kpi.alerts", "r1"),
        ("t.kpi.alerts", "r1"),
        ("t.kpi.reps", "r1"),
    ]
    assert [msgspec.json.decode(value)["state"] for _, _, value in kafka.taken[:2]] == ["firing", "resolved"]
    assert kafka.taken[2][2] == msgspec.json.encode(document("r1", seed=4))
    assert [record.levelno for record in caplog.records] == [logging.ERROR, logging.INFO]


async def test_a_rep_who_is_gone_leaves_a_tombstone_only_if_there_was_a_document(kafka):
    async with publishing() as publisher:
        offer(publisher, document("r1"))
        await until(lambda: kafka.taken)
        publisher.gone("r1")
        publisher.gone("r2")
        await until(lambda: len(kafka.taken) == 2)

    assert kafka.taken[1] == ("t.kpi.reps", "r1", None)


async def test_one_document_too_large_does_not_keep_the_others_back(kafka):
    kafka.too_large = {"big"}
    async with publishing() as publisher:
        for rep in ("r1", "big", "r2"):
            offer(publisher, document(rep))
        await until(lambda: {"r1", "r2"} <= set(kafka.keys("t.kpi.reps")))
        await asyncio.sleep(0.1)

        assert sorted(kafka.keys("t.kpi.reps")) == ["r1", "r2"]
        assert publisher.failures_total == 1
