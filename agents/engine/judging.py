"""The setting ``clock``: what is too old or too far ahead, and which instant a shard takes for now."""

from __future__ import annotations

from typing import Final

from funnelwatch.schemas.codec import Limits
from funnelwatch.schemas.fields import instant
from funnelwatch.schemas.settings import Settings

DAY_US: Final = 86_400_000_000
AHEAD_US_MAX: Final = DAY_US
"""An event may be this far ahead of the clock."""


class Judge:
    """Now, as figures take it: the system clock, a fixed instant, or the newest event seen.

    Args:
        settings: ``clock`` and ``retention_days`` are read.

    Raises:
        RefusedError: ``clock`` is neither ``system`` nor ``event`` nor an RFC 3339 instant.
    """

    def __init__(self, settings: Settings) -> None:
        self._retention_us = settings.retention_days * DAY_US
        self._by_events = settings.clock == "event"
        self._fixed = None if settings.clock in ("system", "event") else instant(settings.clock, "clock")

    def limits(self, system_us: int) -> Limits:
        """What the codec takes of what is read at ``system_us``."""
        now = system_us if self._fixed is None else self._fixed
        return Limits(
            future_us_max=now + AHEAD_US_MAX,
            past_us_min=None if self._by_events else now - self._retention_us,
        )

    def shard_now(self, system_us: int, newest: int | None) -> int | None:
        """The instant a shard's cells age by; None as long as nobody can say.

        Args:
            system_us: The system clock.
            newest: The time of the shard's newest event.
        """
        if self._by_events:
            return newest
        return system_us if self._fixed is None else self._fixed

    def forget_before(self, system_us: int, newest: int | None) -> int | None:
        """What lies before this instant is beyond the retention; None as long as nobody can say."""
        now = newest if self._by_events else system_us if self._fixed is None else self._fixed
        return None if now is None else now - self._retention_us
