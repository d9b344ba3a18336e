"""Vtiger and Pars Vtiger: REST records (``query``, ``sync``, ``retrieve``) and workflow webhooks.

A workflow's author chooses the names of its fields, so the source's ``fields`` say which is which; REST has Vtiger's
own names, which are tried when a chosen one is not there: one source may have both. ``?module=Potentials`` in the
address says what the records are; without it, their fields do.

In one record some times are the database's (UTC: ``createdtime``, ``modifiedtime``, ``current_stage_entry_time``) and
some a person's (the source's ``zone``, in the person's format: custom fields, ``starttime`` of a call). Vtiger keeps
only when the *present* stage was entered; custom fields that note when each was (``stage:Demo Given``) are read too.
"""

from __future__ import annotations

from typing import Any, Final

from funnelwatch.schemas import fields
from funnelwatch.schemas.reasons import Reason, RefusedError
from funnelwatch.schemas.sources import proofs, reading
from funnelwatch.schemas.sources.contract import Delivery, Passed, Result, SourceOptions, System
from funnelwatch.schemas.sources.crm import records, values, vtiger_activities
from funnelwatch.schemas.sources.crm.batches import each
from funnelwatch.schemas.sources.crm.records import Deal, Entity, Lead, Outcome
from funnelwatch.schemas.sources.crm.vtiger_record import (
    DATABASE_ZONE,
    DATES,
    DATES_HELP,
    MODULES,
    USERS,
    Record,
    check_dates,
)

RECORDS_MAX: Final = 10_000
WON: Final = ("Closed Won",)
LOST: Final = ("Closed Lost",)
LEAD_STATES: Final = {
    "Pre Qualified": "qualified", "Qualified": "accepted", "Junk Lead": "disqualified", "Lost Lead": "disqualified",
}  # fmt: skip
STAGE: Final = "stage:"
"""Before a stage's name in ``fields``: the custom field that says when it was entered."""
_MINUTE_US: Final = 60_000_000


def translate(delivery: Delivery, options: SourceOptions, /) -> list[Result]:
    """The events of a webhook, of one record, or of a page of records.

    Raises:
        RefusedError: It cannot be read, or Vtiger answered with an error.
    """
    body = _body(delivery)
    module = delivery.query.get("module", "")
    if isinstance(body, dict) and body.get("success") is False:
        error = body.get("error")
        code = reading.text_of(error.get("code")) if isinstance(error, dict) else ""
        raise RefusedError(Reason.UNKNOWN_VALUE, f"Vtiger answered with an error: {fields.described(code)}")
    if isinstance(body, dict) and "result" in body:
        body = body["result"]
    told: list[Result] = []
    if isinstance(body, dict) and "updated" in body:
        told += _gone(body, module, options)
        body = body["updated"]
    rows = reading.sequence(body, "the records", RECORDS_MAX) if isinstance(body, list) else [body]
    told += each(rows, lambda row: _record(reading.mapping(row, "a record"), module, delivery, options))
    return told or [Passed("no_records", "an empty page")]


def _body(delivery: Delivery) -> Any:
    """JSON, or a form. Only a webhook is held to one member of each name: PHP's own answers may repeat them."""
    if delivery.media_type == "application/x-www-form-urlencoded":
        return {name: found[-1] for name, found in reading.form_body(delivery.body).items()}
    return reading.json_body(delivery.body, repeated_members=not delivery.url)


def _gone(body: dict[str, Any], module: str, options: SourceOptions) -> list[Result]:
    """What ``sync`` says was deleted: ids alone, as of its last change."""
    gone = reading.sequence(body.get("deleted") or [], "deleted", RECORDS_MAX)
    if not gone:
        return []
    kind = {"Leads": "lead", "Potentials": "deal", **dict.fromkeys(vtiger_activities.CALL_MODULES, "call")}.get(module)
    if kind is None:
        return [Passed("not_counted", f"{module or 'unnamed'} records that were deleted carry no figure")]
    at = reading.epoch_seconds(body.get("lastModifiedTime"), "lastModifiedTime")
    return [Entity(kind, values.identity(one, "deleted"), options).deleted(at) for one in gone]


def _record(row: dict[str, Any], module: str, delivery: Delivery, options: SourceOptions) -> list[Result]:
    record = Record(row, options)
    module = module or record.module()
    if not module:
        if "types" in row or "sales_stage_dom" in row:
            return [Passed("not_counted", "a description of modules or picklists")]
        raise RefusedError(
            Reason.MISSING_ATTRIBUTE, "nobody can know what this is: add ?module=Potentials (or Leads) to the address"
        )
    if module == "Users":
        return vtiger_activities.user(record, delivery.received_us, options)
    reader = _READERS.get(module)
    return reader(record, options) if reader else [Passed("not_counted", f"{module} records carry no figure")]


