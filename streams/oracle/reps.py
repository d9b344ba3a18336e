"""Reps: who they are, where they belong on which day, what is asked of them, when they work."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from funnelwatch.schemas.events import Benchmarks, Quota, RepData
from funnelwatch.schemas.settings import RepOverride, Settings
from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.oracle.history import History
from funnelwatch.streams.workdays import overridden

T = TypeVar("T")


class Rep:
    """One rep, with a record (a history) or without."""

    def __init__(self, rep_id: str, history: History | None, settings: Settings, calendar: Calendar) -> None:
        self.id = rep_id
        events = history.events if history else []
        data = [(event.at, event.data) for event in events if isinstance(event.data, RepData)]
        self._teams = [(at, said.team) for at, said in data if said.team is not None]
        self.removed = history is not None and history.gone
        self.name = _last(said.name for _, said in data) or rep_id
        self.manager = _last(said.manager for _, said in data)
        self.active = _last(said.active for _, said in data) is not False and not self.removed
        self.quotas: dict[str, Quota] = {}
        for _, said in data:
            self.quotas.update(said.quotas or {})
        said_of = [said.benchmarks for _, said in data if said.benchmarks is not None]
        own = Benchmarks(
            outreach_per_day=_last(benchmarks.outreach_per_day for benchmarks in said_of),
            conversion_rate=_last(benchmarks.conversion_rate for benchmarks in said_of),
        )
        default = settings.benchmarks
        self.per_day = default.outreach_per_day if own.outreach_per_day is None else own.outreach_per_day
        self.conversion_rate = default.conversion_rate if own.conversion_rate is None else own.conversion_rate
        self._organisation = calendar
        zone = _last(said.timezone for _, said in data)
        self.calendar = _own_calendar(settings, calendar, zone, settings.reps.get(rep_id, RepOverride()))

    @property
    def team(self) -> str | None:
        """The present team."""
        return (self._teams[-1][1] or None) if self._teams else None

    def team_on(self, day: int) -> str | None:
        """The team the rep belonged to at the end of a local day."""
        if not self._teams:
            return None
        end = self._organisation.day_start(day + 1)
        until = [team for at, team in self._teams if at < end]
        return (until[-1] if until else self._teams[0][1]) or None


def _last(values: Iterable[T | None]) -> T | None:
    """The last value that is one."""
    said = [value for value in values if value is not None]
    return said[-1] if said else None


def _own_calendar(settings: Settings, calendar: Calendar, zone: str | None, override: RepOverride) -> Calendar:
    if zone is None and override == RepOverride():
        return calendar
    return Calendar(overridden(settings.calendar, override), zone)
