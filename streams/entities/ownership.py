"""Who owned an entity when: see `docs/figures.md`, "Owner at t"."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import Any

NOBODY = ""
"""The owner of an entity for which none is ever set."""


def first_owner(reps: Iterable[str | None]) -> str:
    """The owner from the beginning: the first one ever set."""
    return next((rep for rep in reps if rep is not None), NOBODY)


class Owners:
    """The owner after, and just before, each of an entity's steps."""

    __slots__ = ("_after", "_first", "_times")

    def __init__(self, times: list[int], reps: list[str | None]) -> None:
        owner = self._first = first_owner(reps)
        self._times = times
        self._after: list[str] = []
        for rep in reps:
            if rep is not None:
                owner = rep
            self._after.append(owner)

    def after(self, place: int) -> str:
        """The owner after the step at ``place``, its own members included."""
        return self._after[place]

    def before(self, place: int) -> str:
        """The owner just before the step at ``place``."""
        return self._after[place - 1] if place else self._first

    def at(self, instant: int) -> str:
        """The owner after all steps with a time up to ``instant``."""
        return self.before(bisect_right(self._times, instant))

    @property
    def present(self) -> str:
        """The owner after all steps."""
        return self._after[-1] if self._after else NOBODY


def last_place(history: list[Any], code: int) -> int:
    """The place of the last step of a type; -1 if there is none."""
    return next((place for place in range(len(history) - 1, -1, -1) if history[place][3] == code), -1)


def last_set(history: list[Any], member: int) -> Any:
    """The value of the last step that sets the member at that index; None if none does."""
    return next((step[member] for step in reversed(history) if step[member] is not None), None)
