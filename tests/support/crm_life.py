"""The life of some deals as a CRM's database has it, and as each CRM tells it: the truth beside its dialects.

``truth`` is what an own publisher would send of each change, at the moment it happened. ``DIALECTS`` write the same
changes as a vendor sends them: whole records, what changed, or what a poller sees.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from funnelwatch.schemas.careful import read_event
from funnelwatch.schemas.encode import time_text
from funnelwatch.schemas.events import Event, Kind
from funnelwatch.schemas.sources.contract import Delivery, Outgoing, SourceOptions
from funnelwatch.schemas.sources.registry import SYSTEMS

STAGES = ("Lead in", "Demo", "Offer")
REPS = ("7", "8", "9")
MINUTE_US = 60_000_000
EPOCH_US = int(datetime(2026, 3, 2, 8, tzinfo=UTC).timestamp()) * 1_000_000
LABELS = {"won": "Closed Won", "lost": "Closed Lost"}


class Deal(NamedTuple):
    """A deal's row, as it is after one change. ``changed`` names the fields that this change set."""

    id: int
    created_at: int
    at: int
    owner: str
    stage: str
    stage_since: int
    status: str
    closed_at: int | None
    amount: str
    changed: tuple[str, ...]


def lives(seed: int, deals: int = 6, changes_max: int = 8) -> list[list[Deal]]:
    """Rows of some deals, change after change; all at different whole minutes."""
    dice = random.Random(seed)
    minutes = dice.sample(range(1, 60 * 24 * 40), deals * (changes_max + 1))
    found = []
    for number in range(1, deals + 1):
        mine = sorted(minutes.pop() for _ in range(dice.randint(1, changes_max + 1)))
        found.append(_life(number, [EPOCH_US + minute * MINUTE_US for minute in mine], dice))
    return found


def _life(number: int, instants: list[int], dice: random.Random) -> list[Deal]:
    first = instants[0]
    all_ = ("owner", "stage", "status", "amount")
    rows = [
        Deal(
            number,
            first,
            first,
            dice.choice(REPS),
            STAGES[0],
            first,
            "open",
            None,
            f"{dice.randint(1, 90) * 50}.5",
            all_,
        )
    ]
    for at in instants[1:]:
        row = rows[-1]._replace(at=at)
        if row.status == "open":
            what = dice.choice(("stage", "stage", "owner", "amount", "won", "lost"))
        else:
            what = dice.choice(("reopen", "amount"))
        if what in {"won", "lost"}:
            row = row._replace(status=what, closed_at=at, stage_since=at, changed=("status",))
        elif what == "reopen":
            row = row._replace(
                status="open", closed_at=None, stage=dice.choice(STAGES), stage_since=at, changed=("status", "stage")
            )
        elif what == "stage":
            stage = dice.choice([stage for stage in STAGES if stage != row.stage])
            row = row._replace(stage=stage, stage_since=at, changed=("stage",))
        elif what == "owner":
            row = row._replace(owner=dice.choice([rep for rep in REPS if rep != row.owner]), changed=("owner",))
        else:
            row = row._replace(amount=f"{dice.randint(1, 90) * 50}.25", changed=("amount",))
        rows.append(row)
    return rows


def truth(rows: list[Deal], dialect: str = "") -> list[Event]:
    """What an own publisher sends. Where a CRM tells closes to the second, they are at the end of theirs."""
    late_us = 999_999 if dialect.startswith("pipedrive") else 0
    return [_event(row, late_us if row.closed_at == row.at else 0) for row in rows]


def _event(row: Deal, late_us: int) -> Event:
    members: dict[str, Any] = {"currency": "EUR"}
    if "owner" in row.changed:
        members["rep_id"] = f"rep {row.owner}"
    if "amount" in row.changed:
        members["amount"] = row.amount
    if "stage" in row.changed:
        members["stage"] = row.stage
    type_ = "deal.updated"
    if len(row.changed) > 2:
        type_ = "deal.created"
    elif row.changed[0] == "status":
        type_ = "deal.reopened" if row.status == "open" else f"deal.{row.status}"
    envelope = {
        "specversion": "1.0",
        "id": f"{row.id}/{row.at}",
        "source": "own",
        "type": type_,
        "subject": str(row.id),
        "time": time_text(row.at + late_us),
        "data": members,
    }
    return read_event(Kind.DEAL, envelope)


