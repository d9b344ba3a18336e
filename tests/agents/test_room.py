"""A worker without room on its disk stops in order, waits to start, and says what it waits for."""

from __future__ import annotations

import asyncio
import errno
import logging

import pytest

from funnelwatch.agents.engine import room as module
from funnelwatch.agents.engine.room import Room, is_no_room

MB = 1_000_000


@pytest.fixture(autouse=True)
def _quickly(monkeypatch):
    monkeypatch.setattr(module, "CHECK_SECONDS", 0.001)


def room_with(tmp_path, *free_mb: int) -> Room:
    """What is free at each look; the last one from then on."""
    left = list(free_mb)
    return Room(tmp_path, 100 * MB, lambda _: MB * (left.pop(0) if len(left) > 1 else left[0]))


async def test_a_worker_with_room_begins_at_once(tmp_path):
    room = room_with(tmp_path, 100, 0)
    await room.wait(asyncio.Event())

    assert (room.is_lacking, room.trouble()) == (False, "")


async def test_a_worker_without_room_waits_for_twice_the_least_so_that_it_does_not_join_and_leave_by_turns(
    tmp_path, caplog
):
    looks = [99, 99, 150, 199, 200]
    room = Room(tmp_path, 100 * MB, lambda _: MB * (looks.pop(0) if looks else 1_000))
    with caplog.at_level(logging.INFO):
        await room.wait(asyncio.Event())

    assert (looks, room.is_lacking) == ([], False)
    assert f"No room: {tmp_path} has 99 MB free: the worker waits until there are 200 MB" in caplog.text
    assert "There is room again" in caplog.text


async def test_who_waits_for_room_can_be_stopped(tmp_path):
    room, stop = room_with(tmp_path, 5), asyncio.Event()
    waiting = asyncio.create_task(room.wait(stop))
    await asyncio.sleep(0.01)
    assert room.trouble() == f"{tmp_path} has 5 MB free: the worker waits until there are 200 MB"
    stop.set()

    await asyncio.wait_for(waiting, 5)


async def test_a_disk_that_fills_is_noticed_before_it_is_full(tmp_path, caplog):
    room = room_with(tmp_path, 500, 101, 100, 99)
    await asyncio.wait_for(room.exhausted(), 5)

    assert room.is_lacking is True
    assert f"before the disk is full: {tmp_path} has 99 MB free, worker.disk_free_mb_min is 100" in caplog.text


async def test_a_directory_that_is_gone_has_no_room(tmp_path):
    assert Room(tmp_path / "gone", 1).free_bytes() == 0
    assert Room(tmp_path, 1).free_bytes() > 0


@pytest.mark.parametrize(
    ("error", "is_one"),
    [
        (OSError(errno.ENOSPC, "x"), True),
        (OSError(errno.ENOENT, "x"), False),
        (Exception("IO error: No space left on device: While appending to file: /data/000012.log"), True),
        (Exception("IO error: Disk quota exceeded: While appending"), True),
        (ValueError("No such row"), False),
    ],
)
def test_what_rocksdb_and_the_system_say_of_a_full_disk_is_understood(error, is_one):
    outer = RuntimeError("a chunk was not folded")
    outer.__cause__ = error

    assert (is_no_room(error), is_no_room(outer)) == (is_one, is_one)
