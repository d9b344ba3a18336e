"""How far records are read that come in the order of their last change, of which only the second is known."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any, Final, Self

import msgspec

from funnelwatch.agents.gateway.polling import Polled

BEGINNING: Final = "1970-01-01 00:00:00"
TAKEN_MAX: Final = 10_000
"""Looks of one second that are known again."""

Row = dict[str, Any]


class Place(msgspec.Struct, frozen=True):
    """The last change that was read, and the looks of that second: asking again from it on gives them once more."""

    through: str = BEGINNING
    taken: tuple[str, ...] = ()

    def new(self, rows: list[Row]) -> list[Row]:
        """The rows that were not read before."""
        known = set(self.taken)
        return [row for row in rows if _digest(row) not in known]

    def after(self, rows: list[Row], time_of: Callable[[Row], str]) -> Place:
        """The place behind some rows. ``time_of`` gives when a row was changed, as a text that sorts, or nothing."""
        times = [time_of(row) for row in rows]
        through = max([self.through, *times])
        taken = self.taken if through == self.through else ()
        found = (_digest(row) for row, time in zip(rows, times, strict=True) if time == through)
        return Place(through, tuple(dict.fromkeys((*taken, *found)))[-TAKEN_MAX:])

    @classmethod
    async def noted(cls, polled: Polled, key: str) -> Self | None:
        """The place that was noted; None if nothing was read yet."""
        text = await polled.spool.noted(polled.source.name, key)
        return None if text is None else msgspec.json.decode(text, type=cls)

    async def note(self, polled: Polled, key: str) -> None:
        """Remember the place: what is before it is safe.

        Raises:
            FullError: There is no room.
        """
        await polled.spool.note(polled.source.name, key, msgspec.json.encode(self).decode())


def _digest(row: Row) -> str:
    return hashlib.sha256(json.dumps(row, sort_keys=True).encode()).hexdigest()[:16]