def moment(at: int) -> datetime:
    return datetime.fromtimestamp(at / 1_000_000, UTC)


def iso(at: int) -> str:
    return moment(at).strftime("%Y-%m-%dT%H:%M:%SZ")


def plain(at: int | None) -> str:
    return "" if at is None else moment(at).strftime("%Y-%m-%d %H:%M:%S")


def label(row: Deal) -> str:
    """The stage of CRMs in which winning is a stage."""
    return row.stage if row.status == "open" else LABELS[row.status]


def _pipedrive_v2(row: Deal, before: Deal | None) -> list[Delivery]:
    def look(one: Deal) -> dict[str, Any]:
        return {
            "id": one.id,
            "add_time": iso(one.created_at),
            "owner_id": int(one.owner),
            "stage_id": STAGES.index(one.stage) + 1,
            "pipeline_id": 1,
            "status": one.status,
            "value": float(one.amount),
            "currency": "EUR",
            "stage_change_time": iso(one.stage_since)
            if one.status == "open" and one.stage_since != one.created_at
            else None,
            "won_time": iso(one.closed_at) if one.status == "won" else None,
            "lost_time": iso(one.closed_at) if one.status == "lost" else None,
        }

    now = look(row)
    changed = None if before is None else {name: value for name, value in look(before).items() if value != now[name]}
    meta = {
        "action": "create" if before is None else "change",
        "entity": "deal",
        "entity_id": str(row.id),
        "attempt": 1,
        "timestamp": moment(row.at).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "version": "2.0",
    }
    return [_json({"data": now, "previous": changed, "meta": meta})]


def _pipedrive_v1(row: Deal, before: Deal | None) -> list[Delivery]:
    def look(one: Deal) -> dict[str, Any]:
        return {
            "id": one.id,
            "add_time": plain(one.created_at),
            "user_id": {"id": int(one.owner), "email": ""},
            "stage_id": STAGES.index(one.stage) + 1,
            "pipeline_id": 1,
            "status": one.status,
            "value": float(one.amount),
            "currency": "EUR",
            "won_time": plain(one.closed_at) if one.status == "won" else None,
            "lost_time": plain(one.closed_at) if one.status == "lost" else None,
            "deleted": False,
        }

    meta = {
        "v": 1,
        "action": "added" if before is None else "updated",
        "object": "deal",
        "id": row.id,
        "timestamp": row.at // 1_000_000,
        "timestamp_milli": row.at // 1_000,
    }
    return [
        _json({"v": 1, "current": look(row), "previous": look(before) if before else None, "meta": meta, "retry": 0})
    ]


