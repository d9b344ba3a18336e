"""The fold of a chunk of one kind of entity: the compiled fold takes what it can, `EntityFold` the rest.

Whichever takes it, an event is counted once, and an entity of a chunk is folded by one of them as a whole. No I/O, no
await.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from funnelwatch.agents.engine.chunk_fold import (
    Change,
    EntityFold,
    Groups,
    Item,
    Record,
    RefusedItem,
    Tally,
    read_events,
    read_links,
)
from funnelwatch.agents.engine.outbox import LinkRecord
from funnelwatch.agents.engine.table_store import Row
from funnelwatch.agents.partitioning import partition_of
from funnelwatch.schemas.codec import Limits, decode
from funnelwatch.schemas.events import Event, Kind, Refusal
from funnelwatch.streams import compiled, compiled_cells
from funnelwatch.streams.compiled import KINDS, CompiledFold
from funnelwatch.streams.context import Context
from funnelwatch.streams.fold import Fold
from funnelwatch.streams.links import Link
from funnelwatch.streams.links import decode as decode_link
from funnelwatch.streams.shard import Cells

if TYPE_CHECKING:
    from funnelwatch._native import Chunk, Folded

Read = Callable[[int, int | None], Event | Link]
"""The event or link that is (at a place of) a record of the chunk."""


class Summary(msgspec.Struct, gc=False):
    """Of the events of a chunk: how many, how many late, and the newest last one of an entity (µs)."""

    events: int = 0
    late: int = 0
    newest: int | None = None


class Work:
    """What a chunk has for entities of one kind: in ``groups`` for the twin, in ``chunk`` for the compiled fold."""

    def __init__(
        self, records: Sequence[Record], groups: Groups, chunk: Chunk | None, read: Read, *, of_links: bool = False
    ) -> None:
        self.records = records
        self.of_links = of_links
        self.groups = groups
        self.chunk = chunk
        self._read = read
        self._compiled_keys = [] if chunk is None else chunk.keys()
        if chunk is not None and groups:
            self._give_up(chunk)

    @property
    def keys(self) -> list[bytes]:
        """The ids of the entities whose rows `KindFold.apply` has to get, in this order."""
        if not self.groups:
            return self._compiled_keys
        known = set(self._compiled_keys)
        return [*self._compiled_keys, *(key for subject in self.groups if (key := subject.encode()) not in known)]

    def summary(self, punctual_us: int) -> Summary:
        """What came; late is what happened before ``punctual_us``. Ask before the chunk is folded."""
        whole = Summary() if self.chunk is None else Summary(*self.chunk.summary(punctual_us))
        for items in self.groups.values():
            whole.events += len(items)
            whole.late += sum((item.content.at or 0) < punctual_us for item in items)
            newest = items[-1].content.at or 0
            whole.newest = newest if whole.newest is None else max(whole.newest, newest)
        return whole

    def leave(self, numbers: Sequence[int]) -> None:
        """Take entities over from the compiled fold, by their numbers among its keys."""
        for number in numbers:
            self.groups[self._compiled_keys[number].decode()] = list(self._items(number))

    def _give_up(self, chunk: Chunk) -> None:
        """Of whatever entity the twin has an item, it takes all items, in their order."""
        places = {id(record): number for number, record in enumerate(self.records)}
        for subject, items in self.groups.items():
            number = chunk.give_up(subject.encode())
            if number is not None:
                items.extend(self._items(number))
                items.sort(key=lambda item: (places[id(item.record)], item.index or 0))

    def _items(self, number: int) -> Iterator[Item]:
        assert self.chunk is not None
        for place, index in self.chunk.items(number):
            yield Item(self.records[place], index, self._read(place, index))


class Outcome(msgspec.Struct, gc=False):
    """What a chunk did to the entities of one kind.

    ``rows`` are what the changelog has to get, ``strays`` what belongs into another partition.
    """

    rows: dict[bytes, bytes]
    changes: list[Change]
    folded: Folded | None
    strays: list[Item]

    def add_to(self, cells: Cells) -> None:
        """Add what the entities contribute now, and take back what they did before."""
        if self.folded is not None:
            compiled_cells.compiled(cells).add_folded(self.folded)
        for change in self.changes:
            if change.after is not None:
                cells.add(change.before, change.after)
                cells.see(change.newest)

    @property
    def links(self) -> list[Link]:
        """What the twin has to tell other entities."""
        return [link for change in self.changes for link in change.links]

    @property
    def link_records(self) -> dict[int, list[LinkRecord]]:
        """What the compiled fold has to tell other entities, as records by partition."""
        return {} if self.folded is None else self.folded.links


class KindFold:
    """Folds chunks of one kind.

    Args:
        fold: Of the kind: the twin.
        context: Of the organisation.
        compiled: Whether the compiled fold is used; it has to be installed.
    """

    def __init__(self, fold: Fold[Any], context: Context, *, compiled: bool) -> None:
        self._kind: Kind = fold.kind
        self._twin = EntityFold(fold, context)
        self.compiled = CompiledFold(fold, context) if compiled and fold.kind in KINDS else None

    def read_events(self, records: Sequence[Record], limits: Limits) -> tuple[Work, list[RefusedItem]]:
        """The events of a chunk, and what nobody can read."""
        if self.compiled is None:
            groups, refused = read_events(self._kind, records, limits)
            return Work(records, groups, None, _nothing), refused
        chunk = self.compiled.read(records, limits)
        others = chunk.others()
        groups, refused = read_events(self._kind, [records[place] for place in others], limits) if others else ({}, [])

        decoded: dict[int, list[Event | Refusal]] = {}

        def read(place: int, index: int | None) -> Event:
            if place not in decoded:
                decoded[place] = decode(self._kind, records[place].value, records[place].headers, limits)
            content = decoded[place][index or 0]
            assert not isinstance(content, Refusal)  # or the compiled fold would not have it
            return content

        return Work(records, groups, chunk, read), refused

    def apply(
        self,
        work: Work,
        rows: list[Row],
        tally: Tally,
        *,
        seen_before: Callable[[Record], bool],
        home: tuple[int, int] | None,
    ) -> Outcome:
        """Fold a chunk's items and count each. Nothing is changed but ``tally`` and ``work``.

        Args:
            work: Of `read_events` or `read_links`.
            rows: The row of each of its keys, None if there is none.
            tally: Where the items are counted.
            seen_before: Whether this disk may have folded a record before; then the changelog may lack the row.
            home: This partition, and how many there are; None: nothing is a stray.

        Raises:
            msgspec.MsgspecError: A row is damaged: nothing can be said about its entity.
        """
        outcome = Outcome({}, [], None, [])
        keys = work.keys
        if self.compiled is not None and work.chunk is not None:
            folded = outcome.folded = self.compiled.fold(work.chunk, rows, of_links=work.of_links, home=home)
            tally.applied += folded.applied
            tally.unchanged += folded.unchanged
            outcome.rows = folded.rows
            for number, place in folded.known:
                row = rows[number]
                if row is not None and seen_before(work.records[place]):  # the disk may be ahead of the changelog
                    outcome.rows[keys[number]] = row
            work.leave(folded.left)
        if work.groups:
            known = dict(zip(keys, rows, strict=True))
            self._apply_twin(outcome, work, known, tally, seen_before=seen_before, home=home)
        return outcome

    def _apply_twin(
        self,
        outcome: Outcome,
        work: Work,
        rows: dict[bytes, Row],
        tally: Tally,
        *,
        seen_before: Callable[[Record], bool],
        home: tuple[int, int] | None,
    ) -> None:
        for subject, items in work.groups.items():
            key = subject.encode()
            row = rows[key]
            if row is None and home is not None and partition_of(subject, home[1]) != home[0]:
                outcome.strays += items
                continue
            change = self._twin.apply(subject, row, items, tally, seen_before)
            outcome.changes.append(change)
            if change.row is not None:
                outcome.rows[key] = change.row


def read_all_links(records: Sequence[Record], *, is_compiled: bool) -> tuple[dict[Kind, Work], list[RefusedItem]]:
    """The links of a chunk by kind, and what is no link."""
    chunks, others = compiled.read_links(records) if is_compiled else ({}, range(len(records)))
    unread = [records[place] for place in others]
    groups, refused = read_links(unread) if unread else ({}, [])
    kinds = [*chunks, *(kind for kind in groups if kind not in chunks)]

    def read(place: int, _: int | None) -> Link:
        return decode_link(records[place].value or b"")

    return {kind: Work(records, groups.get(kind, {}), chunks.get(kind), read, of_links=True) for kind in kinds}, refused


def _nothing(place: int, index: int | None) -> Event:
    raise AssertionError(f"nothing was compiled: {place}, {index}")
