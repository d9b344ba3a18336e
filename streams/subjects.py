"""Whom a document is about: a rep, a team or the organisation, and whose figures count for it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import chain
from typing import Final, NamedTuple

from funnelwatch.schemas.settings import Settings
from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.cells import RepRecord, Sums
from funnelwatch.streams.ledger import ORGANISATION
from funnelwatch.streams.table import Table
from funnelwatch.streams.workdays import overridden

CALENDARS_MAX: Final = 1_000
"""How many calendars of reps are kept; there are some 600 zones and few kinds of hours."""


class UnknownSubjectError(LookupError):
    """There is no such rep or team, or it is not listed."""


class Subject(NamedTuple):
    """What a document needs to know besides the sums.

    ``holders``: whose open deals, leads, recordings and advances count. ``measured``: the records (None if there is
    none) of the reps whose quota and benchmark count. ``peer``: (level, id) to compare conversion with.
    """

    level: str
    id: str
    name: str
    team: str | None
    manager: str | None
    active: bool
    calendar: Calendar
    conversion_rate: float | None
    peer: tuple[str, str] | None
    holders: Collection[str]
    measured: Collection[RepRecord | None]


class Subjects:
    """Finds out who is listed, and what a document about them is made of."""

    def __init__(self, settings: Settings, table: Table) -> None:
        self._settings = settings
        self._table = table
        self._calendars: dict[tuple[str, str | None], Calendar] = {}

    def reps(self, now: int) -> Iterator[str]:
        """The listed reps, in order of their ids."""
        today = self._table.calendar.day(now)
        return (rep for rep in self._table.reps() if self._is_listed(rep, today))

    def teams(self, now: int) -> list[str]:
        """The listed teams, in order."""
        today = self._table.calendar.day(now)
        present = {team for rep in self.reps(now) if (team := self._table.present_team(rep))}
        return [
            team
            for team in self._table.teams()
            if team in present or self._is_busy(self._table.days("team", team), today)
        ]

    def is_rep(self, rep: str, now: int) -> bool:
        """Whether a rep is listed: known, not removed, and with a record or any figures that are kept."""
        record = self._table.record(rep)
        removed = record is not None and record.removed
        return bool(rep) and not removed and self._is_listed(rep, self._table.calendar.day(now))

    def is_team(self, name: str, now: int) -> bool:
        """Whether a team is listed: it has a member who is not removed, or any sum on a day that is kept."""
        return bool(name) and (
            any(True for _ in self._records(name))
            or self._is_busy(self._table.days("team", name), self._table.calendar.day(now))
        )

    def rep(self, rep: str, now: int) -> Subject:
        """A rep.

        Raises:
            UnknownSubjectError: The rep is not listed.
        """
        record = self._table.record(rep)
        if not self.is_rep(rep, now):
            raise UnknownSubjectError(f"no rep {rep!r} is listed; GET /api/v1/reps lists them")
        team = self._table.present_team(rep)
        own = record.conversion_rate if record else None
        return Subject(
            level="rep",
            id=rep,
            name=rep if record is None or record.name is None else record.name,
            team=team,
            manager=record.manager if record else None,
            active=record.active if record else True,
            calendar=self.calendar(rep),
            conversion_rate=self._settings.benchmarks.conversion_rate if own is None else own,
            peer=("team", team) if team else (ORGANISATION, ORGANISATION),
            holders=(rep,),
            measured=(record,),
        )

    def team(self, name: str, now: int) -> Subject:
        """A team.

        Raises:
            UnknownSubjectError: The team is not listed.
        """
        if not self.is_team(name, now):
            raise UnknownSubjectError(f"no team {name!r} is listed; GET /api/v1/teams lists them")
        return self._group(
            "team",
            name,
            name,
            peer=(ORGANISATION, ORGANISATION),
            holders=self._table.members(name),
            measured=[record for record in self._records(name) if record.active],
        )

    def _records(self, team: str) -> Iterator[RepRecord]:
        """The records of the present members of a team who are not removed."""
        for rep in self._table.members(team):
            record = self._table.record(rep)
            if record is not None and not record.removed:
                yield record

    def organisation(self, now: int) -> Subject:
        """The organisation."""
        records = (self._table.record(rep) for rep in self.reps(now))
        return self._group(
            ORGANISATION,
            ORGANISATION,
            self._settings.name,
            peer=None,
            holders=self._table.holders(),
            measured=[record for record in records if record is None or record.active],
        )

    def calendar(self, rep: str) -> Calendar:
        """The rep's calendar: the organisation's, with the rep's zone, hours and working days where they differ."""
        record = self._table.record(rep)
        zone = record.zone if record else None
        override = self._settings.reps.get(rep)
        if override is None and zone in {None, "", self._table.calendar.zone}:
            return self._table.calendar
        key = (repr(override), zone)
        if key not in self._calendars:
            if len(self._calendars) >= CALENDARS_MAX:
                self._calendars.clear()
            self._calendars[key] = Calendar(overridden(self._settings.calendar, override), zone)
        return self._calendars[key]

    def _group(
        self,
        level: str,
        subject: str,
        name: str,
        *,
        peer: tuple[str, str] | None,
        holders: Collection[str],
        measured: Collection[RepRecord | None],
    ) -> Subject:
        return Subject(
            level=level,
            id=subject,
            name=name,
            team=None,
            manager=None,
            active=True,
            calendar=self._table.calendar,
            conversion_rate=self._settings.benchmarks.conversion_rate,
            peer=peer,
            holders=holders,
            measured=measured,
        )

    def _is_listed(self, rep: str, today: int) -> bool:
        """Whether a rep who is not removed has a record, or any figures that are kept."""
        table = self._table
        return (
            table.record(rep) is not None
            or any(chain(table.open_deals(rep), table.open_leads(rep), table.recordings(rep)))
            or self._is_busy(table.days("rep", rep), today)
        )

    def _is_busy(self, days: Mapping[int, Sums], today: int) -> bool:
        """Whether there is any sum on a day that is kept."""
        return any(day > today - self._settings.retention_days for day in days)
