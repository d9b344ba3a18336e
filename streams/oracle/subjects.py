"""Whom a document is about: a rep, a team or the organisation, with what counts for it."""

from __future__ import annotations

from collections.abc import Iterable

from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.oracle.facts import Facts, OpenDeal, OpenLead, Recording, together
from funnelwatch.streams.oracle.periods import Period, Periods
from funnelwatch.streams.oracle.reps import Rep
from funnelwatch.streams.oracle.world import Days, World

ORGANISATION = "organisation"


class Subject:
    """One rep, team or the organisation. ``staffed`` are the reps whose quotas and benchmarks it adds up."""

    def __init__(self, level: str, name: str, calendar: Calendar, periods: Periods) -> None:
        self.level = level
        self.id = self.name = name
        self.calendar = calendar
        self.rep: Rep | None = None
        self.days: Days = {}
        self.last_advance: int | None = None
        self.open_deals: list[OpenDeal] = []
        self.open_leads: list[OpenLead] = []
        self.recordings: list[Recording] = []
        self.staffed: list[Rep] = []
        self._periods = periods

    @property
    def team(self) -> str | None:
        """The present team of a rep."""
        return self.rep.team if self.rep else None

    def during(self, period: Period) -> Facts:
        """The facts of a period."""
        days = range(period.first_day, period.last_day + 1)
        facts = together(self.days[day] for day in days if day in self.days)
        if period.is_whole_days:
            return facts
        return {kind: [fact for fact in some if period.has_minute_of(fact.at)] for kind, some in facts.items()}

    def window(self, name: str) -> Facts:
        """The facts of a window."""
        return self.during(self._periods.window(name))


def reps(world: World, periods: Periods) -> list[Subject]:
    """The listed reps."""
    return [_rep(rep, world, periods) for rep in world.reps.values() if not rep.removed]


def teams(world: World, periods: Periods) -> list[Subject]:
    """The teams with a listed member or with figures."""
    members: dict[str | None, set[str]] = {}
    for rep in world.reps.values():
        members.setdefault(rep.team, set()).add(rep.id)
    parts: dict[str | None, list[tuple[int, Facts]]] = {}
    for rep in world.reps.values():
        for day, facts in world.days_of.get(rep.id, {}).items():
            parts.setdefault(rep.team_on(day), []).append((day, facts))
    staffed = {rep.team for rep in world.reps.values() if not rep.removed}
    kept = {team for team, of in parts.items() if any(day >= periods.oldest_day for day, _ in of)}
    found = []
    for team in staffed | kept:
        if team is not None:
            subject = Subject("team", team, periods.calendar, periods)
            _fill(subject, world, _by_day(parts.get(team, [])), members.get(team, set()))
            found.append(subject)
    return found


def organisation(name: str, world: World, periods: Periods) -> Subject:
    """The organisation: everybody, and nobody's figures too."""
    subject = Subject(ORGANISATION, ORGANISATION, periods.calendar, periods)
    subject.name = name
    everybody = [part for days in world.days_of.values() for part in days.items()]
    _fill(subject, world, _by_day(everybody), {*world.reps, ""})
    subject.last_advance = max(world.last_advances.values(), default=None)
    return subject


def _rep(rep: Rep, world: World, periods: Periods) -> Subject:
    subject = Subject("rep", rep.id, rep.calendar, periods)
    _fill(subject, world, world.days_of.get(rep.id, {}), {rep.id})
    subject.name = rep.name
    subject.rep = rep
    subject.staffed = [rep]
    return subject


def _fill(subject: Subject, world: World, days: Days, members: set[str]) -> None:
    subject.days = days
    subject.last_advance = max((at for rep, at in world.last_advances.items() if rep in members), default=None)
    subject.open_deals = [deal for deal in world.open_deals if deal.rep in members]
    subject.open_leads = [lead for lead in world.open_leads if lead.rep in members]
    subject.recordings = [recording for recording in world.recordings if recording.rep in members]
    subject.staffed = [world.reps[name] for name in members if name and world.reps[name].active]


def _by_day(parts: Iterable[tuple[int, Facts]]) -> Days:
    """The facts of several reps and days."""
    days: dict[int, list[Facts]] = {}
    for day, facts in parts:
        days.setdefault(day, []).append(facts)
    return {day: together(heaps) for day, heaps in days.items()}
