"""Won deals beside invoices: what is missing is visible, per rep, whatever the order."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from funnelwatch.schemas.careful import read_event
from funnelwatch.schemas.events import Kind
from funnelwatch.schemas.settings import Settings
from funnelwatch.schemas.sources.crm.quickbooks_money import Invoice
from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.context import Context
from funnelwatch.streams.reconciliation import reconcile, won_deals

SETTINGS = Settings(currency="USD")
CONTEXT = Context(SETTINGS, Calendar(SETTINGS.calendar))


def event(deal: str, type_: str, hour: int = 9, **data):
    envelope = {
        "specversion": "1.0",
        "id": f"{deal}/{type_}/{hour}",
        "source": "crm",
        "type": f"deal.{type_}",
        "subject": deal,
        "time": f"2026-03-04T{hour:02}:00:00Z",
        "data": {"currency": "USD", **data},
    }
    return read_event(Kind.DEAL, envelope)


def invoice(number: int, deal: str, total: int, *, open_: int = 0, currency: str = "USD", at: int = 1):
    return Invoice(
        id=f"Invoice/{number}", at=at, deal=deal, currency=currency, total=total * 10_000, open=open_ * 10_000
    )


def standing(events, invoices, rep="sara"):
    (found,) = [one for one in reconcile(won_deals(events, CONTEXT), invoices).standings if one.rep == rep]
    return found


def test_a_deal_that_was_won_and_never_invoiced_is_named():
    found = standing([event("d1", "won", rep_id="sara", amount=500, customer="White Cross")], [])

    assert (found.won_count, found.won, found.invoiced, found.short) == (1, 5_000_000, 0, 5_000_000)
    assert [deal.id for deal in found.without_invoice] == ["d1"]
    assert found.without_invoice[0].customer == "White Cross"


def test_what_is_invoiced_and_paid_is_counted():
    events = [event("d1", "won", rep_id="sara", amount=1200)]

    found = standing(events, [invoice(1, "d1", 700, open_=200), invoice(2, "d1", 300)])

    assert (found.invoiced, found.paid, found.short) == (10_000_000, 8_000_000, 2_000_000)
    assert found.without_invoice == []


def test_an_invoice_that_is_too_high_makes_up_for_no_other_deal():
    events = [event("d1", "won", rep_id="sara", amount=100), event("d2", "won", rep_id="sara", amount=100)]

    found = standing(events, [invoice(1, "d1", 500)])

    assert found.short == 1_000_000
    assert [deal.id for deal in found.without_invoice] == ["d2"]


def test_a_deal_counts_for_whoever_closed_it_with_its_final_amount_and_not_when_it_is_open_again():
    events = [
        event("d1", "won", 9, rep_id="sara", amount=100),
        event("d1", "updated", 10, rep_id="omid", amount=150),
        event("d2", "won", 9, rep_id="sara", amount=100),
        event("d2", "reopened", 10),
        event("d3", "lost", 9, rep_id="sara", amount=100),
        event("d4", "won", 9, rep_id="sara"),
        event("d4", "deleted", 10),
    ]

    (found,) = reconcile(won_deals(events, CONTEXT), []).standings

    assert (found.rep, found.won_count, found.won) == ("sara", 1, 1_500_000)


def test_an_invoice_in_another_currency_is_an_invoice_and_no_money_of_the_deal():
    found = standing([event("d1", "won", rep_id="sara", amount=100)], [invoice(1, "d1", 100, currency="EUR")])

    assert (found.without_invoice, found.invoiced, found.short) == ([], 0, 1_000_000)


def test_invoices_of_no_won_deal_are_listed():
    found = reconcile(won_deals([event("d1", "won", rep_id="sara")], CONTEXT), [invoice(1, "", 5), invoice(2, "d9", 5)])

    assert [one.id for one in found.unmatched] == ["Invoice/1", "Invoice/2"]


def test_a_credit_takes_back_what_was_invoiced():
    credit = Invoice(id="CreditMemo/2", at=1, deal="d1", currency="USD", total=-400_000, open=0)

    found = standing([event("d1", "won", rep_id="sara", amount=100)], [invoice(1, "d1", 100), credit])

    assert (found.invoiced, found.paid, found.short) == (600_000, 600_000, 400_000)


@given(seed=st.integers(), repeats=st.integers(0, 5))
def test_order_and_repetition_change_nothing(seed, repeats):
    dice = random.Random(seed)
    events = [
        event(f"d{n}", type_, hour, rep_id="sara", amount=n)
        for n in range(4)
        for hour, type_ in ((9, "created"), (10, "won"))
    ]
    invoices = [invoice(n, f"d{n % 3}", 50, open_=n, at=at) for n in range(4) for at in (1, 2)]
    wanted = reconcile(won_deals(events, CONTEXT), invoices)

    found = reconcile(
        won_deals(dice.sample(events, len(events)) + dice.choices(events, k=repeats), CONTEXT),
        dice.sample(invoices, len(invoices)) + dice.choices(invoices, k=repeats),
    )

    assert wanted == found
