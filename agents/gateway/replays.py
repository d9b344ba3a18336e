"""Which signed requests were accepted: the same one again is a replay."""

from __future__ import annotations

import hashlib
from typing import Final

REMEMBERED_MAX: Final = 200_000
"""Requests of one generation; there are two. When there are more than that within a window, older ones are forgotten
early: what comes through then makes the same events again, which changes nothing."""


class Replays:
    """Requests of the last one to two windows, each as 8 bytes of its digest."""

    def __init__(self, remembered_max: int = REMEMBERED_MAX) -> None:
        self._remembered_max = remembered_max
        self._current: set[int] = set()
        self._previous: set[int] = set()
        self._since_us = 0

    def known(self, key: int) -> bool:
        """Whether the request was accepted before."""
        return key in self._current or key in self._previous

    def remember(self, key: int, now_us: int, window_us: int) -> None:
        """A request was accepted. What is older than two windows (a signature's time may be ahead) is forgotten."""
        if now_us - self._since_us > 2 * window_us or len(self._current) >= self._remembered_max:
            self._previous, self._current, self._since_us = self._current, set(), now_us
        self._current.add(key)


def key_of(source: str, moment: str, body: bytes) -> int:
    """What two requests have in common if one is a replay of the other: their signed moment and body."""
    digest = hashlib.blake2b(body, digest_size=8, key=hashlib.sha256(f"{source}\0{moment}".encode()).digest())
    return int.from_bytes(digest.digest(), "big")
