"""One event that cannot be read does not take the others of its delivery with it."""

from __future__ import annotations

import pytest
from support.sources import outgoing, passed, translate

from funnelwatch.schemas.reasons import RefusedError

AT = 1_772_611_200_000
GOOD = {
    "subscriptionType": "deal.propertyChange",
    "objectId": 1,
    "occurredAt": AT,
    "propertyName": "amount",
    "propertyValue": "5",
}


def change(type_: str):
    header = {"entityName": "Opportunity", "recordIds": ["0061"], "changeType": type_, "commitTimestamp": AT}
    return {"ChangeEventHeader": header, "StageName": "Offer"}


BATCHES = {
    "hubspot": (GOOD, GOOD | {"propertyValue": "much"}, ""),
    "salesforce": (change("UPDATE"), change("EATEN"), ""),
    "espocrm": ({"id": "a", "stage": "Offer"}, {"id": "b", "amount": "much"}, "https://x/?event=Opportunity.update"),
    "vtiger": (
        {"id": "5x1", "sales_stage": "Demo", "modifiedtime": "2026-03-04 10:00:00"},
        {"id": "5x2", "sales_stage": "Demo", "modifiedtime": "soon"},
        "",
    ),
}


@pytest.mark.parametrize("system", BATCHES)
def test_the_others_are_taken_and_it_is_counted(system):
    good, bad, url = BATCHES[system]

    found = translate(system, [good, bad], url, received_us=1)

    assert outgoing(found) == outgoing(translate(system, [good], url, received_us=1))
    assert passed(found) == ["unreadable"]


@pytest.mark.parametrize("system", BATCHES)
def test_a_delivery_of_nothing_readable_is_refused(system):
    _, bad, url = BATCHES[system]

    with pytest.raises(RefusedError):
        translate(system, [bad, bad], url, received_us=1)


def test_an_event_that_no_worker_would_take_counts_as_unreadable():
    long = GOOD | {"propertyName": "dealstage", "propertyValue": "x" * 2_000}

    assert passed(translate("hubspot", [GOOD, long])) == ["unreadable"]
