"""The incremental path with everything but Kafka and Redis: logs, shards, links between them, crashes; in virtual time.

A partition of a kind of entity has a log of events and one of links. Its worker reads them chunk by chunk, folds,
publishes cells and sends links. A crash takes it back to an earlier state of its rows and a yet earlier place in its
logs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random
from zlib import crc32

from funnelwatch.schemas.events import Event, Kind
from funnelwatch.schemas.settings import Settings
from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.cells import decode_cell, decode_value, encode
from funnelwatch.streams.context import Context
from funnelwatch.streams.documents import Documents
from funnelwatch.streams.folds import FOLDS
from funnelwatch.streams.links import Link
from funnelwatch.streams.links import decode as decode_link
from funnelwatch.streams.links import encode as encode_link
from funnelwatch.streams.oracle import Report
from funnelwatch.streams.shard import ShardCells
from funnelwatch.streams.table import Table

CHUNK_MAX = 8
AGAIN_SHARE = 0.3


class Partition:
    """One partition of one kind of entity, and the worker that has it now."""

    def __init__(self, floor: Floor, kind: Kind, number: int) -> None:
        self.floor = floor
        self.shard = (kind, number)
        self.fold = FOLDS[kind]
        self.events: list[Event] = []
        self.links: list[bytes] = []
        self.read = [0, 0]
        self.rows: dict[str, bytes] = {}
        self.saved: list[tuple[list[int], dict[str, bytes]]] = [([0, 0], {})]
        self._start()

    def _start(self) -> None:
        """A new worker: the cells come from the rows, and all of them are published."""
        self.cells = ShardCells(self.floor.context.calendar, self.floor.settings.recordings_days)
        self.cells.advance_to(self.floor.now)
        for subject, row in self.rows.items():
            self.cells.add(None, self.fold.contribution(subject, self.fold.decode(row), self.floor.context))
        self.cells.take_changed()
        self.floor.table.replace(self.shard, _over_the_wire(self.cells.all_cells()))

    @property
    def done(self) -> bool:
        """Whether everything in the logs was read."""
        return self.read == [len(self.events), len(self.links)]

    def step(self, random: Random) -> None:
        """Read a chunk of one of the logs, whichever has more."""
        size = random.randint(1, CHUNK_MAX)
        if random.random() < 0.5:
            for event in self.events[self.read[0] : self.read[0] + size]:
                self._fold(event.subject, event, None)
            self.read[0] = min(self.read[0] + size, len(self.events))
        else:
            for link in map(decode_link, self.links[self.read[1] : self.read[1] + size]):
                self._fold(link.target_id, None, link)
            self.read[1] = min(self.read[1] + size, len(self.links))
        if random.random() < 0.5:
            self.publish()
        if random.random() < 0.3:
            self.saved.append((self.read.copy(), self.rows.copy()))

    def _fold(self, subject: str, event: Event | None, link: Link | None) -> None:
        fold, context = self.fold, self.floor.context
        state = fold.decode(self.rows[subject]) if subject in self.rows else fold.empty()
        before = fold.contribution(subject, state, context)
        if event is not None:
            fold.add(state, event)
            self.cells.see(event.at)
        if link is not None:
            fold.add_link(state, link)
        self.rows[subject] = fold.encode(state)
        self.cells.add(before, fold.contribution(subject, state, context))
        for told in fold.links(subject, state):
            self.floor.send(told)

    def publish(self) -> None:
        """The cells that changed go to the table."""
        self.cells.advance_to(self.floor.now)
        self.floor.table.apply(self.shard, _over_the_wire(self.cells.take_changed()))

    def crash(self, random: Random) -> None:
        """Go on with rows as they were at some time, merged with what a stale worker left, from a place before that."""
        random_rows = random.randrange(len(self.saved))
        self.rows = self.saved[random_rows][1].copy()
        self.read = self.saved[random.randint(0, random_rows)][0].copy()
        stale = self.saved[random.randrange(len(self.saved))][1]
        if random.random() < 0.3:
            for subject, row in stale.items():
                known = self.rows.get(subject)
                self.rows[subject] = row if known is None else self.fold.merge_rows(known, row)
        self.saved = self.saved[: random_rows + 1]
        self._start()


class Floor:
    """All partitions, the links between them, and the table that merges what they say."""

    def __init__(self, settings: Settings, now: int, partitions: int, random: Random) -> None:
        self.settings = settings
        self.now = now
        self.random = random
        self.count = partitions
        self.context = Context(settings, Calendar(settings.calendar))
        self.table = Table(settings, self.context.calendar)
        self.documents = Documents(settings, self.table)
        self.partitions = {
            (kind, number): Partition(self, kind, number) for kind in Kind for number in range(partitions)
        }

    def publish(self, events: Iterable[Event]) -> None:
        """Append events to the logs they belong in."""
        for event in events:
            self._of(event.kind, event.subject).events.append(event)

    def send(self, link: Link) -> None:
        """Append a link to the log of its target; sometimes an earlier one comes again behind it."""
        log = self._of(link.target, link.target_id).links
        log.append(encode_link(link))
        if self.random.random() < AGAIN_SHARE:
            log.append(self.random.choice(log))

    def _of(self, kind: Kind, subject: str) -> Partition:
        return self.partitions[kind, crc32(subject.encode()) % self.count]

    def settle(self, crash_share: float) -> None:
        """Let the workers read everything, in any order, with crashes."""
        random = self.random
        while waiting := [partition for partition in self.partitions.values() if not partition.done]:
            partition = random.choice(waiting)
            partition.step(random)
            if random.random() < crash_share:
                random.choice(list(self.partitions.values())).crash(random)
                crash_share *= 0.9
        for partition in self.partitions.values():
            partition.publish()

    def report(self) -> Report:
        """Every document."""
        now = self.now
        return Report(
            reps={row.id: self.documents.rep(row.id, now) for row in self.documents.reps(now)},
            teams={name: self.documents.team(name, now) for name in self.documents.teams(now)},
            organisation=self.documents.organisation(now),
        )


def delivered(events: Sequence[Event], random: Random) -> list[Event]:
    """The events as they arrive: some late, some in no order, some again."""
    arriving = [*events, *(event for event in events if random.random() < 0.2)]
    if random.random() < 0.3:
        random.shuffle(arriving)
        return arriving
    late = {id(event): random.random() < 0.2 for event in arriving}
    return sorted(arriving, key=lambda event: (late[id(event)], event.at))


def _over_the_wire(cells: dict) -> dict:
    """Cells and values as the reader has them: encoded and decoded."""
    received = {}
    for cell, value in cells.items():
        there = decode_cell(encode(cell))
        received[there] = None if value is None else decode_value(there, encode(value))
    return received
