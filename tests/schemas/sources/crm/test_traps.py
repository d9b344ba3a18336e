"""The traps that real payloads hold, one test each and more: numbered as the collection of payloads numbers them."""

from __future__ import annotations

import pytest
from support.sources import lines, only, outgoing, passed, translate, wanted

from funnelwatch.schemas.encode import time_text
from funnelwatch.schemas.reasons import RefusedError
from funnelwatch.schemas.sources.contract import Outgoing


def hubspot(kind, at=1_705_422_467_780, **members):
    return {"portalId": 1, "occurredAt": at, "objectId": 1801, "subscriptionType": kind, "attemptNumber": 0} | members


def stage(value, **members):
    return hubspot("deal.propertyChange", propertyName="dealstage", propertyValue=value, **members)


class TestHubSpot:
    def test_1_a_creation_after_the_changes_of_its_millisecond_is_the_same_lead(self):
        batch = [
            hubspot("contact.propertyChange", propertyName="hubspot_owner_id", propertyValue="42"),
            hubspot("contact.creation", changeFlag="CREATED"),
        ]

        events = sorted(outgoing(translate("hubspot", batch)), key=lambda one: (one.at, one.id))

        assert [one.type for one in events] == ["lead.created", "lead.assigned"]
        assert events[1].rep == ("hubspot:42",)

    @pytest.mark.parametrize("flag", ["NEW", "CREATED"])
    def test_1_both_flags_of_a_creation_say_the_same(self, flag):
        assert translate("hubspot", [hubspot("contact.creation")]) == translate(
            "hubspot", [hubspot("contact.creation", changeFlag=flag)]
        )

    def test_1_a_stage_may_be_a_name_or_an_identifier_that_the_source_names(self):
        uuid = "1f4f1ec1-8174-49f3-a112-4eaa4748e38e"

        named = only(translate("hubspot", stage("qualifiedtobuy")), "deal.reopened")
        custom = only(translate("hubspot", stage(uuid), stages={uuid: "Offer"}), "deal.reopened")
        closed = only(translate("hubspot", stage(uuid), won=(uuid,)), "deal.won")

        assert ("qualifiedtobuy", "Offer", uuid) == (named.data["stage"], custom.data["stage"], closed.data["stage"])

    def test_1_a_redelivery_and_another_event_id_give_the_same_events(self):
        first = translate("hubspot", [stage("closedwon", eventId=1)])

        assert first == translate("hubspot", [stage("closedwon", eventId=2, attemptNumber=3)])

    def test_1_what_an_event_lacks_is_fetched_and_its_history_tells_when(self):
        assert wanted(translate("hubspot", [hubspot("deal.creation")])) == [("deals", "1801")]

        answer = {
            "objectType": "deals",
            "id": "1801",
            "createdAt": "2026-01-05T09:00:00Z",
            "updatedAt": "2026-02-01T09:00:00Z",
            "properties": {"dealstage": "closedwon", "amount": "1200.50"},
            "propertiesWithHistory": {
                "dealstage": [
                    {"value": "closedwon", "timestamp": "2026-01-20T10:00:00.120Z"},
                    {"value": "appointmentscheduled", "timestamp": "2026-01-05T09:00:00Z"},
                ],
                "hubspot_owner_id": [{"value": "42", "timestamp": "2026-01-06T09:00:00Z"}],
            },
            "associations": {"contacts": {"results": [{"id": "7", "type": "deal_to_contact"}]}},
        }
        found = translate("hubspot", answer)

        assert time_text(only(found, "deal.won").at) == "2026-01-20T10:00:00.120000Z"
        assert {"hubspot:42"} == {rep for one in outgoing(found) for rep in one.rep}
        assert {"hubspot:7"} == {one.data["lead_id"] for one in outgoing(found) if "lead_id" in one.data}

    def test_1_a_fetch_without_history_does_not_win_a_deal_anew(self):
        answer = {
            "objectType": "deals",
            "id": "1",
            "updatedAt": "2026-02-01T09:00:00Z",
            "properties": {"dealstage": "closedwon"},
        }

        assert outgoing(translate("hubspot", answer)) == []


