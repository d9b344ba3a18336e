"""Work in pieces: whoever waits has a turn after each, and twice as long as the piece took."""

from funnelwatch.agents import clock
from funnelwatch.agents.board import pace as module
from funnelwatch.agents.board.pace import REST, SLICE_SECONDS, Pace


async def test_a_piece_that_took_long_is_followed_by_a_rest_and_a_short_one_by_none(monkeypatch):
    at, rests = [0.0], []

    async def sleep(seconds):
        rests.append(seconds)
        at[0] += seconds

    monkeypatch.setattr(clock, "monotonic", lambda: at[0])
    monkeypatch.setattr(module.asyncio, "sleep", sleep)
    pace = Pace()
    await pace.rest()
    at[0] += SLICE_SECONDS / 2
    await pace.rest()
    assert rests == []
    at[0] += SLICE_SECONDS
    await pace.rest()
    assert rests == [REST * 1.5 * SLICE_SECONDS]
    await pace.rest()
    assert len(rests) == 1
