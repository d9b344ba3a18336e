"""Faust's tables without a wait at the start, and its recovery, never completing for a generation that has passed.

Stock lets the completion of one generation run on into the next: its tables then open partitions that the new
recovery is still filling, or end the opening that the new generation has begun, and a partition stays closed.
"""

from __future__ import annotations

from typing import Any

from faust.tables.manager import TableManager
from faust.tables.recovery import RebalanceAgain, Recovery

NO_GENERATION = -1


class GenerationRecovery(Recovery):  # type: ignore[misc]  # Faust is untyped
    """``completing`` is the generation whose recovery is complete; tables open partitions for that one alone."""

    completing: int = NO_GENERATION

    async def on_rebalance(self, *args: Any, **kwargs: Any) -> None:
        """Whatever was complete is not any more."""
        self.completing = NO_GENERATION
        await super().on_rebalance(*args, **kwargs)

    async def on_recovery_completed(self, generation_id: int = 0) -> None:
        """Complete, unless the group has moved on."""
        if generation_id != self.app.consumer_generation_id:
            raise RebalanceAgain
        self.completing = generation_id
        await super().on_recovery_completed(generation_id)


class PromptTables(TableManager):  # type: ignore[misc]  # Faust is untyped
    """Stock waits for a second before it starts, since a table may still be added; ours are all there by then."""

    async def on_start(self) -> None:
        """As stock, but for the wait."""
        await self._update_channels()
        await self.recovery.start()
