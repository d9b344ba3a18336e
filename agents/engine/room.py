"""Room on the disk of the data directory: a worker stops in order before RocksDB has none, and waits for it to start.

An offset never passes its state, whatever the disk does: a write that fails ends the process, which commits nothing.
Stopping before that costs nothing to recover. Whoever has no room is out of the group, so that others take its
partitions; its supervisor starts it again, and it joins when there is room.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

EXIT_NO_ROOM: Final = 74
CHECK_SECONDS: Final = 1.0
SAY_SECONDS: Final = 60.0
ENOUGH: Final = 2
"""Times the least that must be free, for a start: or a worker would join and leave by turns."""
MEGABYTE: Final = 1_000_000
_ERRNOS: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_SAID: Final = ("No space left on device", "Disk quota exceeded", "File too large")
"""What RocksDB's errors say, which have no number."""

log = logging.getLogger(__name__)


def is_no_room(error: BaseException | None) -> bool:
    """Whether an error, or one that caused it, says that a disk is full."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _ERRNOS:
            return True
        if any(said in str(error) for said in _SAID):
            return True
        error = error.__cause__ or error.__context__
    return False


class Room:
    """What is free where a worker keeps its rows.

    Args:
        directory: The data directory.
        free_bytes_min: With less than this free, the worker stops.
        free_bytes: Tells what is free.
    """

    def __init__(self, directory: Path, free_bytes_min: int, free_bytes: Callable[[Path], int] | None = None) -> None:
        self._directory = directory
        self._least = free_bytes_min
        self._free_bytes = free_bytes or _free_bytes
        self.is_lacking = False
        """Whether a worker waits, or stops, for lack of room."""

    def free_bytes(self) -> int:
        """What is free now."""
        return self._free_bytes(self._directory)

    def trouble(self) -> str:
        """A sentence, while the worker waits for room; empty otherwise."""
        if not self.is_lacking:
            return ""
        return (
            f"{self._directory} has {self.free_bytes() / MEGABYTE:.0f} MB free: the worker waits until there are "
            f"{ENOUGH * self._least / MEGABYTE:.0f} MB"
        )

    async def wait(self, stop: asyncio.Event) -> None:
        """Until there is room to begin, or ``stop`` is set."""
        said_at = float("-inf")
        loop = asyncio.get_running_loop()
        least = self._least
        while self.free_bytes() < least and not stop.is_set():
            least, self.is_lacking = ENOUGH * self._least, True
            if loop.time() - said_at >= SAY_SECONDS:
                log.error("No room: %s. Others have its partitions meanwhile; nothing is lost.", self.trouble())
                said_at = loop.time()
            await _pause(stop)
        if self.is_lacking:
            log.info("There is room again in %s.", self._directory)
        self.is_lacking = False

    async def exhausted(self) -> None:
        """Return when there is too little."""
        while self.free_bytes() >= self._least:  # noqa: ASYNC110  (no event tells it)
            await asyncio.sleep(CHECK_SECONDS)
        self.is_lacking = True
        log.critical(
            "Stopping in order, before the disk is full: %s has %.0f MB free, worker.disk_free_mb_min is %.0f. All "
            "that was folded is kept. Make room; started again, the worker waits until there are %.0f MB.",
            self._directory,
            self.free_bytes() / MEGABYTE,
            self._least / MEGABYTE,
            ENOUGH * self._least / MEGABYTE,
        )


async def _pause(stop: asyncio.Event) -> None:
    try:
        await asyncio.wait_for(stop.wait(), CHECK_SECONDS)
    except TimeoutError:
        return


def _free_bytes(directory: Path) -> int:
    try:
        return shutil.disk_usage(directory).free
    except OSError:
        return 0  # it is gone: nothing can be kept there
