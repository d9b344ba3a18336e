"""Who owned an entity when: see `docs/figures.md`, "Owner at t"."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

NOBODY = ""
"""The owner of an entity for which none is ever set."""


def first_owner(history: Sequence[Any]) -> str:
    """The owner from the beginning: the first one ever set."""
    for step in history:
        if step[4] is not None:
            return step[4]  # type: ignore[no-any-return]
    return NOBODY


def owner_after(history: Sequence[Any], place: int) -> str:
    """The owner after one step, its own members included. For several places of one history take `Owners`."""
    for step in history[place::-1]:
        if step[4] is not None:
            return step[4]  # type: ignore[no-any-return]
    return first_owner(history)


class Owners:
    """The owner after, and just before, each of an entity's steps (whose member at 4 is the rep)."""

    __slots__ = ("_after", "_history", "first")

    def __init__(self, history: Sequence[Any], known: Owners | None = None) -> None:
        """``known`` are those of the first steps, of which one at least sets an owner."""
        self._history = history
        if known is None:
            owner = self.first = first_owner(history)
            self._after: list[str] = []
            new = history
        else:
            self.first = known.first
            self._after = known._after.copy()  # noqa: SLF001  (its own kind)
            owner = self._after[-1]
            new = history[len(self._after) :]
        for step in new:
            owner = step[4] or owner
            self._after.append(owner)

    def after(self, place: int) -> str:
        """The owner after the step at ``place``, its own members included."""
        return self._after[place]

    def before(self, place: int) -> str:
        """The owner just before the step at ``place``."""
        return self._after[place - 1] if place else self.first

    def at(self, instant: int) -> str:
        """The owner after all steps with a time up to ``instant``."""
        return self.before(bisect_right(self._history, instant, key=lambda step: step[0]))

    @property
    def present(self) -> str:
        """The owner after all steps."""
        return self._after[-1] if self._after else NOBODY


def last_places(history: Sequence[Any], codes: int) -> list[int]:
    """The place of the last step of each type, by its code; -1 if there is none."""
    places = [-1] * codes
    for place, step in enumerate(history):
        places[step[3]] = place
    return places


def last_set(history: Sequence[Any], member: int) -> Any:
    """The value of the last step that sets the member at that index; None if none does."""
    for step in reversed(history):
        if step[member] is not None:
            return step[member]
    return None


def finals(history: Sequence[Any]) -> Sequence[Any]:
    """A step with the last value set of each member; the history has at least one."""
    last = history[-1]
    if len(history) == 1:
        return last  # type: ignore[no-any-return]
    values = list(last)
    for step in history[-2::-1]:
        for place in _missing(values):
            values[place] = step[place]
    return values


def _missing(values: list[Any]) -> list[int]:
    return [place for place, value in enumerate(values) if value is None]