def _hubspot(row: Deal, before: Deal | None) -> list[Delivery]:
    base = {"portalId": 1, "attemptNumber": 0, "occurredAt": row.at // 1_000, "objectId": row.id}
    found = [base | {"subscriptionType": "deal.creation", "changeFlag": "CREATED"}] if before is None else []
    stages = {"won": "closedwon", "lost": "closedlost"}
    values = {
        "hubspot_owner_id": row.owner,
        "amount": row.amount,
        "deal_currency_code": "EUR",
        "dealstage": stages.get(row.status, str(STAGES.index(row.stage) + 1)),
    }
    changed = {"owner": "hubspot_owner_id", "amount": "amount", "stage": "dealstage", "status": "dealstage"}
    names = {changed[name] for name in row.changed} | ({"deal_currency_code"} if before is None else set())
    found += [
        base | {"subscriptionType": "deal.propertyChange", "propertyName": name, "propertyValue": values[name]}
        for name in sorted(names)
    ]
    return [_json(found[::-1])]


def _salesforce(row: Deal, before: Deal | None) -> list[Delivery]:
    change = {
        "ChangeEventHeader": {
            "entityName": "Opportunity",
            "recordIds": [str(row.id)],
            "changeType": "UPDATE" if before else "CREATE",
            "commitTimestamp": row.at // 1_000,
            "sequenceNumber": 0,
            "commitNumber": 1652977933433528300,
        }
    }
    fields = {
        "owner": ("OwnerId", row.owner),
        "amount": ("Amount", float(row.amount)),
        "stage": ("StageName", label(row)),
        "status": ("StageName", label(row)),
    }
    for name in row.changed:
        change[fields[name][0]] = fields[name][1]
    return [_json({"schema": "x", "payload": change, "event": {"replayId": 3}})]


def _vtiger(row: Deal, before: Deal | None) -> list[Delivery]:
    return [
        _json({"success": True, "result": [_vtiger_row(row) | {"current_stage_entry_time": plain(row.stage_since)}]})
    ]


def _vtiger_polled(row: Deal, before: Deal | None) -> list[Delivery]:
    return [
        _json({"success": True, "result": {"updated": [_vtiger_row(row) | {"funnelwatch_since": row.stage_since}]}})
    ]


def _vtiger_row(row: Deal) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "sales_stage": label(row),
        "amount": f"{row.amount}000000",
        "assigned_user_id": f"19x{row.owner}",
        "createdtime": plain(row.created_at),
        "modifiedtime": plain(row.at),
        "potentialname": "x",
        "pipeline": "default",
        "closingdate": "2026-04-01",
    }


def _zoho(row: Deal, before: Deal | None) -> list[Delivery]:
    fields = {
        "owner": ("Owner", {"id": row.owner, "name": "x"}),
        "amount": ("Amount", float(row.amount)),
        "stage": ("Stage", label(row)),
        "status": ("Stage", label(row)),
    }
    body = {
        "server_time": row.at // 1_000,
        "module": "Deals",
        "operation": "update" if before else "insert",
        "ids": [str(row.id)],
        "affected_values": [{"record_id": str(row.id), "values": dict(fields[name] for name in row.changed)}],
    }
    return [_json(body)]


def _espocrm(row: Deal, before: Deal | None) -> list[Delivery]:
    fields = {
        "owner": {"assignedUserId": row.owner},
        "amount": {"amount": float(row.amount), "amountCurrency": "EUR"},
        "stage": {"stage": label(row)},
        "status": {"stage": label(row)},
    }
    record: dict[str, Any] = {"id": str(row.id)}
    for name in row.changed:
        record |= fields[name]
    if before is None:
        record["createdAt"] = plain(row.created_at)
    word = "update" if before else "create"
    body = json.dumps([record]).encode()
    return [Delivery(url=f"https://x/hooks/crm?event=Opportunity.{word}", body=body, received_us=row.at)]


def _close(row: Deal, before: Deal | None) -> list[Delivery]:
    data = {
        "id": str(row.id),
        "user_id": row.owner,
        "status_label": row.stage if row.status == "open" else row.status.title(),
        "status_type": "active" if row.status == "open" else row.status,
        "value": int(float(row.amount) * 100),
        "value_currency": "EUR",
        "date_created": plain(row.created_at).replace(" ", "T") + "+00:00",
        "date_won": iso(row.closed_at)[:10] if row.status == "won" else None,
    }
    names = {"status": ["status_type", "status_id"], "stage": ["status_id"], "owner": ["user_id"], "amount": ["value"]}
    event = {
        "object_type": "opportunity",
        "object_id": str(row.id),
        "action": "updated" if before else "created",
        "date_created": moment(row.at).strftime("%Y-%m-%dT%H:%M:%S.000000"),
        "data": data,
        "changed_fields": [one for name in row.changed for one in names[name]] if before else [],
    }
    return [_json({"event": event, "subscription_id": "x"})]


