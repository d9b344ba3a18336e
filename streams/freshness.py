"""When the sums of a subject last changed: what was computed from older days can be kept until they do."""

from __future__ import annotations


class Freshness:
    """Revisions of the table at which days of one subject last changed: the newest day, the others, each month."""

    __slots__ = ("_last", "_months", "_newest", "_settled")

    def __init__(self, day: int, revision: int) -> None:
        self._newest = day
        self._last = self._settled = revision
        self._months: dict[int, int] = {}

    def touch(self, day: int, month: int, revision: int) -> None:
        """A day of a month (its first day) changed."""
        self._months[month] = revision
        if day == self._newest:
            self._last = revision
        elif day < self._newest:
            self._settled = revision
        else:
            self._settled = max(self._settled, self._last)
            self._newest, self._last = day, revision

    @property
    def ever(self) -> int:
        """When any day last changed."""
        return max(self._settled, self._last)

    def before(self, day: int) -> int:
        """When any earlier day last changed, or later than that: days after ``day`` are taken for earlier ones."""
        return self._settled if day == self._newest else self.ever

    def month(self, month: int) -> int:
        """When a month last changed; 0 if it never did."""
        return self._months.get(month, 0)


NEVER = Freshness(0, 0)
