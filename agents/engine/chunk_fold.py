"""The fold of one chunk: messages and rows in, new rows, contributions, links and refusals out. No I/O, no await.

Every event is counted once: *applied*, *unchanged* (a repeat, or nothing new in it) or *refused*.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from funnelwatch.agents.engine.table_store import Row
from funnelwatch.schemas.codec import EVENTS_MAX, Limits, decode
from funnelwatch.schemas.envelope import split_batch
from funnelwatch.schemas.events import Event, Kind, Refusal
from funnelwatch.schemas.reasons import RefusedError
from funnelwatch.streams.cells import Contribution
from funnelwatch.streams.context import Context
from funnelwatch.streams.fold import Fold
from funnelwatch.streams.history import Refused
from funnelwatch.streams.links import Link
from funnelwatch.streams.links import decode as decode_link
from funnelwatch.streams.update import Update

FOLD_FAILED: Final = "fold_failed"
"""Reason code of an event that made the fold itself raise: a fault of ours, which must not stop the others."""
ROW_TOO_LARGE: Final = "row_too_large"
"""Reason code of an event that would make its entity's row larger than the changelog takes."""
ROW_BYTES_MAX: Final = 700_000
BAD_LINK: Final = "bad_link"
"""Reason code of a record on the links topic that is no link of ours."""


class Record(Protocol):
    """A record of a source topic."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    timestamp: int | float


class Item(msgspec.Struct, gc=False):
    """One event or link of a record. ``index``: its place in a batch, None if the record is one event."""

    record: Any
    index: int | None
    content: Event | Link


class RefusedItem(msgspec.Struct, gc=False):
    """What was refused, and why."""

    record: Any
    index: int | None
    refusal: Refusal


Groups = dict[str, list[Item]]
"""Items by the entity they are for."""


class Change(msgspec.Struct, gc=False):
    """What a chunk did to one entity. ``row`` is what the changelog has to get, None for nothing."""

    row: bytes | None
    before: Contribution | None = None
    after: Contribution | None = None
    links: list[Link] = []
    newest: int | None = None


class Tally(msgspec.Struct, gc=False):
    """What became of a chunk's events."""

    applied: int = 0
    unchanged: int = 0
    refused: list[RefusedItem] = []

    @property
    def read(self) -> int:
        """All of them."""
        return self.applied + self.unchanged + len(self.refused)

    def add(self, other: Tally) -> None:
        """Count what ``other`` counted."""
        self.applied += other.applied
        self.unchanged += other.unchanged
        self.refused += other.refused


class RowTooLargeError(ValueError):
    """A row would be larger than `ROW_BYTES_MAX`."""


def read_events(kind: Kind, records: Sequence[Record], limits: Limits) -> tuple[Groups, list[RefusedItem]]:
    """The events of a chunk by entity, in order, and what nobody can read."""
    groups: Groups = {}
    refused: list[RefusedItem] = []
    for record in records:
        results = decode(kind, record.value, record.headers, limits)
        one = len(results) == 1 and not _is_batch(record.value)
        for index, result in enumerate(results):
            place = None if one else index
            if isinstance(result, Refusal):
                refused.append(RefusedItem(record, place, result))
            else:
                groups.setdefault(result.subject, []).append(Item(record, place, result))
    return groups, refused


def read_links(records: Sequence[Record]) -> tuple[dict[Kind, Groups], list[RefusedItem]]:
    """The links of a chunk by kind and entity, and what is no link."""
    groups: dict[Kind, Groups] = {}
    refused: list[RefusedItem] = []
    for record in records:
        try:
            link = decode_link(record.value or b"")
        except (msgspec.MsgspecError, UnicodeError) as error:
            refused.append(RefusedItem(record, None, Refusal(BAD_LINK, f"it is no link ({type(error).__name__})")))
            continue
        groups.setdefault(link.target, {}).setdefault(link.target_id, []).append(Item(record, None, link))
    return groups, refused


def event_bytes(record: Record, index: int | None) -> bytes | None:
    """The bytes of one event as they were sent: the message's value, or one element of its array."""
    if index is None or record.value is None:
        return record.value
    try:
        return split_batch(record.value, EVENTS_MAX)[index]
    except (RefusedError, IndexError):
        return record.value  # refused as a whole


