"""How much a source, and all of them together, may ask of the gateway at a time."""

from __future__ import annotations

from typing import Final

FREE_BODY_BYTES: Final = 64 * 1024
"""So much of a body is read without asking for room: real deliveries are smaller, so that large ones cannot crowd
them out."""
BODIES_BYTES_MAX: Final = 32 * 1024 * 1024
"""What all larger bodies that are being read may hold together."""


class Rate:
    """A bucket of requests that fills at a steady rate and holds two seconds of them."""

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._size = max(1.0, 2 * per_second)
        self._left = self._size
        self._at = 0.0

    def take(self, now: float) -> bool:
        """Whether one more request is within the rate; ``now`` in seconds of a clock that does not go back."""
        self._left = min(self._size, self._left + (now - self._at) * self._per_second)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Room:
    """Memory for the parts of bodies beyond `FREE_BODY_BYTES`, shared by all requests."""

    def __init__(self, bytes_max: int = BODIES_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self.used = 0

    def take(self, size: int) -> bool:
        """Whether there is room for so many bytes more; if so they are taken."""
        if self.used + size > self._bytes_max:
            return False
        self.used += size
        return True

    def give_back(self, size: int) -> None:
        """Bytes are not needed any more."""
        self.used -= size
