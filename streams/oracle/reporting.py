"""The report: a document per listed rep, per team and for the organisation."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from funnelwatch.schemas.document import Document
from funnelwatch.schemas.events import Event
from funnelwatch.schemas.settings import Settings
from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.oracle import subjects
from funnelwatch.streams.oracle.figures import Counting
from funnelwatch.streams.oracle.funnel import Looking, funnel
from funnelwatch.streams.oracle.performance import coaching, conversion, outreach
from funnelwatch.streams.oracle.periods import WINDOWS, Periods
from funnelwatch.streams.oracle.sales import sales
from funnelwatch.streams.oracle.world import World
from funnelwatch.streams.oracle.worth import Exchange


class Report(msgspec.Struct, gc=False):
    """Documents by rep id, by team, and of the organisation."""

    reps: dict[str, Document]
    teams: dict[str, Document]
    organisation: Document


def report(settings: Settings, events: Iterable[Event], now: int | None = None) -> Report:
    """Every KPI document as of ``now`` (µs); by default as of the newest event.

    Raises:
        ValueError: There is neither an instant nor an event to take it from.
    """
    known = list(events)
    if now is None:
        now = max((event.at for event in known), default=None)
    if now is None:
        raise ValueError("no event was taken, so there is no newest one to judge by; say which instant is now")
    periods = Periods(Calendar(settings.calendar), now, settings.retention_days)
    return _Writer(settings, World(settings, known, periods), periods).report()


class _Writer:
    def __init__(self, settings: Settings, world: World, periods: Periods) -> None:
        self.settings = settings
        self.world = world
        self.periods = periods
        self.counting = Counting(periods, Exchange(settings))
        self.looking = Looking(settings, periods, self.counting)

    def report(self) -> Report:
        organisation = subjects.organisation(self.settings.name, self.world, self.periods)
        teams = {subject.id: subject for subject in subjects.teams(self.world, self.periods)}
        reps = subjects.reps(self.world, self.periods)
        return Report(
            reps={
                subject.id: self._document(subject, teams[subject.team] if subject.team else organisation)
                for subject in reps
            },
            teams={name: self._document(subject, organisation) for name, subject in teams.items()},
            organisation=self._document(organisation, None),
        )

    def _document(self, subject: subjects.Subject, other: subjects.Subject | None) -> Document:
        periods, counting = self.periods, self.counting
        months = {label: subject.during(period) for label, period in periods.months().items()}
        return Document(
            level=subject.level,
            id=subject.id,
            name=subject.name,
            team=subject.team,
            manager=subject.rep.manager if subject.rep else None,
            active=subject.rep.active if subject.rep else True,
            as_of=periods.calendar.text(periods.now),
            windows={name: counting.figures(subject.window(name)) for name in WINDOWS},
            months={label: counting.figures(facts) for label, facts in months.items() if facts},
            sales=sales(subject, self.settings, periods, counting),
            funnel=funnel(subject, self.looking),
            conversion=conversion(subject, other, self.settings),
            outreach=outreach(subject, self.settings, periods),
            coaching=coaching(subject, self.world, periods),
        )
