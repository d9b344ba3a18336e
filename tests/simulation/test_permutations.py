"""In whatever order events arrive, and however often: the rows are the same, byte by byte."""

from __future__ import annotations

from random import Random
from typing import Any

from funnelwatch.schemas.codec import UNLIMITED, decode
from funnelwatch.schemas.events import Event, Kind
from funnelwatch.streams.folds import FOLDS
from funnelwatch.streams.simulator import TEHRAN_CALENDAR, Floor, demo_settings

UNTIL = 1_781_000_000_000_000
PERMUTATIONS = 1_000
REPEAT_SHARE = 0.3


def rows(events: list[Event]) -> dict[tuple[Kind, str], bytes]:
    """Every entity's row: its events folded, and what others tell it."""
    states: dict[tuple[Kind, str], Any] = {}
    for event in events:
        fold = FOLDS[event.kind]
        fold.add(states.setdefault((event.kind, event.subject), fold.empty()), event)
    links = [link for (kind, subject), state in states.items() for link in FOLDS[kind].links(subject, state)]
    for link in links:
        fold = FOLDS[link.target]
        fold.add_link(states.setdefault((link.target, link.target_id), fold.empty()), link)
    return {(kind, subject): FOLDS[kind].encode(state) for (kind, subject), state in states.items()}


def test_a_thousand_orders_of_a_floors_events_with_repeats_give_the_same_rows():
    _, told = Floor.with_history(5, UNTIL, demo_settings(TEHRAN_CALENDAR), reps=2, days=3)
    events = [event for one in told for event in decode(one.kind, one.value, (), UNLIMITED)]
    wanted, random = rows(events), Random("permutations")
    assert len(events) > 150
    assert len(wanted) > 100

    for _ in range(PERMUTATIONS):
        some = [*events, *(event for event in events if random.random() < REPEAT_SHARE)]
        random.shuffle(some)

        assert rows(some) == wanted
