"""What everybody on the floor shares: settings, calendar, agenda, wire and colleagues."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from funnelwatch.schemas.settings import Settings
from funnelwatch.streams.calendar import DAY_US, Calendar
from funnelwatch.streams.simulator.agenda import Agenda
from funnelwatch.streams.simulator.desk import Desk
from funnelwatch.streams.simulator.people import Rep
from funnelwatch.streams.simulator.wire import Wire
from funnelwatch.streams.workdays import longest_day_us


class World:
    """The floor as its deeds see it.

    Raises:
        ValueError: There are no pipelines.
    """

    def __init__(self, seed: int, settings: Settings, reps: tuple[Rep, ...]) -> None:
        if not settings.pipelines:
            raise ValueError("a simulated floor needs pipelines; configure one at least, or use demo_settings()")
        self.settings = settings
        self.calendar = Calendar(settings.calendar)
        self.whole_day_us = longest_day_us(settings.calendar) or DAY_US
        self.agenda = Agenda()
        self.wire = Wire(f"sim{seed}")
        self.desks = _desks(seed, settings, reps)
        self._teams: dict[str, list[Desk]] = {}
        for desk in self.desks.values():
            self._teams.setdefault(desk.rep.team, []).append(desk)

    def colleague(self, desk: Desk) -> Desk | None:
        """Somebody of the same team who can take a deal; None if there is nobody."""
        others = [other for other in self._teams[desk.rep.team] if other is not desk and not other.is_stalled]
        return desk.random.choice(others) if others else None


Task = Callable[[World, Desk, int], None]
"""Something a rep does at an instant (µs)."""


def _desks(seed: int, settings: Settings, reps: tuple[Rep, ...]) -> dict[str, Desk]:
    """A desk for each rep; a whole team works mostly in one pipeline."""
    teams = list(dict.fromkeys(rep.team for rep in reps))
    return {
        rep.id: Desk(
            rep,
            Random(f"{seed}/{rep.id}"),  # noqa: S311  (a simulation repeats itself by its seed)
            settings.pipelines[teams.index(rep.team) % len(settings.pipelines)],
            f"demo{seed}",
        )
        for rep in reps
    }
