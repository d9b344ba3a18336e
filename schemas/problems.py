"""What is wrong with a configuration: all of it at once, each with its place."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

import msgspec


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong. ``path`` is where: ``calendar.hours``, ``pipelines[0].name``, a variable, or empty."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class ConfigurationError(Exception):
    """A configuration that cannot be used. ``problems`` holds everything that is wrong with it."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class Problems:
    """Collects what is found wrong."""

    def __init__(self) -> None:
        self.found: list[Problem] = []
        self._settled: tuple[str, ...] = ()

    def settle(self) -> None:
        """Nothing more is to be said about the places noted so far, nor about what is in them."""
        self._settled = tuple(problem.path for problem in self.found if problem.path)

    def add(self, path: str, message: str) -> None:
        """Note a problem."""
        if not any(path == known or path.startswith((f"{known}.", f"{known}[")) for known in self._settled):
            self.found.append(Problem(path, message))

    def unless(self, holds: object, path: str, message: str) -> None:
        """Note a problem if something does not hold."""
        if not holds:
            self.add(path, message)


def nearest(name: str, known: Iterable[str]) -> str:
    """A question that names what was probably meant; empty if nothing is near."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
