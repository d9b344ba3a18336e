"""The set of everything observed about one entity, kept in order.

A *step* is one observed event as a tuple that begins with its stamp: ``(at, source, id, type code, *members)``. The
steps that stand are ordered by stamp. A publisher that sends one (source, id) twice with different content leaves the
smaller one standing (`docs/figures.md`, "Order, identity, fold"); the other is kept aside as a *repeat*, so that the
state is a function of the set of what was received: adding and merging are the union of sets, hence commutative,
associative and idempotent, and the number of steps grows with each new observation.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any, Final, TypeVar

import msgspec

from funnelwatch.schemas.events import Refusal

HISTORY_MAX: Final = 1_000
"""Most observations of one entity. A CRM's rule that updates a record in a loop must not fill the table."""

HISTORY_FULL: Final = "history_full"
"""Reason code of an event that came after ``HISTORY_MAX`` others of its entity."""

Step = tuple[Any, ...]
S = TypeVar("S", bound=Step)
Content = Callable[[Step], tuple[str, bytes]]
"""The canonical content of a step: what decides between two that claim the same identity and time."""

_encode_sorted = msgspec.json.Encoder(order="sorted").encode


class Refused(Exception):  # noqa: N818  (a verdict on one event, not a fault of the program)
    """An event that its entity cannot take; ``reason`` is a stable code, ``detail`` a sentence for a person."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail

    @property
    def refusal(self) -> Refusal:
        """The same as a value."""
        return Refusal(self.reason, self.detail)


def canonical(event_type: str, members: Mapping[str, Any]) -> tuple[str, bytes]:
    """Type, then data as JSON with the members in the order of their names and without those left out."""
    return event_type, _encode_sorted({name: value for name, value in members.items() if value is not None})


def observe(history: list[S], repeats: list[S], step: S, content: Content) -> bool:
    """Add a step to the set; False if the set has it already.

    Raises:
        Refused: The entity has ``HISTORY_MAX`` observations already.
    """
    source, identity = step[1], step[2]
    known = None
    for one in history:
        if one[2] == identity and one[1] == source:
            known = one
            if known == step or step in repeats:
                return False
            break
    if len(history) + len(repeats) >= HISTORY_MAX:
        raise Refused(
            HISTORY_FULL,
            f"the event's entity has {HISTORY_MAX} events already; "
            "publish changes only, or delete and recreate the entity under a new id",
        )
    if known is None:
        _insert(history, step)
        return True
    standing, repeat = sorted((known, step), key=lambda one: (one[0], content(one)))
    if standing is step:
        history.remove(known)
        _insert(history, step)
    insort(repeats, repeat, key=lambda one: (one[:3], content(one)))
    return True


def _insert(history: list[S], step: S) -> None:
    stamp = step[:3]
    if not history or history[-1][:3] < stamp:  # nearly always: events mostly come in order
        history.append(step)
    else:
        history.insert(bisect_left(history, stamp, key=lambda one: one[:3]), step)


def union(left: tuple[list[S], list[S]], right: tuple[list[S], list[S]], content: Content) -> tuple[list[S], list[S]]:
    """The (history, repeats) of everything that two states of one entity have observed. Never refuses."""
    found = {step for steps in (*left, *right) for step in steps}
    ordered = sorted(found, key=lambda step: step[:3])
    if any(one[:3] == next_one[:3] for one, next_one in pairwise(ordered)):
        ordered.sort(key=lambda step: (step[:3], content(step)))
    identities: set[tuple[str, str]] = set()
    history: list[S] = []
    repeats: list[S] = []
    for step in ordered:
        identity = step[1:3]
        (repeats if identity in identities else history).append(step)
        identities.add(identity)
    return history, repeats
