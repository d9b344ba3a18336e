"""Which team a rep belongs to: on a day, and at present."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Set as AbstractSet

from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.cells import RepRecord

NO_TEAM = ""
"""The team ``""`` is no team."""

NOBODY: AbstractSet[str] = frozenset()


class Tenure:
    """The teams of one rep by local day: the last one set before the end of the day, else the first one set."""

    __slots__ = ("_days", "_teams")

    def __init__(self, record: RepRecord | None, calendar: Calendar) -> None:
        history = record.teams if record is not None else ()
        self._days = [calendar.day(since) for since, _ in history]
        self._teams = [team for _, team in history]

    def on(self, day: int) -> str:
        """The team on a local day; ``NO_TEAM`` if there is none."""
        if not self._teams:
            return NO_TEAM
        return self._teams[max(0, bisect_right(self._days, day) - 1)]

    @property
    def present(self) -> str:
        """The team set last."""
        return self._teams[-1] if self._teams else NO_TEAM

    def differs(self, other: Tenure) -> bool:
        """Whether there is a day on which the teams are not the same."""
        return self._days != other._days or self._teams != other._teams


class Membership:
    """The tenures of all reps with a record, and the present members of each team."""

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self._none = Tenure(None, calendar)
        self._tenures: dict[str, Tenure] = {}
        self._members: dict[str, set[str]] = {}

    def tenure(self, rep: str) -> Tenure:
        """The teams of a rep by day."""
        return self._tenures.get(rep, self._none)

    def members(self, team: str) -> AbstractSet[str]:
        """The reps whose present team this is, those removed included."""
        return self._members.get(team, NOBODY)

    def update(self, rep: str, record: RepRecord | None) -> Tenure:
        """Takes a rep's record, or its end. Returns the tenure there was before."""
        old = self.tenure(rep)
        if old.present:
            members = self._members[old.present]
            members.discard(rep)
            if not members:
                del self._members[old.present]
        new = Tenure(record, self._calendar)
        if new.present:
            self._members.setdefault(new.present, set()).add(rep)
        if record is None:
            self._tenures.pop(rep, None)
        else:
            self._tenures[rep] = new
        return old
