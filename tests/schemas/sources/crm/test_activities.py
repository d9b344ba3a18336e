"""Calls, emails and users of every CRM: outreach of their owners, with outcome, talk time, number and links."""

from __future__ import annotations

import pytest
from support.sources import only, outgoing, passed, translate, wanted

from funnelwatch.schemas.encode import time_text


def pipedrive(**record):
    meta = {"action": "change", "entity": "activity", "entity_id": "5", "timestamp": "2026-03-04T10:00:00.1Z"}
    previous = record.pop("previous", {"done": False})
    return {"data": {"id": 5, "type": "call", "done": True, "owner_id": 7} | record, "previous": previous, "meta": meta}


def close(**data):
    base = {
        "direction": "outbound",
        "duration": 61,
        "status": "completed",
        "disposition": "answered",
        "user_id": "u",
        "lead_id": "l",
        "remote_phone": "+982191305588",
        "date_created": "2026-03-04T10:00:00+00:00",
    }
    event = {
        "object_type": "activity.call",
        "object_id": "a",
        "action": "created",
        "date_created": "2026-03-04T10:01:00",
        "data": base | data,
    }
    return {"event": event}


def task(**fields):
    header = {
        "entityName": "Task",
        "recordIds": ["00T1"],
        "changeType": "CREATE",
        "sequenceNumber": 1,
        "commitTimestamp": 1_772_611_200_000,
    }
    base = {
        "TaskSubtype": "Call",
        "Status": "Completed",
        "CallType": "Outbound",
        "CallDurationInSeconds": 61,
        "WhoId": "00Q1",
        "WhatId": "0061",
        "OwnerId": "0051",
        "CallDisposition": "Left Voicemail",
    }
    return {"ChangeEventHeader": header | fields.pop("header", {})} | base | fields


def hubspot(**properties):
    base = {
        "hs_timestamp": "2026-03-04T10:00:00Z",
        "hs_call_duration": "61000",
        "hubspot_owner_id": "7",
        "hs_call_direction": "OUTBOUND",
        "hs_call_to_number": "+982191305588",
        "hs_call_disposition": "f240bbac-87c9-4f6e-bf70-924b57d47db7",
    }
    return {"objectType": "calls", "id": "5", "updatedAt": "2026-03-04T11:00:00Z", "properties": base | properties}


class TestPipedrive:
    def test_a_call_that_is_done_is_outreach_of_its_owner(self):
        found = only(translate("pipedrive", pipedrive(deal_id=8, lead_id="x")), "call.completed")

        assert found.rep == ("pipedrive:7",)
        assert found.data == {"direction": "outbound", "deal_id": "pipedrive:8", "lead_id": "pipedrive:x"}

    def test_a_later_change_of_it_does_not_move_it(self):
        done = {"marked_as_done_time": "2026-03-03 09:00:00"}
        later = only(translate("pipedrive", pipedrive(previous={"subject": "x"}, **done)), "call.completed")

        assert time_text(later.at) == "2026-03-03T09:00:00Z"
        assert passed(translate("pipedrive", pipedrive(previous={"subject": "x"}))) == ["no_change_for_us"]

    def test_a_call_that_is_not_done_any_more_does_not_count(self):
        assert only(translate("pipedrive", pipedrive(done=False, previous={"done": True})), "call.deleted")
        assert passed(translate("pipedrive", pipedrive(done=False))) == ["planned"]

    def test_types_of_activities_are_the_sources_own(self):
        options = {"calls": "ring", "cold": "ring", "emails": "mail"}

        assert (
            only(translate("pipedrive", pipedrive(type="ring"), options=options), "call.completed").data["cold"] is True
        )
        assert only(translate("pipedrive", pipedrive(type="mail"), options=options), "email.sent")
        assert passed(translate("pipedrive", pipedrive(type="call"), options=options)) == ["other_activity"]

    def test_a_user_is_a_rep_with_an_address(self):
        meta = {"action": "change", "entity": "user", "entity_id": "7", "timestamp": "2026-03-04T10:00:00.1Z"}
        body = {"data": {"id": 7, "name": "Sara", "email": "sara@firm.example", "active_flag": False}, "meta": meta}

        found = only(translate("pipedrive", body), "rep.upserted")

        assert found.references == ("pipedrive:7", "sara@firm.example")
        assert found.data == {"name": "Sara", "active": False}


