"""How far a recovery is: what a log line and ``/readyz`` say of it while it runs.

A recovery has two parts: the changelogs are read and merged into the rows on disk, then figures are derived from the
rows. Memory is bounded in both: at most so many chunks wait (`application.CHUNKS_BUFFERED_MAX`, and
`entity_table.RECOVERY_BUFFER_CHUNKS` a table), and rows are read one after another.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from funnelwatch.agents.clock import monotonic

LOOK_SECONDS: Final = 0.5
SAY_SECONDS: Final = 5.0
"""A recovery shorter than this is not worth a line."""

Part = tuple[str, int]
"""(table, partition)."""

log = logging.getLogger(__name__)


class RecoveryProgress:
    """Of one recovery. Pure: instants (s) and what remains come in."""

    def __init__(self, now: float) -> None:
        self._began = now
        self._totals: Counter[Part] = Counter()
        self._remaining: Counter[Part] = Counter()
        self._derived: dict[Part, tuple[int, int]] = {}
        self._deriving: tuple[float, int] | None = None  # since when nothing but that is left, of how many rows

    def read(self, remaining: Mapping[Part, int]) -> None:
        """So many changelog records of each partition are not merged yet."""
        for part, records in remaining.items():
            self._totals[part] = max(self._totals[part], records)
        self._remaining = Counter({part: max(0, remaining.get(part, 0)) for part in self._totals})

    def derived(self, rows: Mapping[Part, tuple[int, int]]) -> None:
        """Figures of each partition come from so many rows by now, of about so many."""
        self._derived = dict(rows)

    @property
    def total(self) -> int:
        """Changelog records in all."""
        return self._totals.total()

    def shares(self) -> dict[str, float]:
        """The part done of each table, reading and deriving each counting for what it has to do; 1 of nothing."""
        work: Counter[str] = Counter()
        left: Counter[str] = Counter()
        for (table, partition), total in self._totals.items():
            work[table] += total
            left[table] += self._remaining[table, partition]
        for (table, _), (done, rows) in self._derived.items():
            work[table] += max(done, rows)
            left[table] += max(0, rows - done)
        return {table: 1 - left[table] / work[table] if work[table] else 1.0 for table in sorted(work)}

    def tables(self) -> str:
        """Each table with the share done, in whole per cent that are 100 only at the end."""
        return ", ".join(f"{table} {int(100 * share)} %" for table, share in self.shares().items())

    def line(self, now: float) -> str:
        """What a log says: share, pace, what is left."""
        if self._rows_left and not self._remaining.total():
            return self._line_deriving(now)
        self._deriving = None
        read = self.total - self._remaining.total()
        pace = read / max(now - self._began, 0.001)
        left = f"about {self._remaining.total() / pace:,.0f} s left" if read else "no telling how long it takes"
        share = int(100 * read / self.total) if self.total else 100
        return (
            f"{share} % of {self.total:,} changelog records read, {pace:,.0f} a second, {left} "
            f"(with the figures that are derived then: {self.tables()})"
        )

    def _line_deriving(self, now: float) -> str:
        left = self._rows_left
        since, rows = self._deriving = self._deriving or (now, left)
        pace = max(0, rows - left) / max(now - since, 0.001)
        seconds = f"{pace:,.0f} a second, about {left / pace:,.0f} s left" if pace else "no telling how long it takes"
        return (
            f"all {self.total:,} changelog records read, figures are derived: {left:,} rows left, {seconds} "
            f"({self.tables()})"
        )

    @property
    def _rows_left(self) -> int:
        """What figures are still to be derived from; partitions that are done are not among them."""
        return sum(max(0, rows - done) for done, rows in self._derived.values())

    def summary(self, now: float) -> str:
        """What a log says at the end."""
        return f"{self.total:,} changelog records in {now - self._began:,.1f} s"


class RecoveryWatch:
    """Says how far the recovery is that is under way.

    Args:
        remaining: Changelog records that are to be merged yet, by partition; None if no recovery is under way.
        derived: Rows that figures were derived from, by partition, and about how many there are.
    """

    def __init__(
        self,
        remaining: Callable[[], Mapping[Part, int] | None],
        derived: Callable[[], Mapping[Part, tuple[int, int]]],
    ) -> None:
        self._remaining = remaining
        self._derived = derived
        self._progress: RecoveryProgress | None = None

    def text(self) -> str:
        """How far each table is; empty if no recovery is under way, or nothing is known of it yet."""
        self._look()
        return "" if self._progress is None else self._progress.tables()

    async def run(self) -> None:
        """Look and tell, until cancelled."""
        told: RecoveryProgress | None = None
        say_at = monotonic() + SAY_SECONDS
        while True:
            self._look()
            now, progress = monotonic(), self._progress
            if told is not None and progress is not told:
                log.info("Recovered: %s.", told.summary(now))
                told = None
            if progress is None:
                say_at = now + SAY_SECONDS
            elif progress.total and now >= say_at:
                log.info("Recovering: %s.", progress.line(now))
                told, say_at = progress, now + SAY_SECONDS
            await asyncio.sleep(LOOK_SECONDS)

    def _look(self) -> None:
        remaining = self._remaining()
        if remaining is None:
            self._progress = None
            return
        if self._progress is None:
            self._progress = RecoveryProgress(monotonic())
        self._progress.read(remaining)
        self._progress.derived(self._derived())
