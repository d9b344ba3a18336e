"""A commit waits for everything that was sent before it, and for nothing sent later."""

from __future__ import annotations

import asyncio

import pytest

from funnelwatch.agents.engine.barrier import SendBarrier


@pytest.fixture
def failures():
    return []


@pytest.fixture
def barrier(failures):
    return SendBarrier(failures.append)


def sent() -> asyncio.Future:
    return asyncio.get_running_loop().create_future()


async def test_nothing_sent_is_passed_at_once(barrier):
    assert await barrier.passed(0)


async def test_what_is_not_acknowledged_holds_the_commit_back(barrier):
    barrier.add(sent())

    assert not await barrier.passed(0.01)


async def test_what_was_sent_after_the_commit_began_does_not_delay_it(barrier):
    first = sent()
    barrier.add(first)
    passing = asyncio.create_task(barrier.passed(1))
    await asyncio.sleep(0)
    barrier.add(sent())
    first.set_result(None)

    assert await passing
    assert len(barrier) == 1


async def test_a_failure_is_told_at_once_and_stops_every_later_commit(barrier, failures):
    broken = sent()
    barrier.add(broken)
    broken.set_exception(ConnectionError("gone"))
    await asyncio.sleep(0)

    assert [str(failure) for failure in failures] == ["gone"]
    for _ in range(2):
        with pytest.raises(ConnectionError, match="gone"):
            await barrier.passed(1)


async def test_a_cancelled_send_stops_the_commit(barrier, failures):
    given_up = sent()
    barrier.add(given_up)
    given_up.cancel()
    await asyncio.sleep(0)

    with pytest.raises(asyncio.CancelledError):
        await barrier.passed(1)
    assert failures == []
