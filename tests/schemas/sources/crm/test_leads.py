"""Leads of every CRM: what their statuses say, whose they are, what they become; whatever the order of deliveries."""

from __future__ import annotations

import random

import pytest
from support import crm_leads, crm_life
from support.incremental import differences
from support.sources import only, outgoing, passed, translate

from funnelwatch.schemas.encode import time_text
from funnelwatch.schemas.events import Kind
from funnelwatch.schemas.settings import Settings
from funnelwatch.streams.oracle import report

SETTINGS = Settings(currency="EUR")
NOW = crm_life.EPOCH_US + 45 * 24 * 60 * crm_life.MINUTE_US


def figures(events):
    found = report(SETTINGS, events, NOW)
    return {"organisation": found.organisation, **found.reps}


@pytest.mark.parametrize("system", crm_leads.DIALECTS)
@pytest.mark.parametrize("seed", range(4))
def test_a_crm_tells_the_figures_of_its_leads_in_any_order(system, seed):
    lives = crm_leads.lives(seed)
    deliveries = [crm_leads.DIALECTS[system](row) for rows in lives for row in rows]
    deliveries += random.Random(seed).choices(deliveries, k=10)
    random.Random(seed).shuffle(deliveries)

    wanted = figures([event for rows in lives for event in crm_leads.truth(rows)])

    assert differences(wanted, figures(crm_leads.events(system, deliveries))) == []


@pytest.mark.parametrize(
    ("system", "body", "query", "type_"),
    [
        (
            "hubspot",
            {
                "subscriptionType": "contact.propertyChange",
                "objectId": 1,
                "occurredAt": 1_772_611_200_000,
                "propertyName": "lifecyclestage",
                "propertyValue": "marketingqualifiedlead",
            },
            "",
            "lead.qualified",
        ),
        (
            "hubspot",
            {
                "subscriptionType": "contact.propertyChange",
                "objectId": 1,
                "occurredAt": 1_772_611_200_000,
                "propertyName": "lifecyclestage",
                "propertyValue": "salesqualifiedlead",
            },
            "",
            "lead.accepted",
        ),
        (
            "hubspot",
            {
                "subscriptionType": "contact.propertyChange",
                "objectId": 1,
                "occurredAt": 1_772_611_200_000,
                "propertyName": "lifecyclestage",
                "propertyValue": "customer",
            },
            "",
            "lead.converted",
        ),
        (
            "hubspot",
            {
                "subscriptionType": "contact.propertyChange",
                "objectId": 1,
                "occurredAt": 1_772_611_200_000,
                "propertyName": "hs_lead_status",
                "propertyValue": "UNQUALIFIED",
            },
            "",
            "lead.disqualified",
        ),
        (
            "vtiger",
            {"id": "10x1", "leadstatus": "Pre Qualified", "modifiedtime": "2026-03-04 10:00:00"},
            "",
            "lead.qualified",
        ),
        (
            "vtiger",
            {"id": "10x1", "leadstatus": "Qualified", "modifiedtime": "2026-03-04 10:00:00"},
            "",
            "lead.accepted",
        ),
        (
            "vtiger",
            {"id": "10x1", "leadstatus": "Junk Lead", "modifiedtime": "2026-03-04 10:00:00"},
            "",
            "lead.disqualified",
        ),
        ("espocrm", [{"id": "a", "status": "In Process"}], "?event=Lead.update", "lead.qualified"),
        ("espocrm", [{"id": "a", "status": "Dead"}], "?event=Lead.update", "lead.disqualified"),
        (
            "suitecrm",
            {
                "data": {
                    "type": "Lead",
                    "id": "a",
                    "attributes": {"status": "Recycled", "date_modified": "2026-03-04T10:00:00Z"},
                }
            },
            "",
            "lead.disqualified",
        ),
        (
            "odoo",
            {"_id": 1, "_model": "crm.lead", "type": "lead", "active": False, "write_date": "2026-03-04 10:00:00"},
            "",
            "lead.disqualified",
        ),
        (
            "zoho",
            {
                "server_time": 1_772_611_200_000,
                "module": "Leads",
                "operation": "update",
                "ids": ["1"],
                "affected_values": [{"record_id": "1", "values": {"Lead_Status": "Junk Lead"}}],
            },
            "",
            "lead.disqualified",
        ),
        (
            "salesforce",
            {
                "ChangeEventHeader": {
                    "entityName": "Lead",
                    "recordIds": ["00Q1"],
                    "changeType": "UPDATE",
                    "commitTimestamp": 1_772_611_200_000,
                    "sequenceNumber": 1,
                },
                "Status": "Closed - Not Converted",
            },
            "",
            "lead.disqualified",
        ),
        (
            "close",
            {
                "event": {
                    "object_type": "lead",
                    "object_id": "l",
                    "action": "updated",
                    "changed_fields": ["status_id"],
                    "date_created": "2026-03-04T10:00:00",
                    "data": {"status_label": "Bad Fit"},
                }
            },
            "",
            "lead.disqualified",
        ),
    ],
)
def test_the_usual_statuses_mean_what_they_say(system, body, query, type_):
    assert only(translate(system, body, f"https://x/{query}" if query else "", received_us=1), type_).data == {}


