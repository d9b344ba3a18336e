"""The life of some leads as a CRM's database has it, and as each CRM tells it; as `crm_life` for deals."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any, NamedTuple

from funnelwatch.schemas.careful import read_event
from funnelwatch.schemas.encode import time_text
from funnelwatch.schemas.events import Event, Kind
from funnelwatch.schemas.sources.contract import Delivery, Outgoing, SourceOptions
from funnelwatch.schemas.sources.registry import SYSTEMS
from support.crm_life import EPOCH_US, MINUTE_US, REPS, iso, moment, plain

STATES = {"Fresh": "new", "Hot": "qualified", "Taken": "accepted", "Junk": "disqualified"}
"""What the CRM calls a lead's states."""


class Lead(NamedTuple):
    """A lead's row, as it is after one change."""

    id: int
    created_at: int
    at: int
    owner: str
    status: str
    status_since: int
    changed: tuple[str, ...]


def lives(seed: int, leads: int = 6, changes_max: int = 6) -> list[list[Lead]]:
    """Rows of some leads, change after change; all at different whole minutes."""
    dice = random.Random(seed)
    minutes = dice.sample(range(1, 60 * 24 * 40), leads * (changes_max + 1))
    found = []
    for number in range(1, leads + 1):
        mine = sorted(minutes.pop() for _ in range(dice.randint(1, changes_max + 1)))
        found.append(_life(number, [EPOCH_US + minute * MINUTE_US for minute in mine], dice))
    return found


def _life(number: int, instants: list[int], dice: random.Random) -> list[Lead]:
    first = instants[0]
    rows = [Lead(number, first, first, dice.choice(REPS), "Fresh", first, ("owner", "status", "all"))]
    for at in instants[1:]:
        row = rows[-1]._replace(at=at)
        if dice.random() < 0.3:
            owner = dice.choice([rep for rep in REPS if rep != row.owner])
            rows.append(row._replace(owner=owner, changed=("owner",)))
        else:
            status = dice.choice([status for status in ("Hot", "Taken", "Junk") if status != row.status])
            rows.append(row._replace(status=status, status_since=at, changed=("status",)))
    return rows


def truth(rows: list[Lead]) -> list[Event]:
    """What an own publisher sends."""
    return [_event(row) for row in rows]


def _event(row: Lead) -> Event:
    word = "created" if "all" in row.changed else "assigned" if "owner" in row.changed else STATES[row.status]
    data = {"rep_id": f"rep {row.owner}"} if "owner" in row.changed else {}
    envelope = {
        "specversion": "1.0",
        "id": f"{row.id}/{row.at}",
        "source": "own",
        "type": f"lead.{word}",
        "subject": str(row.id),
        "time": time_text(row.at),
        "data": data,
    }
    return read_event(Kind.LEAD, envelope)


def _fields(row: Lead, owner: tuple[str, Any], status: tuple[str, Any]) -> dict[str, Any]:
    """The fields that a change set, as a CRM calls them."""
    found = {}
    if "owner" in row.changed:
        found[owner[0]] = owner[1]
    if "status" in row.changed:
        found[status[0]] = status[1]
    return found