class TestClose:
    def test_a_call_has_outcome_talk_time_number_and_lead(self):
        found = only(translate("close", close()), "call.completed")

        assert (
            found.data["outcome"],
            found.data["talk_seconds"],
            found.data["lead_id"],
            found.number,
        ) == ("connected", 61.0, "close:l", "+982191305588")
        assert time_text(found.at) == "2026-03-04T10:00:00Z"

    @pytest.mark.parametrize(
        ("disposition", "outcome"), [("no-answer", "no_answer"), ("vm-left", "voicemail_drop"), ("busy", "busy")]
    )
    def test_dispositions_are_outcomes(self, disposition, outcome):
        assert outcome == only(translate("close", close(disposition=disposition)), "call.completed").data["outcome"]

    def test_a_call_that_rings_is_none_yet(self):
        assert passed(translate("close", close(status="in-progress"))) == ["planned"]

    @pytest.mark.parametrize(
        ("fields", "type_"),
        [
            ({"status": "sent", "direction": "outgoing"}, "email.sent"),
            ({"status": "inbox", "direction": "incoming"}, "email.replied"),
        ],
    )
    def test_emails_are_sent_or_answered(self, fields, type_):
        body = close(**fields)
        body["event"]["object_type"] = "activity.email"

        assert only(translate("close", body), type_)


class TestSalesforce:
    def test_a_logged_call_is_outreach(self):
        found = only(translate("salesforce", task()), "call.completed")

        assert found.data == {
            "lead_id": "salesforce:00Q1",
            "deal_id": "salesforce:0061",
            "direction": "outbound",
            "outcome": "voicemail_drop",
            "talk_seconds": 61.0,
        }

    def test_an_email_is_one_and_a_contact_is_no_lead(self):
        found = only(translate("salesforce", task(TaskSubtype="Email", WhoId="0031")), "email.sent")

        assert found.data == {"deal_id": "salesforce:0061"}

    def test_a_task_that_is_open_counts_nothing_and_one_of_unknown_kind_is_fetched(self):
        update = task(header={"changeType": "UPDATE"}, TaskSubtype=None, CallType=None)

        assert passed(translate("salesforce", task(Status="Not Started"))) == ["planned"]
        assert wanted(translate("salesforce", update)) == [("Task", "00T1")]


class TestHubSpot:
    def test_a_fetched_call_is_outreach(self):
        found = only(translate("hubspot", hubspot()), "call.completed")

        assert (
            found.data["direction"],
            found.data["outcome"],
            found.data["talk_seconds"],
            found.number,
        ) == ("outbound", "connected", 61.0, "+982191305588")

    def test_own_dispositions_are_the_sources(self):
        found = translate("hubspot", hubspot(hs_call_disposition="x-1"), outcomes={"x-1": "busy"})

        assert only(found, "call.completed").data["outcome"] == "busy"

    def test_a_recording_may_come_later(self):
        change = {
            "subscriptionType": "object.propertyChange",
            "objectTypeId": "0-48",
            "objectId": 5,
            "occurredAt": 1_772_611_200_000,
            "propertyName": "hs_call_recording_url",
            "propertyValue": "https://r.example/5",
        }

        assert only(translate("hubspot", change), "call.recorded").data == {"recording_url": "https://r.example/5"}

    @pytest.mark.parametrize(("direction", "type_"), [("EMAIL", "email.sent"), ("INCOMING_EMAIL", "email.replied")])
    def test_emails_are_sent_or_answered(self, direction, type_):
        body = hubspot(hs_email_direction=direction) | {"objectType": "emails"}

        assert only(translate("hubspot", body), type_)


