"""What happens to deals: they come, advance, fall back, change hands and price, are decided, and come back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from funnelwatch.schemas.events import Kind
from funnelwatch.streams.simulator import leads
from funnelwatch.streams.simulator.desk import Deal, Desk
from funnelwatch.streams.simulator.wire import instant
from funnelwatch.streams.simulator.world import World

REASONS: Final = ("price", "competitor", "no budget", "no decision", "timing", "missing feature")
CUSTOMERS: Final = (
    "Aras Logistics", "Birch & Sons", "Caspian Foods", "Delta Optics", "Eiger Software", "Fjord Shipping",
    "Golestan Textiles", "Hanse Bank", "Isar Robotics", "Jupiter Glass", "Kish Travel", "Loire Cosmetics",
)  # fmt: skip
OTHER_PIPELINE_SHARE: Final = 0.06
OTHER_CURRENCY_SHARE: Final = 0.08
BACK_SHARE: Final = 0.07
SKIP_SHARE: Final = 0.05
"""Moves that go back, and that leave a stage out."""

_HOUR_US = 3_600_000_000
_DAY_US = 24 * _HOUR_US


def create(world: World, desk: Desk, at: int) -> None:
    """A new deal, for an accepted lead if one waits."""
    deal = _new(world, desk, at)
    desk.open.append(deal)
    data = _record(deal, desk)
    if deal.lead_id:
        data["lead_id"] = deal.lead_id
    if desk.chance(0.6):
        data["expected_close"] = instant(at + desk.random.randrange(5, 40) * _DAY_US)[:10]
    _say(world, deal, "created", at, data)


def _new(world: World, desk: Desk, at: int) -> Deal:
    random = desk.random
    pipelines = world.settings.pipelines
    is_usual = not desk.chance(OTHER_PIPELINE_SHARE)
    return Deal(
        id=desk.new_id("deal"),
        pipeline=desk.pipeline if is_usual else random.choice(pipelines),
        stage=0,
        amount=max(200, round(random.lognormvariate(7.9, 0.55) / 10) * 10),
        currency="USD" if desk.chance(OTHER_CURRENCY_SHARE) else world.settings.currency,
        customer=random.choice(CUSTOMERS),
        lead_id=desk.accepted.popleft() if desk.accepted else None,
        moved_at=at,
    )


def take_over(world: World, desk: Desk, at: int) -> None:
    """A deal that was going on before the floor's first day."""
    deal = _new(world, desk, at)
    deal.stage = desk.random.randrange(len(deal.pipeline.stages))
    desk.open.append(deal)
    _say(world, deal, "created", at, _record(deal, desk))


def advance(world: World, desk: Desk, at: int) -> None:
    """A deal moves, mostly on; in a stalled funnel none does."""
    if desk.is_stalled:
        return
    deal = _pick(desk, lambda deal: (not deal.is_in_last_stage, -deal.moved_at))
    if deal is None or deal.is_in_last_stage:
        return
    last = len(deal.pipeline.stages) - 1
    if deal.stage and desk.chance(BACK_SHARE):
        deal.stage -= 1
    else:
        deal.stage = min(last, deal.stage + (2 if desk.chance(SKIP_SHARE) else 1))
    deal.moved_at = at
    full = desk.chance(0.5)  # some systems send the whole record on each change
    data = _record(deal, desk) if full else {"stage": deal.stage_name, "pipeline": deal.pipeline.name}
    _say(world, deal, "stage_changed", at, data)


def decide(world: World, desk: Desk, at: int) -> None:
    """A deal is won or lost; in a stalled funnel none is."""
    if desk.is_stalled or not desk.open:
        return
    if desk.draw_loss():
        _lose(world, desk, at)
    else:
        _win(world, desk, at)


def _win(world: World, desk: Desk, at: int) -> None:
    deal = _pick(desk, lambda deal: (deal.stage, -deal.moved_at))
    assert deal is not None  # the caller saw an open one
    data: dict[str, Any] = {"rep_id": desk.rep.id}
    if desk.chance(0.4):
        data |= {"stage": "Closed Won", "amount": f"{deal.amount}.00", "currency": deal.currency}
    desk.close(deal)
    _say(world, deal, "won", at, data)
    if deal.lead_id:
        leads.convert(world, desk, deal.lead_id, at, deal.id)


def _lose(world: World, desk: Desk, at: int) -> None:
    deal = _pick(desk, lambda deal: -deal.moved_at)
    assert deal is not None  # the caller saw an open one
    desk.close(deal)
    _say(world, deal, "lost", at, {"rep_id": desk.rep.id, "lost_reason": desk.random.choice(REASONS)})
    if deal.lead_id:
        leads.lose(world, desk, deal.lead_id, at)


def reopen(world: World, desk: Desk, at: int) -> None:
    """A deal that was closed is open again; in a stalled funnel none is."""
    if desk.is_stalled or not desk.closed:
        return
    index = desk.random.randrange(len(desk.closed))
    deal = desk.closed[index]
    del desk.closed[index]
    deal.moved_at = at
    desk.open.append(deal)
    _say(world, deal, "reopened", at, {"rep_id": desk.rep.id, "stage": deal.stage_name})


def revise(world: World, desk: Desk, at: int) -> None:
    """A deal is re-priced, or put to sleep for some days."""
    deal = _pick(desk, lambda deal: deal.amount)
    if deal is None:
        return
    if desk.chance(0.15):
        until = instant(at + desk.random.randrange(1, 8) * _DAY_US)
        _say(world, deal, "updated", at, {"snooze_until": until, "snooze_reason": "customer on holiday"})
        return
    deal.amount = max(200, round(deal.amount * desk.random.uniform(0.75, 1.3) / 10) * 10)
    _say(world, deal, "updated", at, {"amount": f"{deal.amount}.50", "currency": deal.currency})


def reprice_closed(world: World, desk: Desk, at: int) -> None:
    """A won deal turns out to be worth something else: the win is restated."""
    if desk.closed:
        deal = desk.random.choice(desk.closed)
        deal.amount = max(200, round(deal.amount * desk.random.uniform(0.9, 1.1) / 10) * 10)
        _say(world, deal, "updated", at, {"amount": deal.amount})


def reassign(world: World, desk: Desk, at: int) -> None:
    """A deal goes to a colleague of the same team; those of a rep in trouble stay."""
    other = world.colleague(desk)
    if desk.is_stalled or other is None or not desk.open:
        return
    deal = desk.random.choice(desk.open)
    desk.open.remove(deal)
    other.open.append(deal)
    _say(world, deal, "assigned", at, {"rep_id": other.rep.id})


def delete(world: World, desk: Desk, at: int) -> None:
    """A deal was a mistake."""
    if desk.is_stalled or not desk.open:
        return
    deal = desk.open.pop(desk.random.randrange(len(desk.open)))
    _say(world, deal, "deleted", at, {})


def _pick(desk: Desk, key: Callable[[Deal], Any]) -> Deal | None:
    """The one with the largest key among some open deals drawn at random."""
    if not desk.open:
        return None
    random, deals = desk.random.random, desk.open
    return max((deals[int(random() * len(deals))] for _ in range(4)), key=key)


def _record(deal: Deal, desk: Desk) -> dict[str, Any]:
    return {
        "rep_id": desk.rep.id,
        "pipeline": deal.pipeline.name,
        "stage": deal.stage_name,
        "amount": deal.amount,
        "currency": deal.currency,
        "customer": deal.customer,
    }


def _say(world: World, deal: Deal, what: str, at: int, data: dict[str, Any]) -> None:
    world.wire.say(Kind.DEAL, what, deal.id, at, data)
