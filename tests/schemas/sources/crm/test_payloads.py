"""Every real payload of a CRM translates, or is passed or refused for the reason that stands here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from funnelwatch.schemas.encode import time_text
from funnelwatch.schemas.reasons import RefusedError
from funnelwatch.schemas.sources.contract import Delivery, Outgoing, Passed, SourceOptions, Wanted
from funnelwatch.schemas.sources.registry import SYSTEMS

PAYLOADS = Path(__file__).parents[5] / "shared" / "payloads"
CRMS = (
    "close",
    "espocrm",
    "hubspot",
    "odoo",
    "pipedrive",
    "quickbooks",
    "salesforce",
    "suitecrm",
    "twenty",
    "vtiger",
    "zoho",
)

pytestmark = pytest.mark.skipif(not PAYLOADS.is_dir(), reason="the real payloads are not beside the checkout")

WORKFLOW = {
    "stage": "opp_stage",
    "amount": "opp_amount",
    "rep_id": "assigned_to",
    "customer": "org_name",
    "stage:Demo Scheduled": "demo_scheduled_changed_at",
    "stage:Demo Given": "demo_given_changed_at",
    "stage:Pilot": "pilot_changed_at",
}
SETTINGS: dict[str, dict[str, Any]] = {
    "vtiger/potentials_workflow_webhook.json": {"fields": WORKFLOW, "zone": "America/New_York"},
    "vtiger/phonecalls_rest_query_record.json": {"zone": "America/New_York"},
    "vtiger/potentials_rest_query_record.json": {"zone": "America/Chicago"},
}
QUERY = {"espocrm/lead_create_response.json": "Lead.create", "espocrm/webhook_one_event.json": "Lead.update"}

EXPECTED: dict[str, list[str]] = {
    "close/lead_deleted.json": ["lead.deleted close:lead_123 2024-06-14T05:16:04.138000Z"],
    "close/opportunity_updated.json": [
        "deal.created close:object_id 2019-01-15T12:41:24.496000Z",
        "deal.updated close:object_id 2019-01-15T12:48:23.395000Z close:user_123",
        "deal.won close:object_id 2019-01-15T12:48:23.395000Z",
    ],
    "espocrm/lead_create_response.json": [
        "lead.created espocrm:6ac7d18d45ce82dbc 2026-10-08T17:23:25Z",
        "lead.assigned espocrm:6ac7d18d45ce82dbc 2026-10-08T17:23:25Z",
        "lead.qualified espocrm:6ac7d18d45ce82dbc 2026-10-08T17:23:25Z",
    ],
    "espocrm/webhook_one_event.json": ["passed no_change_for_us"],
    "hubspot/contact_batch_out_of_order.json": [
        "passed no_change_for_us",
        "lead.created hubspot:1801 2024-01-16T16:27:47.780000Z",
        "wanted contacts 1801",
        "passed no_change_for_us",
        "passed no_change_for_us",
        "passed no_change_for_us",
    ],
    "hubspot/contact_creation.json": [
        "lead.created hubspot:508369434347 2026-06-25T07:19:29.536000Z",
        "wanted contacts 508369434347",
    ],
    "hubspot/deal_creation.json": [
        "deal.created hubspot:332507367156 2026-06-25T07:19:31.992000Z",
        "wanted deals 332507367156",
    ],
    "hubspot/deal_propertyChange_dealstage.json": ["deal.reopened hubspot:697680835 2019-04-24T08:30:37.139000Z"],
    "hubspot/signature_vectors.json": ["refused missing_attribute"],
    "odoo/webhook_crm_lead.json": ["refused missing_attribute"],
    "pipedrive/v1_added_activity.json": ["passed planned"],
    "pipedrive/v1_added_deal.json": [
        "deal.created pipedrive:9 2017-04-20T13:40:25Z",
        "deal.reopened pipedrive:9 2017-04-20T13:40:25.650000Z pipedrive:2428657",
    ],
    "pipedrive/v1_added_note.json": ["passed not_counted"],
    "pipedrive/v1_added_stage.json": ["passed not_counted"],
    "pipedrive/v1_updated_activity.json": ["call.completed pipedrive:2 2017-04-22T21:56:17Z pipedrive:2428657"],
    "pipedrive/v1_updated_deal.json": [
        "deal.created pipedrive:999 2017-04-19T19:43:40Z",
        "deal.reopened pipedrive:999 2017-04-19T21:20:37.696000Z pipedrive:2428657 user@example.com",
    ],
    "pipedrive/v1_updated_pipeline.json": ["passed not_counted"],
    "pipedrive/v2_activity_create.json": ["passed other_activity"],
    "pipedrive/v2_deal_change.json": [
        "deal.created pipedrive:8 2022-11-24T13:18:55Z",
        "deal.reopened pipedrive:8 2022-11-24T15:11:55.724000Z pipedrive:12415231",
    ],
    "pipedrive/v2_deal_create.json": [
        "deal.created pipedrive:8 2022-11-24T13:18:55Z",
        "deal.reopened pipedrive:8 2022-11-24T13:18:56.089000Z pipedrive:12415231",
    ],
    "pipedrive/v2_lead_change.json": [
        "lead.created pipedrive:b1810230-6c0d-11ed-9826-a53d0eb706a5 2022-11-24T15:35:58.675000Z",
        "lead.assigned pipedrive:b1810230-6c0d-11ed-9826-a53d0eb706a5 2022-11-24T15:37:20.391000Z pipedrive:12415231",
        "lead.qualified pipedrive:b1810230-6c0d-11ed-9826-a53d0eb706a5 2022-11-24T15:37:20.391000Z",
    ],
    "pipedrive/v2_lead_create.json": [
        "lead.created pipedrive:b1810230-6c0d-11ed-9826-a53d0eb706a5 2022-11-24T15:35:58.675000Z",
        "lead.assigned pipedrive:b1810230-6c0d-11ed-9826-a53d0eb706a5 2022-11-24T15:35:58.772000Z pipedrive:12415231",
    ],
    "quickbooks/cloudevents_account_created.json": ["passed not_counted"],
    "quickbooks/legacy_eventNotifications_customer_create.json": ["passed not_counted"],
    "quickbooks/signature_vectors.json": ["refused wrong_type"],
    "salesforce/cdc_lead_conversion_3_opportunity_create.json": [
        "deal.created salesforce:0065f00000UloqVAAR 2024-04-26T17:49:39.000003Z",
        "deal.reopened salesforce:0065f00000UloqVAAR 2024-04-26T17:49:39.000003Z salesforce:0055f000005mc66AAA",
    ],
    "salesforce/cdc_lead_conversion_4_lead_update.json": [
        "lead.assigned salesforce:00Q5f000005bwLFEAY 2024-04-26T17:49:40.000004Z",
        "lead.accepted salesforce:00Q5f000005bwLFEAY 2024-04-26T17:49:40.000004Z",
        "deal.updated salesforce:0065f00000UloqVAAR 2024-04-26T17:49:40.000004Z",
    ],
    "salesforce/cdc_update_contact.json": ["passed not_counted"],
    "salesforce/cdc_update_lead_compound_address.json": ["passed no_change_for_us"],
    "suitecrm/v8_jsonapi_1.json": ["passed not_counted"],
    "suitecrm/v8_jsonapi_3.json": ["passed not_counted", "passed not_counted"],
    "twenty/webhook_opportunity_updated_test.json": ["deal.reopened twenty:opportunity-42 2026-07-14T10:00:00Z"],
    "twenty/webhook_person_created.json": ["lead.created twenty:abc12345 2025-02-10T15:30:45Z"],
    "vtiger/leads_rest_record.json": [
        "lead.created vtiger:2x16 2014-02-06T18:41:41Z",
        "lead.assigned vtiger:2x16 2014-02-06T18:43:34Z vtiger:19x1",
    ],
    "vtiger/pbxmanager_callback_Hangup.txt": ["refused unreadable_json"],  # the telephone system's: `pbxmanager`
    "vtiger/pbxmanager_callback_StartApp.txt": ["refused unreadable_json"],
    "vtiger/phonecalls_rest_query_record.json": ["call.completed vtiger:43x930719 2020-12-10T14:49:21Z vtiger:19x27"],
    "vtiger/picklists.json": ["passed not_counted"],
    "vtiger/potentials_rest_query_record.json": [
        "deal.created vtiger:5x929210 2020-12-08T21:27:04Z",
        "deal.reopened vtiger:5x929210 2020-12-10T16:36:34Z",
        "deal.updated vtiger:5x929210 2020-12-10T16:36:34Z vtiger:19x55",
    ],
    "vtiger/potentials_workflow_webhook.json": [
        "deal.created vtiger:5x2179843 2024-01-05T20:44:40Z",
        "deal.stage_changed vtiger:5x2179843 2024-01-05T20:45:00Z",
        "deal.stage_changed vtiger:5x2179843 2024-01-05T21:32:00Z",
        "deal.stage_changed vtiger:5x2179843 2024-01-05T21:35:00Z",
        "deal.reopened vtiger:5x2179843 2024-01-05T21:37:58Z",
        "deal.updated vtiger:5x2179843 2024-01-05T21:37:58Z vtiger:19x65 rshanks@testbiz.io",
    ],
    "vtiger/webservice_listTypes.json": ["passed not_counted"],
    "vtiger/webservice_sync.json": ["passed no_records"],
    "zoho/notification_leads_update.json": ["passed no_change_for_us"],
}


def files():
    return sorted(str(one.relative_to(PAYLOADS)) for crm in CRMS for one in (PAYLOADS / crm).iterdir())


def translated(name):
    """What a file becomes; every event is read as a worker would read it."""
    system = name.partition("/")[0]
    settings = {"currency": "EUR"} | SETTINGS.get(name, {})
    options = SourceOptions(name="crm", system=system, **settings)
    url = f"https://hooks.example/hooks/crm?event={QUERY[name]}" if name in QUERY else ""
    delivery = Delivery(url=url, body=(PAYLOADS / name).read_bytes().strip(), received_us=1)
    found = SYSTEMS[system].translate(delivery, options)
    for one in found:
        if isinstance(one, Outgoing):
            one.event("sara")
    return found


def said(name):
    try:
        return [_line(one) for one in translated(name)]
    except RefusedError as error:
        return [f"refused {error.reason}"]


def _line(one):
    if isinstance(one, Passed):
        return f"passed {one.reason}"
    if isinstance(one, Wanted):
        return f"wanted {one.entity} {one.id}"
    return " ".join((one.type, one.subject, time_text(one.at), *one.rep))


def test_the_table_has_every_real_payload():
    assert sorted(EXPECTED) == files()


@pytest.mark.parametrize("name", EXPECTED)
def test_a_real_payload_becomes_what_is_written_here(name):
    assert EXPECTED[name] == said(name)


def members(name):
    """All data a file's events set, the later over the earlier."""
    found: dict[str, Any] = {}
    for one in translated(name):
        found |= one.data if isinstance(one, Outgoing) else {}
    return found


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        (
            "close/opportunity_updated.json",
            {"amount": "1000", "currency": "USD", "stage": "Won", "lead_id": "close:lead_123"},
        ),
        ("pipedrive/v1_added_deal.json", {"amount": "3500", "currency": "CLF", "expected_close": "2017-04-29"}),
        ("pipedrive/v2_deal_change.json", {"amount": "100", "currency": "EUR", "stage": "2", "pipeline": "1"}),
        (
            "salesforce/cdc_lead_conversion_3_opportunity_create.json",
            {"stage": "Prospecting", "expected_close": "2024-06-30"},
        ),
        ("vtiger/potentials_rest_query_record.json", {"amount": "999", "stage": "Needs Analysis"}),
        (
            "vtiger/potentials_workflow_webhook.json",
            {"amount": "150", "stage": "Needs Analysis", "customer": "BIZ - HQ"},
        ),
        (
            "vtiger/phonecalls_rest_query_record.json",
            {
                "talk_seconds": 56.0,
                "outcome": "connected",
                "started_at": "2020-12-10T14:48:02Z",
                "lead_id": "vtiger:2x930718",
                "recording_url": "http://voipserver.com:4001/recordings/90a897aeb4e34d129749ca436728ace7",
            },
        ),
    ],
)
def test_a_real_payload_sets_these_members(name, wanted):
    found = members(name)

    assert wanted == {member: found.get(member) for member in wanted}
