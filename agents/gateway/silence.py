"""When each source was last heard, and which have been silent for longer than is usual, in working time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping

from funnelwatch.agents.gateway.metrics import Reading
from funnelwatch.agents.gateway.sources import Source
from funnelwatch.streams.calendar import Calendar

log = logging.getLogger(__name__)

_HOUR_US = 3_600_000_000
_SECOND_US = 1_000_000


class Silence:
    """Listens for sources. ``seen`` is when they were last heard, in µs since the epoch.

    Args:
        sources: The sources that are listened for.
        calendar: What working time is.
        now_us: The clock.
        heard: When sources were heard before the process started.
        begun: When each source was first listened for; those that are not there begin now.
    """

    def __init__(
        self,
        sources: Mapping[str, Source],
        calendar: Calendar,
        now_us: Callable[[], int],
        heard: Mapping[str, int],
    ) -> None:
        self._sources = sources
        self._calendar = calendar
        self._now_us = now_us
        begun = {name.removeprefix("+"): at for name, at in heard.items() if name.startswith("+")}
        self.seen = {name: at for name, at in heard.items() if name in sources}
        self.begun = {name: begun.get(name, now_us()) for name in sources}
        self._silent: set[str] = set()

    def saw(self, source: str, at: int) -> None:
        """A delivery of a source was accepted."""
        self.seen[source] = at

    def remembered(self) -> dict[str, int]:
        """What the next process must be given as ``heard``."""
        return self.seen | {f"+{name}": at for name, at in self.begun.items()}

    def silent_us(self, source: str) -> int:
        """Working time since a source was heard, or first listened for."""
        since = self.seen.get(source, self.begun[source])
        return self._calendar.working_us(since, max(since, self._now_us()))

    def is_silent(self, source: str) -> bool:
        """Whether it has been silent for too long."""
        limit = self._sources[source].settings.silent_hours
        return limit > 0 and self.silent_us(source) > limit * _HOUR_US

    def tell(self) -> None:
        """Log which sources have fallen silent, and which are heard again."""
        silent = {name for name in self._sources if self.is_silent(name)}
        for name in sorted(silent - self._silent):
            hours = self.silent_us(name) / _HOUR_US
            log.warning("nothing was heard of the source %s for %.1f working hours: is it still set up?", name, hours)
        for name in sorted(self._silent - silent):
            log.info("the source %s is heard again", name)
        self._silent = silent

    def seconds(self) -> Iterator[Reading]:
        """The gauge of working time since."""
        for name in self._sources:
            yield (name,), self.silent_us(name) / _SECOND_US

    def states(self) -> Iterator[Reading]:
        """The gauge of who is silent for too long."""
        for name in self._sources:
            yield (name,), float(self.is_silent(name))

    def last_seen(self) -> Iterator[Reading]:
        """The gauge of when."""
        for name, at in self.seen.items():
            yield (name,), at / _SECOND_US