def pipedrive_v2(action, data, previous=None, entity="deal", at="2026-03-04T10:00:00.500Z"):
    meta = {"action": action, "entity": entity, "entity_id": "8", "timestamp": at, "attempt": 1, "version": "2.0"}
    return {"data": data, "previous": previous, "meta": meta}


class TestPipedrive:
    def test_2_both_versions_tell_one_deal_alike(self):
        new = pipedrive_v2(
            "create",
            {
                "id": 8,
                "owner_id": 12,
                "stage_id": 2,
                "pipeline_id": 1,
                "status": "open",
                "value": 100,
                "currency": "EUR",
                "add_time": "2026-03-04T10:00:00Z",
            },
        )
        old = {
            "v": 1,
            "current": {
                "id": 8,
                "user_id": 12,
                "stage_id": 2,
                "pipeline_id": 1,
                "status": "open",
                "value": 100,
                "currency": "EUR",
                "add_time": "2026-03-04 10:00:00",
            },
            "previous": None,
            "meta": {
                "action": "added",
                "object": "deal",
                "id": 8,
                "timestamp": 1772618400,
                "timestamp_milli": 1772618400500,
            },
            "retry": 2,
        }

        assert translate("pipedrive", new) == translate("pipedrive", old)

    def test_2_an_attempt_is_no_event(self):
        first, again = (pipedrive_v2("create", {"id": 8, "status": "open"}) for _ in range(2))
        again["meta"]["attempt"] = 4

        assert translate("pipedrive", first) == translate("pipedrive", again)

    def test_2_numbers_and_texts_are_the_same_id(self):
        as_text = translate("pipedrive", pipedrive_v2("create", {"id": "8", "status": "open"}))

        assert translate("pipedrive", pipedrive_v2("create", {"id": 8, "status": "open"})) == as_text

    def test_2_a_deletion_has_no_record(self):
        deletion = pipedrive_v2("delete", None, {"id": 8, "status": "open"})

        assert only(translate("pipedrive", deletion), "deal.deleted").subject == "pipedrive:8"

    def test_2_a_merge_is_a_change_and_a_deletion(self):
        kept = pipedrive_v2("change", {"id": 9, "status": "open", "merged_from_id": 8}, {"value": 1})
        gone = pipedrive_v2("delete", None, {"id": 8, "merged_to_id": 9})

        assert {"pipedrive:9"} == {one.subject for one in outgoing(translate("pipedrive", kept))}
        assert lines(translate("pipedrive", gone)) == ["deal.deleted 2026-03-04T10:00:00.500000Z"]

    def test_2_a_seconds_timestamp_is_understood(self):
        body = {
            "current": {"id": 8, "status": "open"},
            "previous": None,
            "meta": {"action": "added", "object": "deal", "id": 8, "timestamp": 1772618400},
        }

        assert lines(translate("pipedrive", body)) == ["deal.reopened 2026-03-04T10:00:00Z"]


def change_event(entity, at=1_714_153_779_000, sequence=1, **members):
    header = {
        "entityName": entity,
        "recordIds": ["0065f1"],
        "changeType": "UPDATE",
        "commitTimestamp": at,
        "sequenceNumber": sequence,
        "transactionKey": "t",
        "commitNumber": 1652977933433528300,
    }
    header |= members.pop("header", {})
    return {"ChangeEventHeader": header, **members}


