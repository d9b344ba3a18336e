"""What a commit has to wait for: everything sent so far must be acknowledged by the broker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

Sent = asyncio.Future[Any]


class SendBarrier:
    """The sends that are on their way.

    An offset committed ahead of the changelog record or link it caused is a lost event as soon as the partition
    moves. ``on_failure`` is called at once with what a send failed with: state is then uncertain.
    """

    def __init__(self, on_failure: Callable[[BaseException], None]) -> None:
        self._unacknowledged: set[Sent] = set()
        self._on_failure = on_failure

    def __len__(self) -> int:
        return len(self._unacknowledged)

    def add(self, sent: Sent) -> None:
        """Make every later commit wait for ``sent``."""
        self._unacknowledged.add(sent)
        sent.add_done_callback(self._settled)

    def _settled(self, sent: Sent) -> None:
        if sent.cancelled():
            return  # stays: it must stop the commit
        failure = sent.exception()
        if failure is None:
            self._unacknowledged.discard(sent)
        else:
            self._on_failure(failure)

    async def passed(self, timeout_seconds: float) -> bool:
        """True once everything that was sent before this call is acknowledged.

        Raises:
            Exception: A send failed, or was cancelled.
        """
        snapshot = set(self._unacknowledged)
        if not snapshot:
            return True
        done, pending = await asyncio.wait(snapshot, timeout=timeout_seconds)
        for sent in done:
            sent.result()
        return not pending
