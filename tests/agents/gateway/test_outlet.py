"""Whoever puts events in is told when they are safe, in whatever state Kafka is; nothing is lost, nothing overtakes."""

from __future__ import annotations

import asyncio
import contextlib
import random

import pytest
from support.gateway import gateway_settings

from funnelwatch.agents.gateway.outlet import Outlet
from funnelwatch.agents.gateway.spool import FullError, Message, Spool
from funnelwatch.schemas.settings import Secrets


class Broker:
    """A Kafka that takes events or does not."""

    def __init__(self) -> None:
        self.up = True
        self.taken: list[int] = []


class FakedOutlet(Outlet):
    """An outlet whose Kafka is a list."""

    def __init__(self, broker, settings, spool) -> None:
        super().__init__(settings, Secrets(), spool)
        self.broker = broker

    async def _connect(self) -> bool:
        await asyncio.sleep(0.001)
        return self.broker.up

    async def _send(self, messages) -> bool:
        found = [int(message.subject) for message in messages]
        await asyncio.sleep(0.001)
        if self.broker.up:
            self.broker.taken += found
        return self.broker.up


def message(number):
    return Message("crm.deals", str(number), b"x" * 50)


@pytest.fixture
def spool(tmp_path):
    opened = Spool(tmp_path / "spool", 1_000_000, 10)
    yield opened
    opened.close()


@contextlib.asynccontextmanager
async def working(broker, tmp_path, spool, monkeypatch):
    monkeypatch.setattr("funnelwatch.agents.gateway.outlet.RETRY_SECONDS", 0.005)
    outlet = FakedOutlet(broker, gateway_settings(tmp_path), spool)
    running = asyncio.create_task(outlet.run())
    yield outlet
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def reconnected(outlet):
    async with asyncio.timeout(10):
        while not outlet.connected:  # noqa: ASYNC110  (it is a state, not an event)
            await asyncio.sleep(0.005)


async def on_disk(spool):
    return [int(message.subject) for message in (await spool.oldest(10_000))[1]]


async def test_what_is_put_in_at_the_stop_is_written_to_disk(tmp_path, spool, monkeypatch):
    broker = Broker()
    async with working(broker, tmp_path, spool, monkeypatch) as outlet:
        await asyncio.sleep(0.02)
        put = asyncio.create_task(outlet.put([message(1)]))
        await asyncio.sleep(0)
    await put

    assert broker.taken + await on_disk(spool) == [1]


async def test_a_full_disk_is_told_to_whoever_puts_in(tmp_path, monkeypatch):
    small = Spool(tmp_path / "small", 100, 10)
    broker = Broker()
    broker.up = False
    async with working(broker, tmp_path, small, monkeypatch) as outlet:
        await outlet.put([message(1), message(2)])
        with pytest.raises(FullError):
            await outlet.put([message(3)])
        broker.up = True
        await reconnected(outlet)
        await outlet.put([message(4)])
    small.close()

    assert broker.taken == [1, 2, 4]


@pytest.mark.parametrize("seed", range(8))
async def test_kafka_comes_and_goes_and_every_event_gets_there_in_its_order(seed, tmp_path, spool, monkeypatch):
    rng = random.Random(seed)
    broker = Broker()
    async with working(broker, tmp_path, spool, monkeypatch) as outlet:
        for number in range(0, 300, 3):
            await outlet.put([message(number), message(number + 1), message(number + 2)])
            broker.up = broker.up if rng.random() < 0.9 else not broker.up
        broker.up = True
        await reconnected(outlet)

    assert list(dict.fromkeys(broker.taken)) == list(range(300))
    assert await on_disk(spool) == []
