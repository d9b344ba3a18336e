"""Trouble planted into a history: from an instant on a rep loses more of what is decided, or no deal advances."""

from __future__ import annotations

from bisect import bisect_left
from random import Random

from funnelwatch.streams.calibration.history import Decision, Person


def losing(random: Random, person: Person, since: int, loss_rate: float) -> Person:
    """The rep loses each further deal with this probability."""
    decisions = [
        one if one.at < since else Decision(one.at, random.random() < loss_rate, one.pipeline)
        for one in person.decisions
    ]
    return Person(person.rep, person.team, decisions, person.advances, person.active)


def stalled(person: Person, since: int) -> Person:
    """No deal advances any more (and none is won, since a win is an advance); losses and everything else go on."""
    return Person(
        person.rep,
        person.team,
        [one for one in person.decisions if one.at < since or one.is_lost],
        person.advances[: bisect_left(person.advances, since)],
        person.active,
    )
