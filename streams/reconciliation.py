"""What was won, beside what of it is invoiced and paid: per rep and currency, with the deals that have no invoice.

A deal counts as won as everywhere (`docs/figures.md`, "Won, lost"): for the rep, amount and currency that stand. An
invoice belongs to the deal it names, whatever its own date. Amounts of different currencies are never compared: a deal
that is invoiced in another currency has an invoice, and nothing of its amount is invoiced in its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from funnelwatch.schemas.events import Event, Kind
from funnelwatch.schemas.sources.crm.quickbooks_money import Invoice
from funnelwatch.streams.context import Context
from funnelwatch.streams.entities.ownership import first_owner
from funnelwatch.streams.entities.walk import Walk
from funnelwatch.streams.folds import FOLDS


class WonDeal(msgspec.Struct, frozen=True, kw_only=True):
    """A deal that stands won: ``amount`` in money units, ``won_at`` in µs."""

    id: str
    rep: str
    customer: str
    currency: str
    amount: int
    won_at: int


class Standing(msgspec.Struct, kw_only=True):
    """One rep's won deals in one currency; money in units. ``without_invoice`` are the deals that have none at all.

    ``short`` is what was won and not invoiced, deal by deal: an invoice that is too high makes up for no other.
    """

    rep: str
    currency: str
    won_count: int = 0
    won: int = 0
    invoiced: int = 0
    paid: int = 0
    short: int = 0
    without_invoice: list[WonDeal] = []


class Reconciliation(msgspec.Struct, frozen=True):
    """Standings by rep and currency, in this order; and the invoices that name no deal that stands won."""

    standings: tuple[Standing, ...]
    unmatched: tuple[Invoice, ...]


def won_deals(events: Iterable[Event], context: Context) -> list[WonDeal]:
    """The deals that stand won, by id."""
    fold = FOLDS[Kind.DEAL]
    states: dict[str, object] = {}
    for event in events:
        if event.kind is Kind.DEAL:
            fold.add(states.setdefault(event.subject, fold.empty()), event)
    found = (_won(subject, state, context) for subject, state in sorted(states.items()))
    return [deal for deal in found if deal is not None]


def reconcile(won: Sequence[WonDeal], invoices: Iterable[Invoice]) -> Reconciliation:
    """Put invoices beside the deals they name. Of several looks at one invoice the latest stands."""
    latest: dict[str, Invoice] = {}
    for invoice in invoices:
        known = latest.get(invoice.id)
        if known is None or (invoice.at, msgspec.json.encode(invoice)) > (known.at, msgspec.json.encode(known)):
            latest[invoice.id] = invoice
    of_deal: dict[str, list[Invoice]] = defaultdict(list)
    for _, invoice in sorted(latest.items()):
        of_deal[invoice.deal].append(invoice)
    standings: dict[tuple[str, str], Standing] = {}
    for deal in sorted(won, key=lambda one: (one.won_at, one.id)):
        key = (deal.rep, deal.currency)
        _count(standings.setdefault(key, Standing(rep=deal.rep, currency=deal.currency)), deal, of_deal)
    known_deals = {deal.id for deal in won}
    unmatched = tuple(invoice for _, invoice in sorted(latest.items()) if invoice.deal not in known_deals)
    return Reconciliation(tuple(standing for _, standing in sorted(standings.items())), unmatched)


def _count(standing: Standing, deal: WonDeal, of_deal: Mapping[str, list[Invoice]]) -> None:
    invoices = of_deal.get(deal.id, [])
    own = [invoice for invoice in invoices if invoice.currency == deal.currency]
    invoiced = sum(invoice.total for invoice in own)
    standing.won_count += 1
    standing.won += deal.amount
    standing.invoiced += invoiced
    standing.paid += invoiced - sum(invoice.open for invoice in own)
    standing.short += max(deal.amount - invoiced, 0)
    if not invoices:
        standing.without_invoice.append(deal)


def _won(subject: str, state: object, context: Context) -> WonDeal | None:
    history = state.history  # type: ignore[attr-defined]  # (the state of any fold)
    walk = Walk(history[0][0], first_owner(history), context)
    walk.counts = False
    for step in history:
        walk.take(step)
    if walk.deleted or walk.close is None or not walk.close.won:
        return None
    return WonDeal(
        id=subject,
        rep=walk.close.rep,
        customer=walk.customer or "",
        currency=walk.currency,
        amount=walk.amount or 0,
        won_at=walk.close.at,
    )
