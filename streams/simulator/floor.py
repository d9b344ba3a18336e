"""The floor: reps at their desks, moved on by virtual time, with trouble planted on request."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, Final

from funnelwatch.schemas.events import Kind
from funnelwatch.schemas.settings import Settings
from funnelwatch.streams.calendar import DAY_US
from funnelwatch.streams.simulator import deals, routine
from funnelwatch.streams.simulator.demo import demo_settings
from funnelwatch.streams.simulator.desk import Desk
from funnelwatch.streams.simulator.people import Rep, roster
from funnelwatch.streams.simulator.wire import Published
from funnelwatch.streams.simulator.world import Task, World

REPS: Final = 40
TEAMS: Final = 5
HISTORY_DAYS: Final = 60
QUOTA_MONTHS_AHEAD: Final = 1
"""Months after the present one for which quotas are already known."""
QUOTA_DEALS: Final = 36

_SECOND_US = 1_000_000


class Floor:
    """A sales floor, deterministic by its seed: the same calls give the same events, byte for byte.

    How time is cut into calls of ``advance`` makes no difference. Trouble of one rep leaves what happens to the
    others as it is, but for deals that change hands (and the numbers in event ids).

    Args:
        seed: Fixes everything that happens.
        begin: The first instant (µs). Reps, and deals that go on then, are published within the first minute.
        settings: Calendar, pipelines and currency to live by; the demo's by default.
        reps: How many; the number of events is proportional to it (about 48 a rep and working day).
        teams: Into how many teams they are divided.

    Raises:
        ValueError: Too many reps or teams, or none; or no pipelines.
    """

    def __init__(
        self, seed: int, begin: int, settings: Settings | None = None, *, reps: int = REPS, teams: int = TEAMS
    ) -> None:
        people = Random(f"{seed}/people")  # noqa: S311  (a simulation repeats itself by its seed)
        self.now = begin
        self._world = World(seed, settings or demo_settings(), roster(people, reps, teams))
        self._open(begin)

    @classmethod
    def with_history(
        cls, seed: int, until: int, settings: Settings | None = None, *, days: int = HISTORY_DAYS, reps: int = REPS
    ) -> tuple[Floor, list[Published]]:
        """A floor that has lived for so many days, and everything that happened before ``until``.

        Raises:
            ValueError: As for ``Floor``.
        """
        floor = cls(seed, until - days * DAY_US, settings, reps=reps, teams=min(TEAMS, reps))
        return floor, floor.advance(until)

    @property
    def settings(self) -> Settings:
        """The settings under which the figures of this floor make sense."""
        return self._world.settings

    @property
    def reps(self) -> tuple[Rep, ...]:
        """Who works here."""
        return tuple(desk.rep for desk in self._world.desks.values())

    def advance(self, until: int) -> list[Published]:
        """What happens from the floor's ``now`` to ``until`` (exclusive), in the order of event time."""
        self._world.agenda.run(until)
        self.now = max(self.now, until)
        return self._world.wire.collect()

    def after_working(self, worked_us: int) -> int:
        """The instant so much working time after ``now``: for virtual time that skips nights and holidays.

        Raises:
            ValueError: Nobody ever works that much.
        """
        return self._world.calendar.working_after(self.now, worked_us)

    def plant_stall(self, rep_id: str, at: int) -> None:
        """From ``at`` on the rep's deals neither move nor close; calls, emails and new deals go on.

        Raises:
            ValueError: There is no such rep, or ``at`` has passed.
        """
        desk = self._desk(rep_id, at)
        self._world.agenda.enter(at, lambda _: desk.stall())

    def plant_loss_spike(self, rep_id: str, at: int) -> None:
        """From ``at`` on the rep closes twice as many deals, and nearly all are lost.

        Raises:
            ValueError: There is no such rep, or ``at`` has passed.
        """
        desk = self._desk(rep_id, at)
        self._world.agenda.enter(at, lambda now: self._spike(desk, now))

    def _desk(self, rep_id: str, at: int) -> Desk:
        if rep_id not in self._world.desks:
            raise ValueError(f"no rep {rep_id!r} works here; choose one of Floor.reps")
        if at < self.now:
            raise ValueError(f"trouble planted at {at}, but the floor is already at {self.now}; plant it later")
        return self._world.desks[rep_id]

    def _spike(self, desk: Desk, at: int) -> None:
        """The rest of the day gets its additional closes at once; the days to come are planned with them."""
        desk.spike()
        calendar = self._world.calendar
        rest_us = calendar.working_us(at, calendar.day_start(calendar.day(at) + 1))
        more = (routine.SPIKE_DECIDED_PER_DAY - routine.DECIDED_PER_DAY) * rest_us / self._world.whole_day_us
        routine.spread(self._world, desk, deals.decide, desk.about(more), at)

    def _open(self, begin: int) -> None:
        """Who works here, and what they are already at."""
        self._say_reps(begin)
        for desk in self._world.desks.values():
            for number in range(routine.OPEN_DEALS):
                self._world.agenda.enter(begin + (1 + number) * _SECOND_US, self._bound(deals.take_over, desk))
        self._plan_day(begin)

    def _plan_day(self, at: int) -> None:
        """Plan a day that begins at ``at`` (of one that goes on, nothing), and the planning of the next one."""
        calendar = self._world.calendar
        day = calendar.day(at)
        if at == calendar.day_start(day):
            for desk in self._world.desks.values():
                routine.plan(self._world, desk, day)
            if day == calendar.month_start(day):
                self._say_reps(at)
        self._world.agenda.enter(calendar.day_start(day + 1), self._plan_day)

    def _say_reps(self, at: int) -> None:
        day = self._world.calendar.day(at)
        for desk in self._world.desks.values():
            self._world.wire.say(Kind.REP, "upserted", desk.rep.id, at, self._rep_data(desk.rep, day))

    def _rep_data(self, rep: Rep, day: int) -> dict[str, Any]:
        quotas = {}
        for _ in range(1 + QUOTA_MONTHS_AHEAD):
            quota = {"amount": str(rep.quota), "currency": self.settings.currency, "count": QUOTA_DEALS}
            quotas[self._world.calendar.month_label(day)] = quota
            day = self._world.calendar.next_month_start(day)
        data = {"name": rep.name, "team": rep.team, "manager": rep.manager, "active": True, "quotas": quotas}
        if rep.outreach_per_day is not None:
            data["benchmarks"] = {"outreach_per_day": rep.outreach_per_day}
        return data

    def _bound(self, task: Task, desk: Desk) -> Callable[[int], None]:
        return lambda now: task(self._world, desk, now)