class TestSalesforce:
    def test_3_the_lead_of_a_conversion_comes_last_and_tells_the_deal_where_it_came_from(self):
        lead = change_event(
            "Lead",
            sequence=4,
            header={"recordIds": ["00Q1"]},
            IsConverted=True,
            ConvertedDate=1714089600000,
            ConvertedOpportunityId="0065f1",
            Status="Closed - Converted",
        )

        found = translate("salesforce", lead)

        assert only(found, "lead.assigned").data["deal_id"] == "salesforce:0065f1"
        assert only(found, "deal.updated").data["lead_id"] == "salesforce:00Q1"

    def test_3_the_moment_of_a_conversion_is_the_commit_and_not_its_midnight(self):
        lead = change_event("Lead", sequence=4, IsConverted=True, ConvertedDate=1714089600000)

        assert time_text(only(translate("salesforce", lead), "lead.accepted").at) == "2024-04-26T17:49:39.000004Z"

    def test_3_events_of_one_commit_are_ordered_by_their_sequence(self):
        first = change_event("Opportunity", sequence=1, StageName="Offer")
        second = change_event("Opportunity", sequence=2, StageName="Demo")

        events = sorted(outgoing(translate("salesforce", [second, first])), key=lambda one: (one.at, one.id))

        assert [one.data["stage"] for one in events] == ["Offer", "Demo"]

    def test_3_nulls_of_one_form_are_the_absence_of_the_other(self):
        decoded = change_event("Opportunity", StageName="Offer", Amount=None, OwnerId=None, CloseDate=None)
        cometd = {"schema": "s", "payload": change_event("Opportunity", StageName="Offer"), "event": {"replayId": 1}}

        assert translate("salesforce", decoded) == translate("salesforce", {"channel": "/data/x", "data": cometd})

    def test_3_one_event_speaks_of_many_records(self):
        body = change_event("Opportunity", header={"recordIds": ["0061", "0062"]}, OwnerId="0057")

        assert [one.subject for one in outgoing(translate("salesforce", body))] == [
            "salesforce:0061",
            "salesforce:0062",
        ]

    def test_3_a_wildcard_is_counted_and_names_no_record(self):
        body = change_event("Opportunity", header={"recordIds": ["006*"]}, OwnerId="0057")

        assert passed(translate("salesforce", body)) == ["wildcard_records"]

    def test_3_a_gap_is_fetched_and_an_overflow_is_counted(self):
        gap = change_event("Opportunity", header={"changeType": "GAP_UPDATE"})
        gone = change_event("Opportunity", header={"changeType": "GAP_DELETE"})
        overflow = change_event(
            "Opportunity", header={"changeType": "GAP_OVERFLOW", "recordIds": ["000000000000000AAA"]}
        )

        assert wanted(translate("salesforce", gap)) == [("Opportunity", "0065f1")]
        assert only(translate("salesforce", gone), "deal.deleted").subject == "salesforce:0065f1"
        assert passed(translate("salesforce", overflow)) == ["gap_overflow"]

    def test_3_a_task_that_is_deleted_does_not_say_what_it_was(self):
        gone = change_event("Task", header={"changeType": "DELETE", "recordIds": ["00T1"]})

        assert [(one.type, one.subject) for one in outgoing(translate("salesforce", gone))] == [
            ("call.deleted", "salesforce:00T1"),
            ("email.deleted", "salesforce:00T1"),
        ]

    def test_3_a_commit_number_beyond_doubles_is_no_trouble(self):
        assert outgoing(translate("salesforce", change_event("Opportunity", StageName="Offer")))

    def test_3_a_record_of_a_queue_changes_no_owner(self):
        assert passed(translate("salesforce", change_event("Lead", OwnerId="00G1"))) == ["no_change_for_us"]


def quickbooks(stamp):
    entity = {"name": "Invoice", "id": "145", "operation": "Create", "lastUpdated": stamp}
    return {"realmId": "1185883450", "dataChangeEvent": {"entities": [entity]}}


def quickbooks_cloudevent(stamp="2025-09-10T21:31:25.179851517Z"):
    return {
        "specversion": "1.0",
        "id": "88cd52aa",
        "source": "intuit.x",
        "type": "qbo.invoice.created.v1",
        "time": stamp,
        "intuitentityid": "145",
        "intuitaccountid": "1185883450",
        "data": {},
    }