class TestVtiger:
    @pytest.mark.parametrize(
        ("status", "outcome"),
        [("completed", "connected"), ("no-answer", "no_answer"), ("busy", "busy"), ("Circuit congestion", "failed")],
    )
    def test_call_states_are_outcomes(self, status, outcome):
        call = {"id": "43x1", "callstatus": status, "modifiedtime": "2026-03-04 10:00:00", "user": "19x1"}

        assert outcome == only(translate("vtiger", call), "call.completed").data["outcome"]

    @pytest.mark.parametrize("status", ["ringing", "in-progress"])
    def test_a_call_that_is_not_over_is_none_yet(self, status):
        call = {"id": "43x1", "callstatus": status, "modifiedtime": "2026-03-04 10:00:00"}

        assert passed(translate("vtiger", call)) == ["planned"]

    def test_a_call_in_the_calendar_counts_when_it_was_held(self):
        event = {"id": "18x1", "activitytype": "Call", "eventstatus": "Held", "modifiedtime": "2026-03-04 10:00:00"}

        assert only(translate("vtiger", event), "call.completed").data["outcome"] == "connected"
        assert passed(translate("vtiger", event | {"eventstatus": "Planned"})) == ["planned"]
        assert passed(translate("vtiger", event | {"activitytype": "Meeting"})) == ["other_activity"]


@pytest.mark.parametrize(
    ("system", "body", "query"),
    [
        (
            "espocrm",
            [
                {
                    "id": "a",
                    "status": "Held",
                    "direction": "Outbound",
                    "dateStart": "2026-03-04 10:00:00",
                    "createdAt": "2026-03-04 11:00:00",
                    "parentType": "Lead",
                    "parentId": "l",
                    "assignedUserId": "7",
                }
            ],
            "https://x/?event=Call.create",
        ),
        (
            "suitecrm",
            {
                "data": {
                    "type": "Call",
                    "id": "a",
                    "attributes": {
                        "status": "Held",
                        "direction": "Outbound",
                        "date_start": "2026-03-04T10:00:00Z",
                        "date_modified": "2026-03-04T11:00:00Z",
                        "parent_type": "Leads",
                        "parent_id": "l",
                        "assigned_user_id": "7",
                    },
                }
            },
            "",
        ),
    ],
)
def test_a_call_that_was_held_is_told_when_it_began(system, body, query):
    found = only(translate(system, body, query), "call.completed")

    assert ("2026-03-04T10:00:00Z", f"{system}:l", "connected") == (
        time_text(found.at),
        found.data["lead_id"],
        found.data["outcome"],
    )


@pytest.mark.parametrize(
    ("system", "body", "query"),
    [
        (
            "vtiger",
            {
                "id": "19x7",
                "user_name": "sara",
                "first_name": "Sara",
                "last_name": "A",
                "status": "Active",
                "email1": "sara@firm.example",
            },
            "",
        ),
        (
            "suitecrm",
            {
                "data": {
                    "type": "User",
                    "id": "19x7",
                    "attributes": {
                        "full_name": "Sara A",
                        "status": "Active",
                        "email1": "sara@firm.example",
                        "date_modified": "2026-03-04T10:00:00Z",
                    },
                }
            },
            "",
        ),
        (
            "espocrm",
            [{"id": "19x7", "name": "Sara A", "isActive": True, "emailAddress": "sara@firm.example"}],
            "https://x/?event=User.update",
        ),
        (
            "salesforce",
            {
                "ChangeEventHeader": {
                    "entityName": "User",
                    "recordIds": ["19x7"],
                    "changeType": "UPDATE",
                    "commitTimestamp": 1_772_611_200_000,
                    "sequenceNumber": 1,
                },
                "IsActive": True,
                "Name": {"FirstName": "Sara", "LastName": "A"},
                "Email": "sara@firm.example",
            },
            "",
        ),
        (
            "odoo",
            {
                "_id": "19x7",
                "_model": "res.users",
                "name": "Sara A",
                "active": True,
                "login": "sara@firm.example",
                "write_date": "2026-03-04 10:00:00",
            },
            "",
        ),
    ],
)
def test_a_user_is_a_rep_who_may_be_known_by_an_address(system, body, query):
    found = only(translate(system, body, query, received_us=1), "rep.upserted")

    assert (f"{system}:19x7", "sara@firm.example") == found.references
    assert found.data == {"name": "Sara A", "active": True}


def test_nothing_here_makes_a_call_of_what_is_none():
    assert outgoing(translate("salesforce", task(TaskSubtype="Task", CallType=None, Type=None))) == []
