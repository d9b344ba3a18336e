"""Tasks end when they are told to, also if a client below them swallows a cancellation."""

from __future__ import annotations

import asyncio

import pytest

from funnelwatch.agents.tasks import ended, together


class Deaf:
    """A loop whose client swallows the first cancellation."""

    def __init__(self) -> None:
        self.swallowed = 0
        self.is_over = False

    async def run(self) -> None:
        try:
            while True:
                try:
                    await asyncio.sleep(60)
                except asyncio.CancelledError:
                    if self.swallowed:
                        raise
                    self.swallowed += 1
        finally:
            self.is_over = True


async def test_a_task_whose_client_swallows_the_cancellation_while_it_connects_is_ended_all_the_same():
    """A worker that was told to stop while Redis came back waited for its publisher for ever."""
    deaf = Deaf()
    publishing = asyncio.create_task(deaf.run())
    await asyncio.sleep(0)
    await asyncio.wait_for(ended(publishing), 10)

    assert publishing.cancelled()
    assert deaf.swallowed == 1


async def test_loops_that_run_together_end_when_cancelled_although_one_does_not_hear_it_at_once():
    """A board that was told to stop while it read shards of another configuration stayed for ever."""
    one, other = Deaf(), Deaf()
    running = asyncio.create_task(together(one.run(), other.run()))
    await asyncio.sleep(0.01)
    running.cancel()
    done, _ = await asyncio.wait({running}, timeout=10)

    assert done
    assert running.cancelled()
    assert (one.swallowed, other.swallowed) == (1, 1)
    assert one.is_over
    assert other.is_over


async def test_a_loop_that_fails_takes_the_others_with_it_and_says_why():
    deaf = Deaf()

    async def fail() -> None:
        await asyncio.sleep(0.01)
        raise ValueError("why")

    with pytest.raises(ValueError, match="why"):
        await asyncio.wait_for(together(deaf.run(), fail()), 10)

    assert deaf.is_over