def test_a_source_may_say_what_its_statuses_mean():
    body = {"id": "10x1", "leadstatus": "داغ", "modifiedtime": "2026-03-04 10:00:00"}

    assert only(translate("vtiger", body, lead_states={"داغ": "qualified"}), "lead.qualified")


def test_leads_that_are_all_handed_over_are_qualified_from_their_creation_and_once():
    body = {
        "id": "10x1",
        "leadstatus": "Pre Qualified",
        "createdtime": "2026-03-01 10:00:00",
        "modifiedtime": "2026-03-04 10:00:00",
    }

    found = only(translate("vtiger", body, options={"new_leads": "qualified"}), "lead.qualified")

    assert time_text(found.at) == "2026-03-01T10:00:00Z"


def test_a_status_that_means_nothing_says_nothing():
    body = {"id": "10x1", "leadstatus": "Contacted", "modifiedtime": "2026-03-04 10:00:00", "assigned_user_id": "19x5"}

    assert [one.type for one in outgoing(translate("vtiger", body))] == ["lead.assigned"]


@pytest.mark.parametrize(
    ("system", "body", "query", "lead", "deal"),
    [
        (
            "salesforce",
            {
                "ChangeEventHeader": {
                    "entityName": "Lead",
                    "recordIds": ["00Q1"],
                    "changeType": "UPDATE",
                    "commitTimestamp": 1_772_611_200_000,
                    "sequenceNumber": 4,
                },
                "IsConverted": True,
                "ConvertedOpportunityId": "0061",
            },
            "",
            "00Q1",
            "0061",
        ),
        ("espocrm", [{"id": "a", "status": "Converted", "createdOpportunityId": "b"}], "?event=Lead.update", "a", "b"),
        (
            "suitecrm",
            {
                "data": {
                    "type": "Lead",
                    "id": "a",
                    "attributes": {"converted": "1", "opportunity_id": "b", "date_modified": "2026-03-04T10:00:00Z"},
                }
            },
            "",
            "a",
            "b",
        ),
        (
            "odoo",
            {
                "_id": 42,
                "_model": "crm.lead",
                "type": "opportunity",
                "write_date": "2026-03-04 10:00:00",
                "date_conversion": "2026-03-03 10:00:00",
                "create_date": "2026-03-01 10:00:00",
                "stage_id": 1,
            },
            "",
            "42",
            "42",
        ),
    ],
)
def test_a_converted_lead_is_accepted_and_its_deal_knows_it(system, body, query, lead, deal):
    found = translate(system, body, f"https://x/{query}" if query else "", received_us=1)

    assert f"{system}:{lead}" == only(found, "lead.accepted").subject
    links = [one for one in outgoing(found) if one.data.get("lead_id") == f"{system}:{lead}"]
    assert {f"{system}:{deal}"} == {one.subject for one in links}
    assert {f"{system}:{deal}"} == {one.data["deal_id"] for one in outgoing(found) if "deal_id" in one.data}


def test_the_lead_is_a_customer_when_its_deal_is_won():
    converted = {
        "ChangeEventHeader": {
            "entityName": "Lead",
            "recordIds": ["00Q1"],
            "changeType": "UPDATE",
            "sequenceNumber": 4,
            "commitTimestamp": 1_772_611_200_000,
        },
        "IsConverted": True,
        "ConvertedOpportunityId": "0061",
        "OwnerId": "0051",
    }
    won = {
        "ChangeEventHeader": {
            "entityName": "Opportunity",
            "recordIds": ["0061"],
            "changeType": "UPDATE",
            "sequenceNumber": 1,
            "commitTimestamp": 1_772_697_600_000,
        },
        "StageName": "Closed Won",
    }
    events = [one.event("sara" if one.rep else None) for one in outgoing(translate("salesforce", [won, converted]))]

    leads = report(SETTINGS, events, 1_772_800_000_000_000).reps["sara"].windows["30d"].leads

    assert (leads.accepted, leads.converted) == (1, 1)
    assert {Kind.LEAD, Kind.DEAL} == {event.kind for event in events}


def test_a_lead_of_hubspots_own_object_counts_if_the_source_says_so():
    change = {
        "subscriptionType": "object.creation",
        "objectTypeId": "0-136",
        "objectId": 5,
        "occurredAt": 1_772_611_200_000,
    }

    assert passed(translate("hubspot", change)) == ["not_counted"]
    assert only(translate("hubspot", change, options={"leads": "leads"}), "lead.created").subject == "hubspot:5"


@pytest.mark.parametrize(
    ("system", "body"),
    [
        (
            "pipedrive",
            {
                "data": {"id": "x", "is_archived": True, "add_time": "2026-03-01T10:00:00Z"},
                "previous": {"is_archived": False},
                "meta": {"action": "change", "entity": "lead", "timestamp": "2026-03-04T10:00:00Z", "entity_id": "x"},
            },
        ),
    ],
)
def test_an_archived_lead_is_disqualified_and_comes_back_qualified(system, body):
    gone = only(translate(system, body), "lead.disqualified")
    body = body | {"data": body["data"] | {"is_archived": False}, "previous": {"is_archived": True}}

    for options in ({}, {"new_leads": "qualified"}):
        back = outgoing(translate(system, body, options=options), "lead.qualified")[-1]
        assert back.at == gone.at