def _hubspot(row: Lead) -> Delivery:
    base = {"portalId": 1, "occurredAt": row.at // 1_000, "objectId": row.id}
    changes = _fields(row, ("hubspot_owner_id", row.owner), ("lifecyclestage", row.status))
    found = [
        base | {"subscriptionType": "contact.propertyChange", "propertyName": name, "propertyValue": value}
        for name, value in changes.items()
    ]
    created = [base | {"subscriptionType": "contact.creation"}] if "all" in row.changed else []
    return _json([*found, *created])


def _salesforce(row: Lead) -> Delivery:
    header = {
        "entityName": "Lead",
        "recordIds": [str(row.id)],
        "changeType": "CREATE" if "all" in row.changed else "UPDATE",
        "commitTimestamp": row.at // 1_000,
        "sequenceNumber": 0,
    }
    return _json({"ChangeEventHeader": header} | _fields(row, ("OwnerId", row.owner), ("Status", row.status)))


def _zoho(row: Lead) -> Delivery:
    values = _fields(row, ("Owner", {"id": row.owner}), ("Lead_Status", row.status))
    body = {
        "server_time": row.at // 1_000,
        "module": "Leads",
        "operation": "insert" if "all" in row.changed else "update",
        "ids": [str(row.id)],
        "affected_values": [{"record_id": str(row.id), "values": values}],
    }
    return _json(body)


def _espocrm(row: Lead) -> Delivery:
    record = {"id": str(row.id)} | _fields(row, ("assignedUserId", row.owner), ("status", row.status))
    word = "update"
    if "all" in row.changed:
        word = "create"
        record["createdAt"] = plain(row.created_at)
    body = json.dumps([record]).encode()
    return Delivery(url=f"https://x/hooks/crm?event=Lead.{word}", body=body, received_us=row.at)


def _close(row: Lead) -> Delivery:
    changed = _fields(row, ("owner_id", ""), ("status_id", ""))
    data = {
        "id": str(row.id),
        "owner_id": row.owner,
        "status_label": row.status,
        "status_id": row.status,
        "date_created": iso(row.created_at),
    }
    event = {
        "object_type": "lead",
        "object_id": str(row.id),
        "action": "created" if "all" in row.changed else "updated",
        "date_created": moment(row.at).strftime("%Y-%m-%dT%H:%M:%S.000000"),
        "data": data,
        "changed_fields": list(changed),
    }
    return _json({"event": event})


def _twenty(row: Lead) -> Delivery:
    record = {
        "id": str(row.id),
        "status": row.status,
        "ownerId": row.owner,
        "createdAt": iso(row.created_at),
        "updatedAt": iso(row.at),
    }
    body = {
        "eventName": f"person.{'created' if 'all' in row.changed else 'updated'}",
        "record": record,
        "eventDate": iso(row.at),
        "updatedFields": list(_fields(row, ("ownerId", ""), ("status", ""))),
    }
    return _json(body)


def _vtiger(row: Lead) -> Delivery:
    record = {
        "id": str(row.id),
        "leadstatus": row.status,
        "assigned_user_id": f"19x{row.owner}",
        "createdtime": plain(row.created_at),
        "modifiedtime": plain(row.at),
        "funnelwatch_since": row.status_since,
    }
    return _json({"success": True, "result": [record]})


def _suitecrm(row: Lead) -> Delivery:
    attributes = {
        "status": row.status,
        "assigned_user_id": row.owner,
        "date_entered": iso(row.created_at),
        "date_modified": iso(row.at),
    }
    record = {"type": "Lead", "id": str(row.id), "attributes": attributes, "funnelwatch_since": row.status_since}
    return _json({"data": [record]})


def _json(body: object) -> Delivery:
    return Delivery(body=json.dumps(body).encode())


DIALECTS: dict[str, Callable[[Lead], Delivery]] = {
    "hubspot": _hubspot,
    "salesforce": _salesforce,
    "zoho": _zoho,
    "espocrm": _espocrm,
    "close": _close,
    "twenty": _twenty,
    "vtiger": _vtiger,
    "suitecrm": _suitecrm,
}


def events(system: str, deliveries: list[Delivery]) -> list[Event]:
    """What the translator makes of deliveries, with the people of the table put in."""
    options = SourceOptions(name="crm", system=system, lead_states=STATES)
    found = []
    for delivery in deliveries:
        for one in SYSTEMS[system].translate(delivery, options):
            if isinstance(one, Outgoing):
                rep = one.rep[0].rpartition(":")[2].removeprefix("19x") if one.rep else None
                found.append(one.event(f"rep {rep}" if rep else None))
    return found
