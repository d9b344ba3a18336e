"""The incremental path without Kafka and Redis: events are folded in partitions, cells merged, documents assembled."""

from __future__ import annotations

from collections.abc import Iterable
from math import isclose
from zlib import crc32

import msgspec

from funnelwatch.schemas.events import Event, Kind
from funnelwatch.schemas.settings import Settings
from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.cells import Contribution
from funnelwatch.streams.context import Context
from funnelwatch.streams.documents import Documents
from funnelwatch.streams.folds import FOLDS
from funnelwatch.streams.shard import ShardCells
from funnelwatch.streams.table import Table

QUANTILES = ("median_seconds", "p90_seconds")
BIN_ERROR = 0.0101
"""The sketch's error, and what of it binary fractions may add."""


class Workers:
    """All shards of an organisation in one process, and the table that merges what they publish."""

    def __init__(self, settings: Settings, partitions: int = 2) -> None:
        self.settings = settings
        self.calendar = Calendar(settings.calendar)
        self.table = Table(settings, self.calendar)
        self.documents = Documents(settings, self.table)
        self.shards = {
            (kind, partition): ShardCells(self.calendar, settings.recordings_days)
            for kind in Kind
            for partition in range(partitions)
        }
        self._context = Context(settings, self.calendar)
        self._partitions = partitions
        self._states: dict[tuple[Kind, str], object] = {}
        self._contributions: dict[tuple[Kind, str], Contribution] = {}

    def take(self, events: Iterable[Event]) -> None:
        """Fold a chunk of events, and the links they cause."""
        touched = {}
        for event in events:
            fold = FOLDS[event.kind]
            state = self._states.setdefault((event.kind, event.subject), fold.empty())
            if fold.add(state, event):
                touched[event.kind, event.subject] = None
        for kind, subject in touched:
            self._contribute(kind, subject)
            for link in FOLDS[kind].links(subject, self._states[kind, subject]):
                state = self._states.setdefault((link.target, link.target_id), FOLDS[link.target].empty())
                FOLDS[link.target].add_link(state, link)
                self._contribute(link.target, link.target_id)

    def publish(self, now: int) -> None:
        """Merge what changed into the table."""
        for shard, cells in self.shards.items():
            cells.advance_to(now)
            self.table.apply(shard, cells.take_changed())

    def _contribute(self, kind: Kind, subject: str) -> None:
        key = (kind, subject)
        after = FOLDS[kind].contribution(subject, self._states[key], self._context)
        shard = (kind, crc32(subject.encode()) % self._partitions)
        self.shards[shard].add(self._contributions.get(key), after)
        self._contributions[key] = after


def differences(mine: object, theirs: object, path: str = "") -> list[str]:
    """Where two documents differ by more than a quantile's error, or the last bits of a quotient."""
    mine, theirs = (msgspec.to_builtins(side) for side in (mine, theirs))
    if isinstance(mine, dict) and isinstance(theirs, dict):
        missing = [f"{path}.{key}: only on one side" for key in mine.keys() ^ theirs.keys()]
        both = [key for key in mine if key in theirs]
        return missing + [line for key in both for line in differences(mine[key], theirs[key], f"{path}.{key}")]
    if isinstance(mine, list) and isinstance(theirs, list) and len(mine) == len(theirs):
        pairs = enumerate(zip(mine, theirs, strict=True))
        return [line for number, (one, two) in pairs for line in differences(one, two, f"{path}[{number}]")]
    if isinstance(mine, float) and isinstance(theirs, float | int):
        rough = path.endswith(QUANTILES) or ".velocity." in path
        if isclose(mine, theirs, rel_tol=BIN_ERROR if rough else 1e-9, abs_tol=1e-9):
            return []
    return [] if mine == theirs else [f"{path}: {mine!r} is not {theirs!r}"]