class TestQuickBooks:
    @pytest.mark.parametrize(
        ("stamp", "instant"),
        [
            ("2015-10-05T14:42:19-0700", "2015-10-05T21:42:19Z"),
            ("2015-10-05T21:42:19.657Z", "2015-10-05T21:42:19.657000Z"),
            ("2025-09-10T21:31:25.179851517Z", "2025-09-10T21:31:25.179851Z"),
        ],
    )
    def test_4_all_its_times_are_understood(self, stamp, instant):
        (found,) = translate("quickbooks", {"eventNotifications": [quickbooks(stamp)]})

        assert instant == time_text(found.at)

    def test_4_a_bare_array_is_the_same(self):
        stamp = "2015-10-05T14:42:19-0700"

        assert translate("quickbooks", {"eventNotifications": [quickbooks(stamp)]}) == translate(
            "quickbooks", [quickbooks(stamp)]
        )

    def test_4_both_formats_want_the_same_invoice(self):
        (old,) = translate("quickbooks", {"eventNotifications": [quickbooks("2025-09-10T21:31:25.179851Z")]})
        (new,) = translate("quickbooks", [quickbooks_cloudevent()])

        assert old == new


VTIGER = {
    "id": "5x65",
    "sales_stage": "Demo",
    "amount": "999.00000000",
    "assigned_user_id": "19x65",
    "createdtime": "2024-01-05 20:44:40",
    "modifiedtime": "2024-01-05 21:37:59",
    "potentialname": "x",
}
WORKFLOW = {
    "id": "5x65",
    "opp_stage": "Demo",
    "opp_amount": "999.00000000",
    "assigned_to": "65",
    "createdtime": "2024-01-05 20:44:40",
    "modifiedtime": "2024-01-05 21:37:59",
}
CHOSEN = {"stage": "opp_stage", "amount": "opp_amount", "rep_id": "assigned_to"}


class TestVtiger:
    def test_5_a_webhook_and_rest_give_one_deal_alike(self):
        rest = translate("vtiger", VTIGER, fields=CHOSEN)

        assert rest == translate("vtiger", WORKFLOW, "https://x/hooks/crm?key=1", fields=CHOSEN)
        assert outgoing(rest)[-1].rep == ("vtiger:19x65",)

    def test_5_an_address_names_the_person_too(self):
        found = translate("vtiger", WORKFLOW | {"assigned_to_username": "rshanks@testbiz.io"}, fields=CHOSEN)

        assert outgoing(found)[-1].rep == ("vtiger:19x65", "rshanks@testbiz.io")

    def test_5_two_formats_of_dates_and_two_zones_in_one_body(self):
        body = WORKFLOW | {
            "demo_at": "01-05-2024 03:45 PM",
            "current_stage_entry_time": "2024-01-05 21:37:58",
            "opp_stage": "Offer",
        }
        settings = {"fields": CHOSEN | {"stage:Demo": "demo_at"}, "zone": "America/New_York"}

        found = translate("vtiger", body, **settings)

        assert time_text(only(found, "deal.stage_changed").at) == "2024-01-05T20:45:00Z"
        assert time_text(only(found, "deal.reopened").at) == "2024-01-05T21:37:58Z"

    def test_5_a_day_comes_first_where_people_write_it_first(self):
        body = WORKFLOW | {"demo_at": "05-01-2024 15:45", "opp_stage": "Offer"}
        settings = {"fields": CHOSEN | {"stage:Demo": "demo_at"}, "zone": "America/New_York"}

        found = translate("vtiger", body, options={"dates": "dd-mm-yyyy"}, **settings)

        assert time_text(only(found, "deal.stage_changed").at) == "2024-01-05T20:45:00Z"

    @pytest.mark.parametrize(
        "written", ["1402-10-15 19:15", "1402/10/15 07:15 PM", "۱۴۰۲-۱۰-۱۵ ۱۹:۱۵", "15-10-1402 19:15"]
    )
    def test_5_jalali_dates_are_understood(self, written):
        body = WORKFLOW | {"demo_at": written, "opp_stage": "Offer"}
        settings = {"fields": CHOSEN | {"stage:Demo": "demo_at"}, "zone": "Asia/Tehran"}

        found = translate("vtiger", body, options={"dates": "dd-mm-yyyy"}, **settings)

        assert time_text(only(found, "deal.stage_changed").at) == "2024-01-05T15:45:00Z"

    def test_5_localised_labels_close_deals_if_the_source_names_them(self):
        body = WORKFLOW | {"opp_stage": "خاتمه با موفقیت"}

        assert (
            only(translate("vtiger", body, fields=CHOSEN, won=("خاتمه با موفقیت",)), "deal.won").subject
            == "vtiger:5x65"
        )

    def test_5_a_calls_start_is_local_and_its_creation_is_not(self):
        call = {
            "id": "43x1",
            "callstatus": "completed",
            "CreatedTime": "2020-12-10 14:48:02",
            "modifiedtime": "2020-12-10 14:48:02",
            "starttime": "2020-12-10 09:48:02",
            "endtime": "2020-12-10 09:49:21",
            "billduration": "",
            "user": "19x27",
        }

        found = only(translate("vtiger", call, zone="America/New_York"), "call.completed")

        assert found.data["started_at"] == "2020-12-10T14:48:02Z"
        assert time_text(found.at) == "2020-12-10T14:49:21Z"

    def test_5_an_empty_text_is_no_duration(self):
        call = {"id": "43x1", "callstatus": "no-answer", "modifiedtime": "2020-12-10 14:48:02", "billduration": ""}

        assert "talk_seconds" not in only(translate("vtiger", call), "call.completed").data

    def test_5_a_zero_is_a_duration(self):
        call = {"id": "43x1", "callstatus": "busy", "modifiedtime": "2020-12-10 14:48:02", "billduration": "0"}

        assert only(translate("vtiger", call), "call.completed").data["talk_seconds"] == 0

    def test_5_a_deal_won_long_ago_is_not_won_again_at_each_save(self):
        first = only(translate("vtiger", VTIGER | {"sales_stage": "Closed Won"}), "deal.won")
        later = VTIGER | {"sales_stage": "Closed Won", "modifiedtime": "2024-03-01 00:00:00", "amount": "1000"}

        again = only(translate("vtiger", later), "deal.won")

        assert first.id == again.id
        assert first.at < again.at  # of two with one id the earlier stands


