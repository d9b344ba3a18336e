"""Amounts in CRMs that send only what changed: a currency that was named stays, one that never is is the source's."""

from __future__ import annotations

import pytest
from support.sources import outgoing, translate

from funnelwatch.schemas.settings import Settings
from funnelwatch.streams.oracle import report

AT = 1_772_611_200_000
LATER = AT + 60_000


def hubspot(currency):
    def change(name, value, at):
        return {
            "subscriptionType": "deal.propertyChange",
            "objectId": 1,
            "occurredAt": at,
            "propertyName": name,
            "propertyValue": value,
        }

    created = {"subscriptionType": "deal.creation", "objectId": 1, "occurredAt": AT}
    named = [change("deal_currency_code", currency, AT)] if currency else []
    return [
        [created, change("amount", "1", AT), *named],
        [change("amount", "7", LATER), change("dealstage", "closedwon", LATER)],
    ], ""


def salesforce(currency):
    def change(word, at, **fields):
        header = {"entityName": "Opportunity", "recordIds": ["0061"], "changeType": word, "commitTimestamp": at}
        return {"ChangeEventHeader": header} | fields

    first = change("CREATE", AT, Amount=1, StageName="Offer") | ({"CurrencyIsoCode": currency} if currency else {})
    return [first, change("UPDATE", LATER, Amount=7, StageName="Closed Won")], ""


def zoho(currency):
    def callback(operation, at, **values):
        return {
            "server_time": at,
            "module": "Deals",
            "operation": operation,
            "ids": ["1"],
            "affected_values": [{"record_id": "1", "values": values}],
        }

    named = {"Currency": currency} if currency else {}
    return [callback("insert", AT, Amount=1, **named), callback("update", LATER, Amount=7, Stage="Closed Won")], ""


def espocrm(currency):
    named = {"amountCurrency": currency} if currency else {}
    created = [{"id": "1", "amount": 1, "createdAt": "2026-03-04 08:00:00"} | named]
    return [created, [{"id": "1", "amount": 7, "stage": "Closed Won"}]], "https://x/?event=Opportunity."


CRMS = {"hubspot": hubspot, "salesforce": salesforce, "zoho": zoho, "espocrm": espocrm}


def won(system, named, **settings):
    """The won amount of a deal that is made at 1 and re-priced to 7, in an organisation that counts in EUR."""
    bodies, url = CRMS[system](named)
    events = []
    for body, word in zip(bodies, ("create", "update"), strict=True):
        address = f"{url}{word}" if url else ""
        events += [one.event() for one in outgoing(translate(system, body, address, LATER * 1_000, **settings))]
    found = report(Settings(currency="EUR"), events, LATER * 1_000 + 1).organisation
    return found.windows["30d"].won_amount


@pytest.mark.parametrize("system", CRMS)
def test_a_new_amount_leaves_the_currency_that_was_named(system):
    assert won(system, "USD", currency="GBP") == {"USD": "7"}


@pytest.mark.parametrize("system", CRMS)
def test_a_deal_that_names_none_is_in_the_sources(system):
    assert won(system, None, currency="GBP") == {"GBP": "7"}


@pytest.mark.parametrize("system", ["hubspot", "salesforce", "zoho"])
def test_a_deal_that_was_there_before_is_in_the_sources_if_that_has_only_one(system):
    bodies, _ = CRMS[system](None)

    found = outgoing(translate(system, bodies[1], currency="GBP", options={"one_currency": True}))

    assert {"GBP"} == {one.data["currency"] for one in found if "amount" in one.data}
