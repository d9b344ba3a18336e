"""The smallest history that still fails, by delta debugging, and how to print it as a test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from funnelwatch.schemas.events import Event

T = TypeVar("T")


def smallest(items: Sequence[T], fails: Callable[[Sequence[T]], bool]) -> list[T]:
    """A subsequence that fails and of which no single item can be left out."""
    kept, size = list(items), max(1, len(items) // 2)
    while True:
        begin, shorter = 0, False
        while begin < len(kept):
            candidate = kept[:begin] + kept[begin + size :]
            if fails(candidate):
                kept, shorter = candidate, True
            else:
                begin += size
        if size == 1 and not shorter:
            return kept
        size = max(1, size // 2)


def told(event: Event) -> str:
    """An event as a line of a story."""
    at = datetime.fromtimestamp(event.at // 1_000_000, UTC).replace(microsecond=event.at % 1_000_000)
    members = {name: getattr(event.data, name) for name in event.data.__struct_fields__}
    said = "".join(f", {name}={value!r}" for name, value in members.items() if value is not None)
    return f'story("{event.type} {event.subject}", "{at}", event_id="{event.id}", source="{event.source}"{said})'
