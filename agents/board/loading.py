"""One shard read from Redis as a whole, some thousand cells at a time.

A large shard in one answer holds up Redis, and takes longer than an answer may. So its cells are scanned while the
worker goes on writing, and what it tells meanwhile is taken in before anybody sees them: notes have absolute values, so
a cell that was read before or after a write is right once the note of that write is in.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from funnelwatch.agents.board.backlog import Backlog
from funnelwatch.agents.board.shards import Head, Note, decode_changes, decode_note, shard_key
from funnelwatch.streams.cells import Cell, CellValue, decode_cell, decode_value
from funnelwatch.streams.table import Shard

CELLS_PER_SCAN: Final = 2_000
"""Cells asked for at a time, and decoded between two turns of the event loop."""
NOTES_PER_TURN: Final = 100
NOTE_SECONDS_MAX: Final = 2.0
"""A note that was published longer ago than this and has not come is lost."""


class Read(NamedTuple):
    """What was found of a shard. It is as of write ``until`` when all notes from ``head.seq`` up to there are in."""

    head: Head
    cells: dict[Cell, CellValue]
    until: int


async def read_head(client: Any, prefix: str, shard: Shard) -> Head | None:
    """The head of a shard; None if there is none.

    Raises:
        ValueError: It cannot be read.
    """
    return Head.of(await client.hgetall(shard_key(prefix, *shard, "meta")))


async def read_cells(client: Any, prefix: str, shard: Shard, head: Head) -> Read | None:
    """The cells of a shard whose head was just read; None if another copy was put in place meanwhile.

    Raises:
        ValueError: They cannot be read.
    """
    key, cells, cursor = shard_key(prefix, *shard, "cells"), {}, 0
    while True:
        cursor, some = await client.hscan(key, cursor, count=CELLS_PER_SCAN)
        for field, value in some.items():
            cell = decode_cell(field)
            cells[cell] = decode_value(cell, value)
        await asyncio.sleep(0)
        if not cursor:
            break
    after = await read_head(client, prefix, shard)
    if after is None or after.epoch != head.epoch or after.fingerprint != head.fingerprint or after.seq < head.seq:
        return None
    return Read(head, cells, after.seq)


async def bring_up(shard: Shard, read: Read, backlog: Backlog) -> Head | None:
    """Take in what was told of a shard while it was read; its head then, None if it has to be read again.

    Notes of other shards stay in the backlog, in their order.
    """
    head, cells = read.head, read.cells
    others: list[bytes] = []
    try:
        for number in range(1, len(backlog) + NOTES_PER_TURN * (1 + read.until - head.seq)):
            if head.seq >= read.until:
                return head
            data = await backlog.take(NOTE_SECONDS_MAX)
            if data is None:
                return None
            note = _note_of(shard, data)
            if note is None:
                others.append(data)
            elif note.seq > head.seq and note.op != "beat":
                if note.op != "set" or note.seq != head.seq + 1:
                    return None
                _take_in(cells, note)
                head = replace(head, seq=note.seq)
            if number % NOTES_PER_TURN == 0:
                await asyncio.sleep(0)
        return None
    finally:
        backlog.put_back(others)


def _note_of(shard: Shard, data: bytes) -> Note | None:
    """The note, if it is about a write of this shard."""
    try:
        note = decode_note(data)
    except ValueError:
        return None  # whoever takes it says so
    return note if note.shard == shard and note.op != "refused" else None


def _take_in(cells: dict[Cell, CellValue], note: Note) -> None:
    for cell, value in decode_changes(note.payload).items():
        if value is None:
            cells.pop(cell, None)
        else:
            cells[cell] = value
