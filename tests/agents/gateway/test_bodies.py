"""A body is read within its limits, or refused with the status that says which."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from funnelwatch.agents.gateway.bodies import BodyError, GoneError, read, unpacked
from funnelwatch.agents.gateway.limits import FREE_BODY_BYTES, Rate, Room

LIMIT = 1_048_576


def sending(*chunks, ends=True):
    async def receive():
        if not waiting:
            await asyncio.sleep(60)
        chunk = waiting.pop(0)
        return {"type": "http.request", "body": chunk, "more_body": bool(waiting) or not ends}

    waiting = list(chunks)
    return receive


async def refusal(receive, announced="", room=None, seconds=5.0):
    with pytest.raises(BodyError) as refused:
        await read(receive, announced, LIMIT, seconds, room or Room())
    return refused.value.status, refused.value.reason


async def test_a_body_is_the_chunks_it_came_in():
    assert await read(sending(b"ab", b"", b"c"), "3", LIMIT, 5.0, Room()) == b"abc"


async def test_a_body_that_is_announced_too_large_is_refused_before_it_is_read():
    async def never():
        raise AssertionError("read")

    assert await refusal(never, announced=str(LIMIT + 1)) == (413, "too_large")


async def test_a_body_that_turns_out_too_large_is_refused_when_it_is():
    chunks = [b"x" * 65_536] * 100

    assert await refusal(sending(*chunks), announced="10") == (413, "too_large")


async def test_a_body_that_does_not_arrive_in_time_is_refused():
    assert await refusal(sending(b"x", ends=False), seconds=0.01) == (408, "too_slow")


async def test_whoever_goes_away_is_not_answered():
    async def gone():
        return {"type": "http.disconnect"}

    with pytest.raises(GoneError):
        await read(gone, "", LIMIT, 5.0, Room())


async def test_large_bodies_share_a_room_and_give_it_back():
    room = Room(bytes_max=100_000)
    large = [b"x" * FREE_BODY_BYTES, b"x" * 60_000]

    assert len(await read(sending(*large), "", LIMIT, 5.0, room)) == FREE_BODY_BYTES + 60_000
    assert room.used == 0
    assert room.take(50_000)
    assert await refusal(sending(*large), room=room) == (503, "no_room")
    assert await read(sending(b"x" * FREE_BODY_BYTES), "", LIMIT, 5.0, room)  # a small one needs none
    assert room.used == 50_000


@given(st.binary(max_size=2_000), st.sampled_from(["gzip", "x-gzip", "deflate", "raw", "", "identity"]))
def test_what_was_packed_comes_out_as_it_was(body, encoding):
    if "gzip" in encoding:
        packed = gzip.compress(body)
    elif encoding == "raw":
        packed, encoding = zlib.compress(body, wbits=-15), "deflate"
    else:
        packed = zlib.compress(body) if encoding else body
        packed = body if encoding == "identity" else packed

    assert unpacked(packed, encoding, LIMIT) == body


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (b"no", "gzip", 400),
        (gzip.compress(b"cut")[:-3], "gzip", 400),
        (gzip.compress(b"one") + b"more", "gzip", 400),
        (b"no", "deflate", 400),
        (b"x", "br", 415),
        (b"x", "gzip, gzip", 415),
        (gzip.compress(b"\0" * (LIMIT + 1)), "gzip", 413),
    ],
)
def test_what_cannot_be_unpacked_is_refused(body, encoding, status):
    with pytest.raises(BodyError) as refused:
        unpacked(body, encoding, LIMIT)

    assert refused.value.status == status


def test_a_bomb_is_never_unpacked():
    packer = zlib.compressobj(wbits=31)
    bomb = b"".join([packer.compress(b"\0" * 1_000_000) for _ in range(200)]) + packer.flush()
    tracemalloc.start()
    with pytest.raises(BodyError):
        unpacked(bomb, "gzip", LIMIT)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 4 * LIMIT


def test_a_rate_lets_a_burst_through_and_then_no_more_than_the_rate():
    rate = Rate(10.0)

    assert sum(rate.take(100.0) for _ in range(50)) == 20
    assert sum(rate.take(101.0) for _ in range(50)) == 10
