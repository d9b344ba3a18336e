"""Since when records have had their stage, for CRMs that do not keep it: noted at the first look that shows it.

At the very first look nothing is known of before, but what the record itself tells of its close.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from funnelwatch.agents.gateway.polling import Polled
from funnelwatch.schemas.sources.crm.vtiger_record import SEEN_SINCE

_SEPARATOR: Final = "\x1f"

Look = tuple[str, str, int, int | None]
"""A record's id, its stage, when it was changed, and what it tells of its close, both in µs."""
LookOf = Callable[[dict[str, Any]], Look | None]
"""Reads a record; None if it cannot be read."""


async def mark(polled: Polled, module: str, rows: list[dict[str, Any]], look_of: LookOf) -> None:
    """Put ``SEEN_SINCE`` into records whose stage's begin is known. Looks are in the order of their changes.

    What was seen is noted before its events are handed on: an interruption in between finds the begin in the notes.

    Raises:
        FullError: There is no room for notes.
    """
    looks = [(row, look) for row in rows if (look := look_of(row)) is not None]
    name = polled.source.name
    notes = await polled.spool.noted_of(name, [_key(module, look[0]) for _, look in looks])
    new: dict[str, str] = {}
    for row, (id_, stage, modified_at, closed_at) in looks:
        key = _key(module, id_)
        before, separator, since = notes.get(key, "").partition(_SEPARATOR)
        if not separator:
            since = "" if closed_at is None else str(closed_at)
        elif before != stage:
            since = str(modified_at)
        if since:
            row[SEEN_SINCE] = int(since)
        note = f"{stage}{_SEPARATOR}{since}"
        if notes.get(key) != note:
            notes[key] = new[key] = note
    if new:
        await polled.spool.note_all(name, new)


def _key(module: str, id_: str) -> str:
    return f"{module}/seen/{id_}"