def _is_batch(value: bytes | None) -> bool:
    return value is not None and value[:1] != b"{" and value.lstrip()[:1] == b"["


class EntityFold:
    """Folds the items of one entity into its row."""

    def __init__(self, fold: Fold[Any], context: Context) -> None:
        self._fold = fold
        self._context = context

    def apply(
        self, subject: str, row: Row, items: Sequence[Item], tally: Tally, seen_before: Callable[[Record], bool]
    ) -> Change:
        """Fold ``items`` and count each.

        Args:
            subject: The entity's id.
            row: Its row, None if there is none.
            items: Its events or links of this chunk, in order.
            tally: Where they are counted.
            seen_before: Whether this disk may have folded a record before; then the changelog may lack the row.

        Raises:
            msgspec.MsgspecError: The row is damaged: nothing can be said about the entity.
        """
        update = Update(self._fold, subject, row)
        found = Tally()
        try:
            change = self._fold_all(update, row, items, found, seen_before)
        except Exception:  # noqa: BLE001  (one event must not stop the others: find out which, and refuse it)
            found = Tally()
            change = self._fold_singly(subject, row, items, found, seen_before)
        tally.add(found)
        return change

    def _fold_all(
        self, update: Update, row: Row, items: Sequence[Item], tally: Tally, seen_before: Callable[[Record], bool]
    ) -> Change:
        changed = known = again = False
        for item in items:
            try:
                new = update.take(item.content)
            except Refused as refused:
                tally.refused.append(RefusedItem(item.record, item.index, refused.refusal))
                continue
            if new:
                changed = True
                tally.applied += 1
            else:
                tally.unchanged += 1
                known = True
                again = again or seen_before(item.record)
        # Who folded a known event before us may have died after its row was in the changelog and before its links were
        # out. No mark on this disk tells, since the row may have come from the changelog: so they are sent again.
        links = update.links() if known else []
        if changed:
            done = update.finish(self._context)
            return Change(_checked(done.row), done.before, done.after, links or done.links, done.newest)
        return Change(row=row if again else None, links=links)  # the disk may be ahead of the changelog

    def _fold_singly(
        self, subject: str, row: Row, items: Sequence[Item], tally: Tally, seen_before: Callable[[Record], bool]
    ) -> Change:
        whole = Change(row=None)
        latest = row
        for item in items:
            found = Tally()
            try:
                change = self._fold_all(Update(self._fold, subject, latest), latest, [item], found, seen_before)
            except Exception as failure:  # noqa: BLE001  (whatever it is, this event causes it)
                tally.refused.append(RefusedItem(item.record, item.index, _refusal_for(failure)))
                continue
            tally.add(found)
            whole.links = [*whole.links, *change.links]
            if change.row is not None:
                latest = whole.row = change.row
            if change.after is not None:
                whole.newest = change.newest
        if whole.newest is not None and latest is not None:  # each difference lacks what the next one builds on
            whole.before = None if row is None else self._contribution(subject, row)
            whole.after = self._contribution(subject, latest)
        return whole

    def _contribution(self, subject: str, row: bytes) -> Contribution:
        return self._fold.contribution(subject, self._fold.decode(row), self._context)


def _checked(row: bytes) -> bytes:
    if len(row) > ROW_BYTES_MAX:
        raise RowTooLargeError(f"the entity's row would have {len(row)} bytes; at most {ROW_BYTES_MAX} are kept")
    return row


def _refusal_for(failure: Exception) -> Refusal:
    if isinstance(failure, RowTooLargeError):
        return Refusal(ROW_TOO_LARGE, str(failure))
    return Refusal(FOLD_FAILED, _place(failure))


def _place(failure: Exception) -> str:
    """What was raised, and where: not what it says, since that may quote the event."""
    frame = traceback.extract_tb(failure.__traceback__)[-1]
    return f"{type(failure).__name__} in {Path(frame.filename).name}, line {frame.lineno}, in {frame.name}"
