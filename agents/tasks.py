"""Tasks that run until they are told to end, and clients below them that may not hear it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

CANCEL_SECONDS: Final = 0.5
"""A task that has not ended so long after it was cancelled is cancelled again."""


async def ended(task: asyncio.Task[Any]) -> None:
    """Cancel a task until it has ended: what it was awaiting may swallow a cancellation (Redis' client does)."""
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=CANCEL_SECONDS)
    if not task.cancelled():
        task.exception()  # whoever stops does not care any more


async def together(*loops: Coroutine[Any, Any, None]) -> None:
    """Run all of them until cancelled, or until one ends or fails: that one takes the others with it.

    Unlike a `TaskGroup`, which cancels once and waits for ever for a task that did not hear it.
    """
    tasks = [asyncio.create_task(loop) for loop in loops]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        await asyncio.gather(*map(ended, tasks))
