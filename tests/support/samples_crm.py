"""Small deliveries of CRMs, of our own: what `crm_life` tells in each dialect, and what dialects do not tell."""

from __future__ import annotations

import json

from funnelwatch.schemas.sources.contract import Delivery, SourceOptions
from support import crm_life

NOW_US = 1_764_237_600_000_000
HOOK = "https://hooks.firm.example/hooks/crm"


def _delivery(body: object, query: str = "") -> Delivery:
    return Delivery(
        url=HOOK + query,
        headers={"content-type": "application/json"},
        body=json.dumps(body).encode(),
        received_us=NOW_US,
    )


OTHERS: dict[str, list[tuple[object, str]]] = {
    "hubspot": [
        (
            [
                {
                    "subscriptionType": "contact.propertyChange",
                    "objectId": 7,
                    "occurredAt": 1_764_237_600_123,
                    "propertyName": "lifecyclestage",
                    "propertyValue": "marketingqualifiedlead",
                },
                {
                    "subscriptionType": "deal.associationChange",
                    "associationType": "DEAL_TO_CONTACT",
                    "fromObjectId": 1,
                    "toObjectId": 7,
                    "occurredAt": 1_764_237_600_123,
                },
                {
                    "subscriptionType": "contact.merge",
                    "objectId": 7,
                    "primaryObjectId": 7,
                    "mergedObjectIds": [8, 9],
                    "occurredAt": 1_764_237_600_123,
                },
            ],
            "",
        ),
        (
            {
                "objectType": "calls",
                "id": "5",
                "createdAt": "2025-11-27T09:00:00Z",
                "updatedAt": "2025-11-27T09:10:00Z",
                "properties": {
                    "hs_timestamp": "2025-11-27T09:00:00Z",
                    "hs_call_duration": "61000",
                    "hubspot_owner_id": "4",
                    "hs_call_direction": "OUTBOUND",
                    "hs_call_to_number": "+982191305588",
                    "hs_call_disposition": "f240bbac-87c9-4f6e-bf70-924b57d47db7",
                },
            },
            "",
        ),
        (
            {
                "objectType": "deals",
                "id": "1",
                "createdAt": "2025-11-27T09:00:00Z",
                "updatedAt": "2025-11-27T09:10:00Z",
                "properties": {"amount": "5"},
                "associations": {"contacts": {"results": [{"id": "7"}]}},
                "propertiesWithHistory": {"dealstage": [{"value": "closedwon", "timestamp": "2025-11-27T09:10:00Z"}]},
            },
            "",
        ),
    ],
    "salesforce": [
        (
            {
                "ChangeEventHeader": {
                    "entityName": "Task",
                    "recordIds": ["00T1"],
                    "changeType": "CREATE",
                    "sequenceNumber": 1,
                    "commitTimestamp": 1_764_237_600_000,
                },
                "TaskSubtype": "Call",
                "Status": "Completed",
                "CallType": "Outbound",
                "CallDurationInSeconds": 61,
                "WhoId": "00Q1",
                "WhatId": "0061",
                "OwnerId": "0051",
            },
            "",
        ),
    ],
    "espocrm": [
        (
            [{"id": "a", "status": "Converted", "createdOpportunityId": "b", "assignedUserId": "u"}],
            "?event=Lead.update",
        ),
        (
            [
                {
                    "id": "a",
                    "status": "Held",
                    "direction": "Outbound",
                    "dateStart": "2025-11-27 09:00:00",
                    "parentType": "Lead",
                    "parentId": "b",
                    "createdAt": "2025-11-27 09:10:00",
                }
            ],
            "?event=Call.create",
        ),
    ],
    "vtiger": [
        (
            {
                "success": True,
                "result": {"updated": [], "deleted": ["5x1"], "more": False, "lastModifiedTime": 1764237600},
            },
            "?module=Potentials",
        ),
        (
            {
                "id": "2x1",
                "leadstatus": "Qualified",
                "createdtime": "1404-09-06 10:00:00",
                "modifiedtime": "۱۴۰۴-۰۹-۰۶ ۱۰:۳۰:۰۰",
            },
            "",
        ),
        (
            [
                {
                    "id": "19x1",
                    "user_name": "sara",
                    "first_name": "Sara",
                    "status": "Active",
                    "email1": "sara@firm.example",
                }
            ],
            "",
        ),
        (
            {
                "id": "43x1",
                "callstatus": "completed",
                "starttime": "2025-11-27 09:48:02",
                "endtime": "2025-11-27 09:49:21",
                "modifiedtime": "2025-11-27 09:49:21",
                "direction": "outbound",
                "customer": "2x1",
                "customertype": "Leads",
                "billduration": "61",
                "customernumber": "09121234567",
                "user": "19x1",
            },
            "",
        ),
    ],
    "pipedrive": [
        (
            {
                "data": {"id": 5, "type": "call", "done": True, "deal_id": 8, "owner_id": 12},
                "previous": {"done": False},
                "meta": {
                    "action": "change",
                    "entity": "activity",
                    "entity_id": "5",
                    "timestamp": "2025-11-27T10:00:00.1Z",
                },
            },
            "",
        ),
    ],
    "quickbooks": [
        (
            [
                {
                    "realmId": "1",
                    "dataChangeEvent": {
                        "entities": [
                            {
                                "name": "Invoice",
                                "id": "145",
                                "operation": "Update",
                                "lastUpdated": "2025-11-27T10:00:00-0700",
                            }
                        ]
                    },
                }
            ],
            "",
        ),
        (
            [
                {
                    "specversion": "1.0",
                    "id": "x",
                    "source": "intuit.y",
                    "type": "qbo.payment.created.v1",
                    "intuitentityid": "5",
                    "intuitaccountid": "1",
                    "time": "2025-11-27T10:00:00.179851517Z",
                    "data": {},
                }
            ],
            "",
        ),
        (
            {
                "Payment": {
                    "Id": "5",
                    "MetaData": {"LastUpdatedTime": "2025-11-27T10:00:00-08:00"},
                    "TotalAmt": 100,
                    "Line": [{"LinkedTxn": [{"TxnId": "145", "TxnType": "Invoice"}]}],
                }
            },
            "",
        ),
        (
            {
                "Estimate": {
                    "Id": "6",
                    "TxnStatus": "Accepted",
                    "AcceptedDate": "2025-11-26",
                    "TotalAmt": 12.5,
                    "MetaData": {"CreateTime": "2025-11-20T10:00:00Z", "LastUpdatedTime": "2025-11-27T10:00:00Z"},
                    "CurrencyRef": {"value": "USD"},
                    "CustomField": [{"Name": "Rep", "StringValue": "a@b.example"}],
                }
            },
            "",
        ),
    ],
    "close": [
        (
            {
                "event": {
                    "object_type": "activity.call",
                    "object_id": "acti_1",
                    "action": "created",
                    "date_created": "2025-11-27T10:00:00.1",
                    "data": {
                        "direction": "outbound",
                        "duration": 61,
                        "status": "completed",
                        "disposition": "answered",
                        "user_id": "u",
                        "lead_id": "l",
                        "remote_phone": "+982191305588",
                        "date_created": "2025-11-27T10:00:00+00:00",
                    },
                }
            },
            "",
        ),
    ],
    "twenty": [
        (
            {
                "eventName": "workspaceMember.created",
                "eventDate": "2025-11-27T10:00:00Z",
                "record": {"id": "m", "name": {"firstName": "Sara", "lastName": "A"}, "userEmail": "sara@firm.example"},
            },
            "",
        ),
    ],
    "odoo": [
        (
            {
                "_id": 42,
                "_model": "crm.lead",
                "type": "lead",
                "write_date": "2025-11-27 10:00:00",
                "active": False,
                "date_closed": "2025-11-27 10:00:00",
                "user_id": 3,
                "source_id": [4, "Web"],
            },
            "",
        ),
    ],
    "suitecrm": [
        (
            {
                "data": [
                    {
                        "type": "Lead",
                        "id": "a",
                        "attributes": {
                            "date_modified": "2025-11-27T10:00:00+00:00",
                            "status": "Converted",
                            "converted": "1",
                            "opportunity_id": "b",
                            "assigned_user_id": "u",
                        },
                    }
                ]
            },
            "",
        ),
    ],
    "zoho": [
        (
            {
                "server_time": 1_764_237_600_000,
                "module": "Leads",
                "operation": "insert",
                "ids": ["1", "2"],
                "token": "secret",
                "channel_id": "9",
                "affected_values": [{"record_id": "1", "values": {"Lead_Status": "Junk Lead"}}],
            },
            "",
        ),
    ],
}

OPTIONS = {"quickbooks": {"options": {"estimates": "deals", "rep_field": "Rep"}}}


def _samples(system: str) -> list[tuple[Delivery, SourceOptions]]:
    settings = {"currency": "EUR", "zone": "Asia/Tehran"} | OPTIONS.get(system, {})
    found = [
        (one, settings | spoken[2])
        for dialect, spoken in crm_life.DIALECTS.items()
        if spoken[0] == system
        for rows in crm_life.lives(1, deals=3)
        for one in crm_life.told(dialect, rows)
    ]
    found += [(_delivery(body, query), settings) for body, query in OTHERS.get(system, [])]
    return [(one, SourceOptions(name="fuzz", system=system, **options)) for one, options in found]


SAMPLES = {system: _samples(system) for system in sorted({*OTHERS, *(one[0] for one in crm_life.DIALECTS.values())})}
