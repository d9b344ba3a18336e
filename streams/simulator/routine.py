"""A rep's day: how much of what, and when."""

from __future__ import annotations

from typing import Final

from funnelwatch.streams.simulator import deals, leads, outreach
from funnelwatch.streams.simulator.desk import Desk
from funnelwatch.streams.simulator.world import Task, World

ROUTINE: Final[tuple[tuple[Task, float], ...]] = (
    (deals.advance, 7.0),
    (deals.revise, 1.0),
    (deals.reprice_closed, 0.08),
    (deals.reassign, 0.15),
    (deals.reopen, 0.06),
    (deals.delete, 0.05),
    (leads.arrive, 2.6),
    (outreach.cold_call, 10.0),
    (outreach.warm_call, 5.0),
    (outreach.cold_email, 5.0),
    (outreach.warm_email, 3.0),
)
"""How often a rep does what on a whole working day, on average."""

DECIDED_PER_DAY: Final = 3.8
SPIKE_DECIDED_PER_DAY: Final = 6.8
"""Deals a rep closes on a whole working day; the second while losing nearly all of them."""
OPEN_DEALS: Final = 26
"""Open deals a rep tends to have."""
REFILL_SHARE: Final = 0.12
"""The share of what is missing from, or too much for, ``OPEN_DEALS`` that a day makes up for."""


def plan(world: World, desk: Desk, day: int) -> None:
    """Enter a rep's tasks of a local day into the agenda."""
    share = world.calendar.day_working_us(day) / world.whole_day_us
    decided = SPIKE_DECIDED_PER_DAY if desk.is_spiking else DECIDED_PER_DAY
    created = max(0.0, DECIDED_PER_DAY + (OPEN_DEALS - len(desk.open)) * REFILL_SHARE)
    start = world.calendar.day_start(day)
    for task, often in (*ROUTINE, (deals.decide, decided), (deals.create, created)):
        spread(world, desk, task, desk.about(often * share), start)


def spread(world: World, desk: Desk, task: Task, count: int, start: int) -> None:
    """Let a task happen ``count`` times in the working time left from ``start`` to the end of its day, at even odds."""
    rest_us = world.calendar.working_us(start, world.calendar.day_start(world.calendar.day(start) + 1))
    for _ in range(count if rest_us else 0):
        at = world.calendar.working_after(start, 1 + int(desk.random.random() * (rest_us - 1)))
        world.agenda.enter(at, lambda now: task(world, desk, now))