def _twenty(row: Deal, before: Deal | None) -> list[Delivery]:
    record = {
        "id": str(row.id),
        "stage": {"won": "CUSTOMER", "lost": "LOST"}.get(row.status, row.stage),
        "ownerId": row.owner,
        "amount": {"amountMicros": int(float(row.amount) * 1_000_000), "currencyCode": "EUR"},
        "createdAt": iso(row.created_at),
        "updatedAt": iso(row.at),
    }
    names = {"status": "stage", "stage": "stage", "owner": "ownerId", "amount": "amount"}
    body = {
        "eventName": f"opportunity.{'updated' if before else 'created'}",
        "record": record,
        "eventDate": iso(row.at),
        "updatedFields": [names[name] for name in row.changed] if before else None,
    }
    return [_json(body)]


def _odoo(row: Deal, before: Deal | None) -> list[Delivery]:
    body = {
        "_id": row.id,
        "_model": "crm.lead",
        "_action": "x",
        "type": "opportunity",
        "user_id": int(row.owner),
        "stage_id": STAGES.index(row.stage) + 1,
        "expected_revenue": float(row.amount),
        "create_date": plain(row.created_at),
        "write_date": plain(row.at),
        "date_closed": plain(row.closed_at) or False,
        "won_status": {"open": "pending"}.get(row.status, row.status),
        "date_last_stage_update": plain(row.stage_since) if row.status == "open" else False,
    }
    return [_json(body)]


def _suitecrm(row: Deal, before: Deal | None) -> list[Delivery]:
    attributes = {
        "date_entered": iso(row.created_at),
        "date_modified": iso(row.at),
        "sales_stage": label(row),
        "amount": row.amount,
        "assigned_user_id": row.owner,
        "deleted": "0",
        "date_closed": "2026-05-01",
    }
    record = {"type": "Opportunity", "id": str(row.id), "attributes": attributes, "funnelwatch_since": row.stage_since}
    return [_json({"data": [record]})]


def _json(body: object) -> Delivery:
    return Delivery(body=json.dumps(body).encode())


Writer = Callable[[Deal, Deal | None], list[Delivery]]
NUMBERED = {"1": STAGES[0], "2": STAGES[1], "3": STAGES[2]}
DIALECTS: dict[str, tuple[str, Writer, dict[str, Any]]] = {
    "pipedrive v1": ("pipedrive", _pipedrive_v1, {"stages": NUMBERED, "options": {"pipelines": ("1=default",)}}),
    "pipedrive v2": ("pipedrive", _pipedrive_v2, {"stages": NUMBERED, "options": {"pipelines": ("1=default",)}}),
    "hubspot": ("hubspot", _hubspot, {"stages": NUMBERED}),
    "salesforce": ("salesforce", _salesforce, {}),
    "vtiger": ("vtiger", _vtiger, {}),
    "vtiger, polled": ("vtiger", _vtiger_polled, {}),
    "zoho": ("zoho", _zoho, {}),
    "espocrm": ("espocrm", _espocrm, {}),
    "close": ("close", _close, {}),
    "twenty": ("twenty", _twenty, {"lost": ("LOST",), "won": ("CUSTOMER",)}),
    "odoo": ("odoo", _odoo, {"stages": NUMBERED}),
    "suitecrm": ("suitecrm", _suitecrm, {}),
}
"""By name: the system, what writes its deliveries, and the source's options."""


def told(dialect: str, rows: list[Deal]) -> list[Delivery]:
    """The deliveries a CRM makes of one deal's life."""
    _, write, _ = DIALECTS[dialect]
    befores = [None, *rows]
    return [delivery for before, row in zip(befores, rows, strict=False) for delivery in write(row, before)]


def events(dialect: str, deliveries: list[Delivery]) -> list[Event]:
    """What the translator makes of deliveries, with the people of the table put in."""
    system, _, settings = DIALECTS[dialect]
    options = SourceOptions(name="crm", system=system, currency="EUR", **settings)
    found = []
    for delivery in deliveries:
        for one in SYSTEMS[system].translate(delivery, options):
            if isinstance(one, Outgoing):
                rep = one.rep[0].rpartition(":")[2].removeprefix("19x") if one.rep else None
                found.append(one.event(f"rep {rep}" if rep else None))
    return found
