"""The one place where the clock is read. Everything else is handed an instant."""

from __future__ import annotations

import time


def now_us() -> int:
    """The system clock: microseconds since the Unix epoch."""
    return time.time_ns() // 1_000


def monotonic() -> float:
    """Seconds from an arbitrary origin that never go back: for measuring how long something took."""
    return time.monotonic()
