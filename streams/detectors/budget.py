"""How many pages a manager gets a day. What is over is a warning of the digest instead: listed, not lost."""

from __future__ import annotations

from typing import Final

MANAGERS_MAX: Final = 100_000
"""Managers whose pages of the day are counted; beyond, nobody is held back any more."""


class PageBudget:
    """Counts the pages of the local day. ``pages_max`` of 0 is no limit."""

    def __init__(self, pages_max: int) -> None:
        self._pages_max = pages_max
        self._day = 0
        self._pages: dict[str, int] = {}

    def begin(self, day: int) -> None:
        """The local day that pages now count for; another one begins with nothing spent."""
        if day != self._day:
            self._day = day
            self._pages.clear()

    def spend(self, manager: str) -> bool:
        """One page more for the manager; False if the day has enough of them."""
        spent = self._pages.get(manager, 0)
        if self._pages_max and spent >= self._pages_max:
            return False
        if len(self._pages) < MANAGERS_MAX or manager in self._pages:
            self._pages[manager] = spent + 1
        return True
