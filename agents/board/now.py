"""The instant as of which figures are judged: the system clock, a fixed instant, or the newest event seen."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from funnelwatch.agents import clock

MICROSECONDS = 1_000_000


def judging_now(setting: str, watermark_us: Callable[[], int | None]) -> Callable[[], int]:
    """A function that gives "now" in µs, for the ``clock`` setting.

    Args:
        setting: ``system``, ``event`` or an RFC 3339 instant.
        watermark_us: The newest event time of all shards; None while there is none (the system clock stands in).

    Raises:
        ValueError: The setting is none of the three.
    """
    if setting == "system":
        return clock.now_us
    if setting == "event":
        return lambda: watermark_us() or clock.now_us()
    instant = datetime.fromisoformat(setting)
    if instant.tzinfo is None:
        raise ValueError(f"clock = {setting!r}: an instant needs an offset, for example 2026-11-23T12:00:00+00:00")
    fixed = int(instant.timestamp()) * MICROSECONDS + instant.microsecond
    return lambda: fixed
