"""What happens to leads: they arrive, are qualified, accepted or turned down, and some become deals."""

from __future__ import annotations

from typing import Any, Final

from funnelwatch.schemas.events import Kind
from funnelwatch.streams.simulator.agenda import Deed
from funnelwatch.streams.simulator.desk import Desk
from funnelwatch.streams.simulator.world import World

CHANNELS: Final = ("web", "fair", "referral", "webinar", "partner")
CAMPAIGNS: Final = ("spring", "nowruz", "relaunch", "autumn")
REASONS: Final = ("no fit", "no answer", "student", "competitor")

QUALIFIED_SHARE: Final = 0.72
ACCEPTED_SHARE: Final = 0.62
TURNED_DOWN_SHARE: Final = 0.9
"""Of the leads not qualified, not accepted or lost: those that are disqualified; the others are forgotten."""
CONVERTED_SHARE: Final = 0.3
"""Won leads of which an event says so; for the others the won deal speaks."""
DELETED_SHARE: Final = 0.01
UNASSIGNED_SHARE: Final = 0.3

_MINUTE_US = 60_000_000
_HOUR_US = 60 * _MINUTE_US


def arrive(world: World, desk: Desk, at: int) -> None:
    """A new lead; marketing or the rep will say what it is worth."""
    random, subject = desk.random, desk.new_id("lead")
    data: dict[str, Any] = {"channel": random.choice(CHANNELS), "campaign": random.choice(CAMPAIGNS)}
    if desk.chance(UNASSIGNED_SHARE):
        soon = at + random.randrange(2, 40) * _MINUTE_US
        world.agenda.enter(soon, lambda now: _say(world, "assigned", subject, now, {"rep_id": desk.rep.id}))
    else:
        data["rep_id"] = desk.rep.id
    _say(world, "created", subject, at, data)
    desk.leads.append(subject)
    if desk.chance(DELETED_SHARE):
        _later(world, desk, at, 8, lambda now: _say(world, "deleted", subject, now, {}))
    elif desk.chance(QUALIFIED_SHARE):
        _later(world, desk, at, 5, lambda now: _qualify(world, desk, subject, now))
    elif desk.chance(TURNED_DOWN_SHARE):
        _later(world, desk, at, 16, lambda now: _turn_down(world, desk, subject, now))


def _qualify(world: World, desk: Desk, subject: str, at: int) -> None:
    _say(world, "qualified", subject, at, {"rep_id": desk.rep.id})
    if desk.chance(ACCEPTED_SHARE):
        _later(world, desk, at, 9, lambda now: _accept(world, desk, subject, now))
    elif desk.chance(TURNED_DOWN_SHARE):
        _later(world, desk, at, 20, lambda now: _turn_down(world, desk, subject, now))


def _accept(world: World, desk: Desk, subject: str, at: int) -> None:
    _say(world, "accepted", subject, at, {"rep_id": desk.rep.id})
    desk.accepted.append(subject)


def _turn_down(world: World, desk: Desk, subject: str, at: int) -> None:
    _say(world, "disqualified", subject, at, {"reason": desk.random.choice(REASONS)})


def lose(world: World, desk: Desk, subject: str, at: int) -> None:
    """The deal of a lead was lost: mostly, the lead is given up."""
    if desk.chance(TURNED_DOWN_SHARE):
        _later(world, desk, at, 6, lambda now: _turn_down(world, desk, subject, now))


def convert(world: World, desk: Desk, subject: str, at: int, deal_id: str) -> None:
    """The deal of a lead was won: some systems say so of the lead as well, a little later."""
    if desk.chance(CONVERTED_SHARE):
        _later(world, desk, at, 0.5, lambda now: _say(world, "converted", subject, now, {"deal_id": deal_id}))


def _later(world: World, desk: Desk, at: int, hours: float, deed: Deed) -> None:
    """Some working time from now, ``hours`` on average."""
    worked = 1_000_000 + int(desk.random.expovariate(1 / hours) * _HOUR_US)
    world.agenda.enter(world.calendar.working_after(at, worked), deed)


def _say(world: World, what: str, subject: str, at: int, data: dict[str, Any]) -> None:
    world.wire.say(Kind.LEAD, what, subject, at, data)