class TestEspoCRM:
    def test_9_an_update_has_no_time_and_is_told_when_it_was_received(self):
        found = translate(
            "espocrm",
            [{"id": "a", "stage": "Closed Won"}],
            "https://x/?event=Opportunity.update",
            received_us=9_000_000,
        )

        assert lines(found) == ["deal.won 1970-01-01T00:00:09Z"]

    def test_9_what_is_not_there_did_not_change(self):
        (found,) = translate(
            "espocrm", [{"id": "a", "amount": 5}], "https://x/?event=Opportunity.update", received_us=9
        )

        assert isinstance(found, Outgoing)
        assert found.data == {"amount": "5"}

    def test_9_many_records_come_in_one_array(self):
        rows = [{"id": "a", "stage": "Demo"}, {"id": "b", "stage": "Demo"}]

        assert len(outgoing(translate("espocrm", rows, "https://x/?event=Opportunity.update", received_us=9))) == 2

    def test_9_an_address_that_does_not_say_the_event_is_refused(self):
        with pytest.raises(RefusedError, match="event=Lead"):
            translate("espocrm", [{"id": "a"}], "https://x/")


class TestTwenty:
    def test_10_both_shapes_are_read(self):
        record = {"id": "a", "stage": "NEW", "createdAt": "2026-01-01T00:00:00Z"}
        documented = {"event": "opportunity.created", "data": record, "timestamp": "2026-01-01T00:00:01Z"}
        sent = {
            "eventName": "opportunity.created",
            "record": record,
            "eventDate": "2026-01-01T00:00:01Z",
            "objectMetadata": {"nameSingular": "opportunity"},
        }

        assert outgoing(translate("twenty", sent))
        assert translate("twenty", documented) == translate("twenty", sent)
