"""From a chunk of a source topic to rows, cells, links and dead letters: what Faust's agents do.

chunk → decode → by entity → rows → fold → rows to the disk, contributions to the cells   (one step, no await)
→ rows to the changelog, links, dead letters        (awaited)
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from funnelwatch.agents.clock import monotonic
from funnelwatch.agents.engine.chunk_fold import (
    FOLD_FAILED,
    Item,
    Record,
    RefusedItem,
    Tally,
)
from funnelwatch.agents.engine.entity_table import EntityTable
from funnelwatch.agents.engine.judging import Judge
from funnelwatch.agents.engine.kind_fold import KindFold, Summary, Work, read_all_links
from funnelwatch.agents.engine.metrics import LATE_US, Metrics
from funnelwatch.agents.engine.outbox import Outbox
from funnelwatch.agents.engine.progress import Progress
from funnelwatch.agents.engine.shards import Shards
from funnelwatch.schemas.events import Kind

FOLD_FAILURES_IN_A_ROW_MAX: Final = 1_000
"""So many without one event applied are a fault of the program, not of events: rather stop than refuse all of them."""

log = logging.getLogger(__name__)


class FoldFaultError(RuntimeError):
    """Every event makes the fold raise."""


class FoldAgents:
    """Folds chunks of all kinds.

    Args:
        tables: Of each kind.
        folds: Of each kind.
        shards: The cells of what is ours.
        outbox: Dead letters, links, forwarded events.
        judge: What is too old or too far ahead.
        metrics: Counts.
        progress: Told what was folded.
        partitions: How many partitions everything that is keyed by an entity has.
        now_us: The system clock.
        note: Told of every chunk: topic, partition, how many events were read, how many of them refused.
    """

    def __init__(
        self,
        *,
        tables: Mapping[Kind, EntityTable],
        folds: Mapping[Kind, KindFold],
        shards: Shards,
        outbox: Outbox,
        judge: Judge,
        metrics: Metrics,
        progress: Progress,
        partitions: int,
        now_us: Callable[[], int],
        note: Callable[[str, int, int, int], None],
    ) -> None:
        self._tables = tables
        self._folds = folds
        self._shards = shards
        self._outbox = outbox
        self._judge = judge
        self._metrics = metrics
        self._progress = progress
        self._partitions = partitions
        self._now_us = now_us
        self._note = note
        self._failures_in_a_row = 0

    async def fold_events(self, kind: Kind, records: Sequence[Record]) -> None:
        """Fold a chunk of one partition of an input topic.

        Raises:
            PartitionLost: The partition is not ours: its owner gets the chunk.
        """
        started, now = monotonic(), self._now_us()
        work, refused = self._folds[kind].read_events(records, self._judge.limits(now))
        tally = Tally(refused=refused)
        topic = records[-1].topic
        summary = work.summary(came_us(records[-1]) - LATE_US)
        self._metrics.count_late(topic, summary.late)
        strays = await self._fold(kind, work, tally, records[-1])
        if strays:
            await self._outbox.forward(topic, strays)
            self._metrics.count_forwarded(topic, len(strays))
        await self._refuse(tally)
        self._metrics.count_events(topic, tally.applied, tally.unchanged, _reasons(tally.refused))
        self._note_progress(summary, records[-1], now)
        self._metrics.chunk_seconds.observe(monotonic() - started)
        self._note(topic, records[-1].partition, tally.read, len(tally.refused))

    def _note_progress(self, summary: Summary, last: Record, now: int) -> None:
        newest = summary.newest
        if newest is None:
            return
        clock = self._judge.shard_now(now, newest)
        place = last.topic, last.partition
        self._progress.folded(place, summary.events, newest, newest if clock is None else clock, now)

    async def fold_links(self, records: Sequence[Record]) -> None:
        """Fold a chunk of one partition of the links topic.

        Raises:
            PartitionLost: As `fold_events`.
        """
        by_kind, refused = read_all_links(records, is_compiled=self._folds[Kind.LEAD].compiled is not None)
        tally = Tally(refused=refused)
        for kind, work in by_kind.items():
            strays = await self._fold(kind, work, tally, records[-1])
            await self._outbox.forward(records[-1].topic, strays)
        await self._refuse(tally)
        self._metrics.count_links(tally.applied, tally.unchanged, _reasons(tally.refused))
        self._note(records[-1].topic, records[-1].partition, tally.read, len(tally.refused))

    async def _fold(self, kind: Kind, work: Work, tally: Tally, last: Record) -> list[Item]:
        """Fold items of one kind and send what follows from it; what belongs into another partition is given back."""
        table, partition = self._tables[kind], last.partition
        cells = self._shards.get(kind, partition).cells
        keys = work.keys
        rows = table.get_many(partition, keys) if keys else []
        outcome = self._folds[kind].apply(
            work,
            rows,
            tally,
            seen_before=_seen_before(table, partition),
            home=(partition, self._partitions),
        )
        table.write(partition, outcome.rows, source=(last.topic, last.offset))
        outcome.add_to(cells)
        self._metrics.folded(last.topic, partition, came_us(last))
        self._shards.folded(came_us(last), self._now_us())
        # Nothing above this line awaits: nobody sees half of a chunk.
        await table.send(partition, outcome.rows)
        await self._outbox.send_links(outcome.links)
        await self._outbox.send_link_records(outcome.link_records)
        return outcome.strays

    async def _refuse(self, tally: Tally) -> None:
        for one in tally.refused:
            if one.refusal.reason == FOLD_FAILED:
                place = (one.record.topic, one.record.partition, one.record.offset)
                log.error("The fold failed at %s[%s] offset %s: %s", *place, one.refusal.detail)
        self._watch_faults(tally)
        await self._outbox.send_dead_letters(tally.refused)

    def _watch_faults(self, tally: Tally) -> None:
        failures = sum(one.refusal.reason == FOLD_FAILED for one in tally.refused)
        self._failures_in_a_row = 0 if tally.applied else self._failures_in_a_row + failures
        if self._failures_in_a_row > FOLD_FAILURES_IN_A_ROW_MAX:
            raise FoldFaultError(f"the fold raised for {self._failures_in_a_row} events in a row")


def _seen_before(table: EntityTable, partition: int) -> Callable[[Record], bool]:
    return lambda record: table.may_be_redelivered(partition, record.topic, record.offset)


def came_us(record: Record) -> int:
    """When a record came into Kafka (µs): aiokafka says it in milliseconds, Faust's own delivery in seconds."""
    stamp = record.timestamp
    return round(stamp * 1_000_000) if isinstance(stamp, float) else stamp * 1_000


def _reasons(refused: Sequence[RefusedItem]) -> list[str]:
    return [one.refusal.reason for one in refused]
