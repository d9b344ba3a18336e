"""What processes cost: CPU of a tree of them, and the memory they share only by their part (Linux' /proc)."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

TICKS = os.sysconf("SC_CLK_TCK")
SAMPLE_SECONDS = 0.5
_GONE = (FileNotFoundError, ProcessLookupError, PermissionError)


def tree(pid: int) -> Iterator[int]:
    """A process and its descendants."""
    yield pid
    for task in _children(pid):
        yield from tree(task)


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(*_GONE):
        for file in Path(f"/proc/{pid}/task").glob("*/children"):
            with contextlib.suppress(*_GONE):
                found += map(int, file.read_text().split())
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time of trees of processes so far, with that of children who have ended."""
    total = 0
    for root in pids:
        for pid in tree(root):
            with contextlib.suppress(*_GONE):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                total += sum(map(int, fields[11:15]))
    return total / TICKS


def pss_mb(pids: Iterable[int]) -> float:
    """Proportional set size of trees of processes."""
    total = 0
    for root in pids:
        for pid in tree(root):
            with contextlib.suppress(*_GONE):
                text = Path(f"/proc/{pid}/smaps_rollup").read_text()
                total += int(text.partition("\nPss:")[2].split()[0])
    return total / 1_024


class PeakMemory:
    """The highest proportional set size while it is entered, as seen twice a second."""

    def __init__(self, pids: Iterable[int]) -> None:
        self.mb = 0.0
        self._pids = list(pids)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        while not self._stop.wait(SAMPLE_SECONDS):
            self.mb = max(self.mb, pss_mb(self._pids))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self.mb = max(self.mb, pss_mb(self._pids))