def _deal(record: Record, options: SourceOptions) -> list[Result]:
    label = record.text("stage", "sales_stage")
    outcome = records.deal_stage(label, options, WON, LOST) if label else None
    at, created_at = record.modified_at, record.created_at
    lead = record.text("lead_id")
    closes_on = record.text("expected_close", "closingdate")
    deal = Deal(
        id=record.id,
        at=at,
        created_at=created_at,
        outcome=outcome,
        since=_since(record, label, at, options),
        stage=options.stage_of(label) if label else "",
        moves=_moves(record, label, options),
        data=values.present(
            pipeline=values.pipeline_of(record.text("pipeline", "pipeline"), options),
            amount=values.amount(record.value("amount", "amount"), "amount"),
            currency=_currency(record, options),
            expected_close=closes_on,
            customer=record.text("customer", "related_to", "org_name"),
            lost_reason=record.text("lost_reason", "lost_reason"),
            lead_id=options.id_of(lead) if lead else "",
        ),
        rep=record.owner(),
        round=closes_on,
    )
    return list(records.deal_events(deal, options))


def _since(record: Record, label: str, at: int, options: SourceOptions) -> int | None:
    """Since when it is in its stage: by Vtiger, by a custom field (to the minute), or by who looked again and again."""
    told = record.database_time("stage_since", "current_stage_entry_time")
    if told is not None:
        return told
    field = options.fields.get(f"{STAGE}{label}") or options.fields.get(f"{STAGE}{options.stage_of(label)}")
    noted = record.local_time(field) if field else None
    if noted is not None:
        whole_minute = noted % _MINUTE_US == 0
        return max(noted, min(at, noted + _MINUTE_US - 1)) if whole_minute else noted
    return record.seen_since


def _moves(record: Record, label: str, options: SourceOptions) -> tuple[tuple[int, str], ...]:
    """When other stages were entered, where custom fields say so."""
    found = []
    for name, field in options.fields.items():
        stage = name.removeprefix(STAGE)
        if not name.startswith(STAGE) or stage == label or options.stage_of(stage) == options.stage_of(label):
            continue
        entered_at = record.local_time(field)
        if entered_at is not None and records.deal_stage(stage, options, WON, LOST) is Outcome.OPEN:
            found.append((entered_at, options.stage_of(stage)))
    return tuple(sorted(found))


def _currency(record: Record, options: SourceOptions) -> str:
    if record.value("amount", "amount") is None:
        return ""
    return values.currency(record.value("currency", "currency_code"), "currency", options)


def _lead(record: Record, options: SourceOptions) -> list[Result]:
    status = record.text("state", "leadstatus")
    converted = values.flag(record.value("converted", "isconverted", "converted")) is True
    lead = Lead(
        id=record.id,
        at=record.modified_at,
        created_at=record.created_at,
        state="accepted" if converted else records.lead_state(status, options, LEAD_STATES) if status else "",
        since=record.seen_since,
        data=values.present(
            channel=record.text("channel", "leadsource"),
            campaign=record.text("campaign", "campaignid"),
            reason=record.text("reason"),
        ),
        rep=record.owner(),
    )
    return list(records.lead_events(lead, options))


_READERS: Final = {
    "Potentials": _deal,
    "Leads": _lead,
    "Events": vtiger_activities.event,
    "Calendar": vtiger_activities.event,
    **dict.fromkeys(vtiger_activities.CALL_MODULES, vtiger_activities.call),
}

SYSTEM: Final = System(
    name="vtiger",
    title="Vtiger and Pars Vtiger",
    translate=translate,
    proof=proofs.Token(
        proofs.header("x-funnelwatch-key"),
        proofs.bearer_of,
        proofs.basic_of,
        proofs.query("key"),
        proofs.query("token"),
    ),
    page="vtiger.md",
    methods=("POST", "GET"),
    options={
        records.NEW_LEADS: records.NEW_LEADS_HELP,
        values.PIPELINES: values.PIPELINES_HELP,
        DATES: DATES_HELP,
        DATABASE_ZONE: "the zone of createdtime and modifiedtime; default 'UTC', as Vtiger keeps them",
        USERS: "the number before the x in ids of users; default '19'",
        MODULES: "modules that are polled; default Users, Leads, Potentials, PhoneCalls",
        "poll_seconds": "between two looks; default 15",
        "pause_seconds": "before a request is tried again; default 0.5, it doubles",
        "user": "who the poller logs in as",
        "address": "where Vtiger is: https://crm.example/; for the poller",
    },
    fields={
        "id": "the record's id",
        "created": "when it was made",
        "modified": "when it was last changed",
        "stage_since": "since when it is in its stage",
        STAGE: "and a stage's name: when that was entered",
        "state": "a lead's status",
        "converted": "whether a lead was converted",
        "rep_address": "the owner's address",
    },
    check=lambda options: [*records.check_options(options), *check_dates(options)],
)
