"""The cells of a shard from its rows: the compiled fold takes most, many at once and in a thread, the twin the rest.

While one batch is derived, the next one is read from the disk: of two cores both have something to do.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from funnelwatch.agents.engine.entity_table import ROWS_PER_STEP
from funnelwatch.agents.engine.table_store import Row
from funnelwatch.streams.cells import Contribution
from funnelwatch.streams.compiled import KINDS, CompiledFold, RowsDerivation
from funnelwatch.streams.context import Context
from funnelwatch.streams.fold import Fold
from funnelwatch.streams.shard import Cells

if TYPE_CHECKING:
    from funnelwatch._native import TakenRows

ROWS_PER_BATCH: Final = 4_000
"""Rows that are derived in one go by the compiled fold; reading them holds the event loop for 2 ms."""
WAITING_MAX: Final = 100_000
"""So many sums, marks and items wait before they are added to cells, or those of a batch more."""

Rows = list[tuple[bytes, bytes]]


class Deriver:
    """Derives what the rows of one kind contribute.

    Args:
        fold: Of the kind.
        context: Of the organisation.
        compiled: Whether the compiled fold is used; it has to be installed.
    """

    def __init__(self, fold: Fold[Any], context: Context, *, compiled: bool) -> None:
        self._fold = fold
        self._context = context
        self._compiled = CompiledFold(fold, context) if compiled and fold.kind in KINDS else None

    def contribution(self, key: bytes, row: Row) -> tuple[Contribution | None, int | None]:
        """What one row contributes, and the time of its newest event (µs).

        Raises:
            msgspec.MsgspecError: The row is damaged.
        """
        if row is None:
            return None, None
        state = self._fold.decode(row)
        return self._fold.contribution(key.decode(), state, self._context), self._fold.newest(state)

    async def derive(self, rows: Iterator[tuple[bytes, bytes]], cells: Cells) -> AsyncIterator[int]:
        """Add all rows to new cells that have their horizons; after each step, how many were read by then.

        Others run during a step, and ``rows`` is not touched while they do: whoever finds that the partition went
        leaves between two steps.

        Raises:
            msgspec.MsgspecError: A row is damaged.
        """
        if self._compiled is None:
            done = 0
            while some := list(islice(rows, ROWS_PER_STEP)):
                await self._add(some, cells)
                done += len(some)
                yield done
            return
        derivation = self._compiled.derivation()
        async for done in self._derive_compiled(rows, cells, derivation):
            yield done
        await asyncio.get_running_loop().run_in_executor(None, derivation.finish, cells)

    async def _derive_compiled(
        self, rows: Iterator[tuple[bytes, bytes]], cells: Cells, derivation: RowsDerivation
    ) -> AsyncIterator[int]:
        done = 0
        some = list(islice(rows, ROWS_PER_BATCH))
        while some:
            taking = asyncio.get_running_loop().run_in_executor(None, _take, derivation, some, cells)
            following = list(islice(rows, ROWS_PER_BATCH))
            await self._add(derivation.retake(some, await taking), cells)
            done += len(some)
            some = following
            yield done

    async def _add(self, rows: Rows, cells: Cells) -> None:
        for number, (key, row) in enumerate(rows, start=1):
            after, newest = self.contribution(key, row)
            cells.add(None, after)
            cells.see(newest)
            if number % ROWS_PER_STEP == 0:
                await asyncio.sleep(0)


def _take(derivation: RowsDerivation, rows: Rows, cells: Cells) -> TakenRows:
    """Take rows; what they come to is added to cells in the same thread, and nobody else has these yet."""
    taken = derivation.take(rows)
    if len(derivation) >= WAITING_MAX:
        derivation.add_to(cells)
    return taken
