"""The incremental path with everything but Kafka and Redis: logs, shards, links between them, crashes; in virtual time.

A partition of a kind of entity has a log of events and one of links. Its worker reads them chunk by chunk: rows to the
disk, rows to the changelog, links to where they belong, then the offset. A worker dies between any two of them; the
next one has its disk, or only the changelog, or everything as it was some commits ago. Where the compiled fold is
installed, one worker folds by it and the next one in Python, unless ``FUNNELWATCH_WORKER__FOLD`` names one for all.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from random import Random
from zlib import crc32

from funnelwatch.agents.engine.chunk_fold import Tally
from funnelwatch.agents.engine.kind_fold import KindFold, read_all_links
from funnelwatch.schemas.codec import UNLIMITED
from funnelwatch.schemas.encode import encode_event
from funnelwatch.schemas.events import TOPICS, Event, Kind
from funnelwatch.schemas.settings import Settings
from funnelwatch.streams import compiled
from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.cells import decode_cell, decode_value, encode
from funnelwatch.streams.context import Context
from funnelwatch.streams.documents import Documents
from funnelwatch.streams.folds import FOLDS
from funnelwatch.streams.links import Link
from funnelwatch.streams.links import decode as decode_link
from funnelwatch.streams.links import encode as encode_link
from funnelwatch.streams.oracle import Report
from funnelwatch.streams.table import Table
from support.messages import Record
from support.read_cells import cells_of

CHUNK_MAX = 8
DAY_US = 86_400_000_000
AGAIN_SHARE = 0.3
PUBLISH_SHARE = 0.5
COMMIT_SHARE = 0.4
LATEST_COMMIT_SHARE = 0.5
DIES_BEFORE_SENDING_SHARE = 0.3
COMPILED_SHARE = 0.6
CALMING = 0.9
"""What every crash leaves of the probability of another one, so that work gets done in the end."""


class Partition:
    """One partition of one kind of entity: its logs, its changelog, and the worker and disk that have it now."""

    def __init__(self, floor: Floor, kind: Kind, number: int) -> None:
        self.floor = floor
        self.shard = (kind, number)
        self.fold = FOLDS[kind]
        self.logs: tuple[list[bytes], list[bytes]] = ([], [])
        self.changelog: dict[str, bytes] = {}
        self.commits = [(0, 0)]
        self.saved: list[tuple[tuple[int, int], dict[str, bytes]]] = [((0, 0), {})]
        self.disk: dict[str, bytes] = {}
        self.folded = [-1, -1]
        self._start((0, 0))

    def _start(self, offsets: tuple[int, int]) -> None:
        """A new worker: the cells come from the rows on the disk, and all of them are published."""
        self.read = list(offsets)
        is_compiled = self.floor.has_compiled()
        self.entities = KindFold(self.fold, self.floor.context, compiled=is_compiled)
        self.redelivered_through = self.folded.copy()
        self.cells = cells_of(self.floor.context, self.floor.settings.recordings_days, is_compiled=is_compiled)
        self.cells.advance_to(self.floor.now)
        for subject, row in self.disk.items():
            self.cells.add(None, self.fold.contribution(subject, self.fold.decode(row), self.floor.context))
        self.cells.take_changed()
        self.floor.table.replace(self.shard, _over_the_wire(self.cells.all_cells()))

    @property
    def done(self) -> bool:
        """Whether everything in the logs was read."""
        return self.read == [len(log) for log in self.logs]

    def step(self, random: Random, *, dies: bool) -> None:
        """Read a chunk of one of the logs; a worker that ``dies`` does so anywhere in it."""
        log = random.choice([which for which in (0, 1) if self.read[which] < len(self.logs[which])])
        begin = self.read[log]
        end = min(begin + random.randint(1, CHUNK_MAX), len(self.logs[log]))
        written, links = self._fold(log, begin, end)
        if dies and random.random() < DIES_BEFORE_SENDING_SHARE:
            return self._die(random)
        self.changelog.update(written)
        if dies:
            links = links[: random.randint(0, len(links))]
        for link in links:
            self.floor.send(link)
        if dies:
            return self._die(random)
        self.read[log] = end
        if random.random() < PUBLISH_SHARE:
            self.publish()
        if random.random() < COMMIT_SHARE:
            self.commits.append((self.read[0], self.read[1]))
            self.saved.append((self.commits[-1], self.disk.copy()))
        return None

    def _fold(self, log: int, begin: int, end: int) -> tuple[dict[str, bytes], list[Link]]:
        """Fold a chunk into the disk's rows and the cells; gives the rows for the changelog and the links to send."""
        kind, number = self.shard
        topic = (TOPICS[kind], "links")[log]
        records = [Record(topic, number, offset, None, self.logs[log][offset]) for offset in range(begin, end)]
        if log == 0:
            work, refused = self.entities.read_events(records, UNLIMITED)
        else:
            by_kind, refused = read_all_links(records, is_compiled=self.entities.compiled is not None)
            ((of_kind, work),) = by_kind.items()
            assert of_kind is kind
        tally, through = Tally(), self.redelivered_through[log]
        rows = [self.disk.get(key.decode()) for key in work.keys]
        outcome = self.entities.apply(work, rows, tally, seen_before=lambda record: record.offset <= through, home=None)
        written = {key.decode(): row for key, row in outcome.rows.items()}
        self.disk.update(written)
        outcome.add_to(self.cells)
        assert not refused
        assert not outcome.strays
        assert tally.applied + tally.unchanged == end - begin
        self.folded[log] = max(self.folded[log], end - 1)
        told = [decode_link(value) for records in outcome.link_records.values() for _, value in records]
        return written, outcome.links + told

    def _die(self, random: Random) -> None:
        """Somebody goes on from what was committed: with this disk, with none, or with rows of an earlier time."""
        if random.random() < LATEST_COMMIT_SHARE:
            self.commits = self.commits[: random.randint(1, len(self.commits))]
        self.resume(random.choice(("same disk", "empty disk", "earlier rows")), random)

    def resume(self, fate: str, random: Random) -> None:
        """A new worker begins at the last commit."""
        if fate == "empty disk":
            self.disk = self.changelog.copy()
            self.folded = [-1, -1]
        if fate == "earlier rows":
            reachable = [saved for saved in self.saved if saved[0] in self.commits]
            offsets, rows = random.choice(reachable)
            self.commits = self.commits[: self.commits.index(offsets) + 1]
            self.disk, self.changelog = rows.copy(), rows.copy()
            self.folded = [-1, -1]
        self.saved = [saved for saved in self.saved if saved[0] in self.commits]
        self._start(self.commits[-1])

    def forget(self, before: int) -> None:
        """What is not open and lies before the instant goes, from the disk and from the cells."""
        for subject, row in list(self.disk.items()):
            state = self.fold.decode(row)
            if self.fold.forgettable(state, before):
                self.cells.add(self.fold.contribution(subject, state, self.floor.context), None)
                del self.disk[subject]
        self.publish()

    def publish(self) -> None:
        """The cells that changed go to the table."""
        self.cells.advance_to(self.floor.now)
        self.floor.table.apply(self.shard, _over_the_wire(self.cells.take_changed()))


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

    def has_compiled(self) -> bool:
        """Whether the next worker folds by the compiled fold."""
        is_chosen = self.random.random() < COMPILED_SHARE
        forced = os.environ.get("FUNNELWATCH_WORKER__FOLD")
        return compiled.is_installed() and (is_chosen if forced is None else forced == "compiled")

    def publish(self, events: Iterable[Event]) -> None:
        """Append events to the logs they belong in."""
        for event in events:
            self._of(event.kind, event.subject).logs[0].append(encode_event(event))

    def send(self, link: Link) -> None:
        """Append a link to the log of its target; sometimes an earlier one comes again behind it."""
        log = self._of(link.target, link.target_id).logs[1]
        log.append(encode_link(link))
        if self.random.random() < AGAIN_SHARE:
            log.append(self.random.choice(log))

    def _of(self, kind: Kind, subject: str) -> Partition:
        return self.partitions[kind, crc32(subject.encode()) % self.count]

    def settle(self, crash_share: float) -> None:
        """Let the workers read everything, in any order, with crashes."""
        random = self.random
        while waiting := [partition for partition in self.partitions.values() if not partition.done]:
            dies = random.random() < crash_share
            random.choice(waiting).step(random, dies=dies)
            crash_share *= CALMING if dies else 1
        for partition in self.partitions.values():
            partition.publish()

    def forget(self) -> None:
        """All that may be forgotten now is."""
        for partition in self.partitions.values():
            partition.forget(self.now - self.settings.retention_days * DAY_US)

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
