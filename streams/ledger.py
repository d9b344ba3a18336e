"""Sums of every rep, every team and the organisation, by day, month or minute, kept up to date by differences."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from funnelwatch.streams.cells import CLOSE_MEASURES, Measure, Sums

Book = dict[int, Sums]
"""Sums by time: by day, first day of a month, or minute. A time without any sum has no entry."""

NOTHING: Mapping[int, Sums] = MappingProxyType({})

ORGANISATION = "organisation"
"""The organisation's level and id."""


def difference(old: Mapping[Measure, int], new: Mapping[Measure, int]) -> Sums:
    """What has to be added to ``old`` to get ``new``; measures that stay are left out."""
    delta = {measure: amount - old.get(measure, 0) for measure, amount in new.items() if old.get(measure) != amount}
    for measure, amount in old.items():
        if measure not in new:
            delta[measure] = -amount
    return delta


def add(book: Book, at: int, delta: Mapping[Measure, int]) -> None:
    """Adds ``delta`` to the sums at ``at``; what becomes zero is forgotten."""
    sums = book.get(at)
    if sums is None:
        sums = book[at] = {}
    for measure, amount in delta.items():
        total = sums.get(measure, 0) + amount
        if total:
            sums[measure] = total
        else:
            sums.pop(measure, None)
    if not sums:
        del book[at]


def tagged(rep: str, day: int, delta: Sums) -> Sums:
    """The same with rep and day appended to what was closed, so that a rate of the day can still be applied.

    Configured exchange rates round the sum of each rep and day (``docs/figures.md``, "Amounts with rates").
    """
    return {
        (*measure, rep, day) if measure[0] in CLOSE_MEASURES else measure: amount for measure, amount in delta.items()
    }


class Ledger:
    """One book for each rep and team, and one for the organisation."""

    def __init__(self) -> None:
        self.reps: dict[str, Book] = {}
        self.teams: dict[str, Book] = {}
        self.organisation: Book = {}

    def book(self, level: str, subject: str) -> Mapping[int, Sums]:
        """The book of a subject, live: not to be changed, nor kept while the table changes."""
        if level == "rep":
            return self.reps.get(subject, NOTHING)
        if level == "team":
            return self.teams.get(subject, NOTHING)
        return self.organisation

    def add(self, rep: str, team: str, at: int, delta: Sums) -> None:
        """Adds to the rep, to the team the rep is in at that time (``""``: none) and to the organisation."""
        _add_to(self.reps, rep, at, delta)
        if team:
            _add_to(self.teams, team, at, delta)
        add(self.organisation, at, delta)

    def move(self, sums: Mapping[Measure, int], at: int, old_team: str, new_team: str) -> None:
        """Takes the sums of a rep at ``at`` from one team to another; ``""`` is no team."""
        if old_team:
            _add_to(self.teams, old_team, at, {measure: -amount for measure, amount in sums.items()})
        if new_team:
            _add_to(self.teams, new_team, at, sums)


def _add_to(books: dict[str, Book], subject: str, at: int, delta: Mapping[Measure, int]) -> None:
    book = books.get(subject)
    if book is None:
        book = books[subject] = {}
    add(book, at, delta)
    if not book:
        del books[subject]
