"""Calls and emails: to strangers, to leads and about deals; their recordings and replies come later."""

from __future__ import annotations

from typing import Any, Final

from funnelwatch.schemas.events import Kind
from funnelwatch.streams.simulator.desk import Desk
from funnelwatch.streams.simulator.wire import instant
from funnelwatch.streams.simulator.world import World

OUTCOMES: Final = ("connected", "voicemail", "voicemail_drop", "no_answer", "busy", "failed")
COLD_WEIGHTS: Final = (28, 17, 15, 30, 7, 3)
WARM_WEIGHTS: Final = (62, 12, 1, 20, 4, 1)
RECORDED_SHARE: Final = 0.55
"""Of the connected calls."""
REPLY_SHARE: Final = 0.14
MISTAKE_SHARE: Final = 0.004
"""Calls and emails that are deleted soon after."""
TEMPLATES: Final = ("hello", "second-touch", "case-study", "break-up")

_MINUTE_US = 60_000_000
_HOUR_US = 60 * _MINUTE_US


def cold_call(world: World, desk: Desk, at: int) -> None:
    """An outbound call to a stranger or a lead."""
    data: dict[str, Any] = {"cold": True, "direction": "outbound"}
    if desk.leads and desk.chance(0.35):
        data["lead_id"] = desk.random.choice(desk.leads)
    _call(world, desk, at, data, COLD_WEIGHTS)


def warm_call(world: World, desk: Desk, at: int) -> None:
    """A call about a deal, either way."""
    direction = "outbound" if desk.chance(0.75) else "inbound"
    data: dict[str, Any] = {"cold": False, "direction": direction}
    if desk.open and desk.chance(0.85):
        data["deal_id"] = desk.random.choice(desk.open).id
    elif desk.closed:
        data["deal_id"] = desk.random.choice(desk.closed).id
    _call(world, desk, at, data, WARM_WEIGHTS)


def _call(world: World, desk: Desk, at: int, data: dict[str, Any], weights: tuple[int, ...]) -> None:
    random, subject = desk.random, desk.new_id("call")
    outcome = random.choices(OUTCOMES, weights)[0]
    if outcome == "voicemail_drop" and data["direction"] == "inbound":
        outcome = "voicemail"
    talk_seconds = round(random.expovariate(1 / 260), 1) if outcome == "connected" else 0
    data |= {"rep_id": desk.rep.id, "outcome": outcome, "talk_seconds": talk_seconds}
    data["started_at"] = instant(at - int(talk_seconds * 1_000) * 1_000)
    world.wire.say(Kind.CALL, "completed", subject, at, data)
    if talk_seconds and desk.chance(RECORDED_SHARE):
        url = f"https://recordings.example/{subject.rpartition('-')[2]}.ogg"
        soon = at + random.randrange(_MINUTE_US, 25 * _MINUTE_US)
        world.agenda.enter(
            soon, lambda now: world.wire.say(Kind.CALL, "recorded", subject, now, {"recording_url": url})
        )
    _perhaps_delete(world, desk, Kind.CALL, subject, at)


def cold_email(world: World, desk: Desk, at: int) -> None:
    """An email to a stranger or a lead."""
    data: dict[str, Any] = {"cold": True, "template": desk.random.choice(TEMPLATES)}
    if desk.leads and desk.chance(0.4):
        data["lead_id"] = desk.random.choice(desk.leads)
    _email(world, desk, at, data)


def warm_email(world: World, desk: Desk, at: int) -> None:
    """An email about a deal."""
    data: dict[str, Any] = {"cold": False}
    if desk.open:
        data["deal_id"] = desk.random.choice(desk.open).id
    _email(world, desk, at, data)


def _email(world: World, desk: Desk, at: int, data: dict[str, Any]) -> None:
    subject = desk.new_id("email")
    data["rep_id"] = desk.rep.id
    world.wire.say(Kind.EMAIL, "sent", subject, at, data)
    if desk.chance(REPLY_SHARE):
        later = at + int(desk.random.expovariate(1 / 6) * _HOUR_US) + _MINUTE_US
        world.agenda.enter(later, lambda now: world.wire.say(Kind.EMAIL, "replied", subject, now, {}))
    _perhaps_delete(world, desk, Kind.EMAIL, subject, at)


def _perhaps_delete(world: World, desk: Desk, kind: Kind, subject: str, at: int) -> None:
    if desk.chance(MISTAKE_SHARE):
        soon = at + desk.random.randrange(_MINUTE_US, _HOUR_US)
        world.agenda.enter(soon, lambda now: world.wire.say(kind, "deleted", subject, now, {}))
