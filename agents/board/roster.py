"""Who is listed, kept up to date with the reps and teams that changed: asking everybody takes long where many are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol

from funnelwatch.streams.samples import KpiSeries
from funnelwatch.streams.table import Table

Key = tuple[str, str]
"""(level, id); the organisation is ``ORGANISATION``."""

ORGANISATION: Final[Key] = ("organisation", "")


class Listing(Protocol):
    """What says who is listed: `streams.documents.Documents`."""

    def listed_reps(self, now: int, /) -> Iterable[str]:
        """The listed reps, in order of their ids."""

    def teams(self, now: int, /) -> Iterable[str]:
        """The listed teams, in order."""

    def is_rep(self, rep: str, now: int, /) -> bool:
        """Whether a rep is listed."""

    def is_team(self, team: str, now: int, /) -> bool:
        """Whether a team is listed."""


class Roster:
    """The listed reps, teams and the organisation; and who is gone since `take_gone`.

    Places under the cap go to reps with a record first: invented ids have none.
    """

    def __init__(self, table: Table, listing: Listing, series: KpiSeries) -> None:
        self._table = table
        self._listing = listing
        self._series = series
        self._day: int | None = None
        self._gone: set[Key] = set()
        self._over = 0
        self.listed: dict[Key, bool] = {}
        """False for a rep over the cap."""

    def update(self, reps: Iterable[str], teams: Iterable[str], now: int) -> None:
        """Take in which reps and teams changed since the last call; on another day, ask about everybody."""
        day = self._table.calendar.day(now)
        if day != self._day:
            self._day = day
            self._list_everybody(now)
            return
        for rep in self._ranked(reps):
            self._put(("rep", rep), is_listed=self._listing.is_rep(rep, now))
        for team in teams:
            self._put(("team", team), is_listed=self._listing.is_team(team, now))
        self._series.note_over(self._over)

    def take_gone(self) -> list[Key]:
        """Who was listed at the last call and is not any more."""
        gone = [key for key in self._gone if key not in self.listed]
        self._gone.clear()
        return gone

    def free_place(self) -> None:
        """A rep with a place under the cap is gone: the next update looks who gets it."""
        if self._over:
            self._day = None

    def _list_everybody(self, now: int) -> None:
        before = self.listed
        self.listed = {("rep", rep): self._series.admit(rep) for rep in self._ranked(self._listing.listed_reps(now))}
        self._over = sum(not is_own for is_own in self.listed.values())
        self.listed |= dict.fromkeys((("team", team) for team in self._listing.teams(now)), True)
        self.listed[ORGANISATION] = True
        self._gone |= before.keys() - self.listed.keys()
        self._series.note_over(self._over)

    def _ranked(self, reps: Iterable[str]) -> list[str]:
        return sorted(reps, key=lambda rep: (self._table.record(rep) is None, rep))

    def _put(self, key: Key, *, is_listed: bool) -> None:
        known = self.listed.get(key)
        if is_listed and known is None:
            is_own = self.listed[key] = key[0] != "rep" or self._series.admit(key[1])
            self._over += not is_own
        elif not is_listed and known is not None:
            del self.listed[key]
            self._over -= not known
            self._gone.add(key)
