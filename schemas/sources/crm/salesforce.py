"""Salesforce: Change Data Capture, as the Pub/Sub API decodes it or as CometD (and event relays) wrap it.

Only what changed is sent: in CometD's form other fields are absent, in the Pub/Sub form they are null and
``changedFields`` is a bitmap. A field that was emptied is in ``nulledFields``. One transaction is several events with
one ``transactionKey``, in the order of ``sequenceNumber``; of one commit time the sequence orders them.

Converting a lead is four events: account, contact, opportunity, and last the lead. The lead's names the opportunity, so
that is where the deal learns its lead. Salesforce's "converted" is our *accepted* (sales took the lead); the lead is a
customer when the deal is won.
"""

from __future__ import annotations

import re
from typing import Any, Final

from funnelwatch.schemas import fields
from funnelwatch.schemas.reasons import Reason, RefusedError
from funnelwatch.schemas.sources import proofs, reading
from funnelwatch.schemas.sources.contract import Delivery, Passed, Result, SourceOptions, System, Wanted
from funnelwatch.schemas.sources.crm import records, values
from funnelwatch.schemas.sources.crm.batches import each
from funnelwatch.schemas.sources.crm.records import Deal, Entity, Lead, Outcome

CHANNEL: Final = "/data/ChangeEvents"
"""All records that are selected for Change Data Capture."""
API_VERSION: Final = "62.0"
_VERSION: Final = re.compile(r"[0-9]{2,3}\.0", re.ASCII)

EVENTS_MAX: Final = 1_000
RECORDS_MAX: Final = 10_000
SEQUENCE_MAX: Final = 999
"""Events of one transaction that are told apart within the millisecond of its commit."""

LEAD_STATES: Final = {"Closed - Not Converted": "disqualified", "Unqualified": "disqualified", "Qualified": "qualified"}
OUTCOMES: Final = {"No Answer": "no_answer", "Busy": "busy", "Left Voicemail": "voicemail_drop"}
_QUEUE: Final = "00G"
_OPPORTUNITY: Final = "006"
_LEAD: Final = "00Q"
_CHANGES: Final = frozenset({"CREATE", "UPDATE", "DELETE", "UNDELETE"})
_HEADER: Final = "ChangeEventHeader"


def translate(delivery: Delivery, options: SourceOptions, /) -> list[Result]:
    """The events of one change event, or of an array of them.

    Raises:
        RefusedError: It cannot be read.
    """
    body = reading.json_body(delivery.body)
    events = reading.sequence(body, "the batch", EVENTS_MAX) if isinstance(body, list) else [body]
    return each(events, lambda event: _event(_payload(event), options))


def _payload(event: object) -> dict[str, Any]:
    """The change itself: bare, or in the envelope of CometD (``data``) or of an event relay (``detail``)."""
    found = reading.mapping(event, "an event")
    for wrapper in ("detail", "data", "payload"):
        if _HEADER not in found and isinstance(found.get(wrapper), dict):
            found = found[wrapper]
    if _HEADER not in found:
        raise RefusedError(Reason.MISSING_ATTRIBUTE, f"{_HEADER} is missing: this is no change event")
    return found


class _Change:
    """One change of one record."""

    def __init__(self, id_: str, payload: dict[str, Any]) -> None:
        header = reading.mapping(payload[_HEADER], _HEADER)
        self.id = id_
        self.payload = payload
        self.entity = reading.text_of(header.get("entityName"))
        type_ = reading.text_of(header.get("changeType"))
        self.type = type_
        self.word = type_.removeprefix("GAP_")
        at = reading.epoch_ms(header.get("commitTimestamp"), "commitTimestamp")
        sequence = reading.number(header.get("sequenceNumber"), "sequenceNumber") or 0
        self.at = at + min(max(int(sequence), 0), SEQUENCE_MAX)
        self.created_at = self.at if self.word == "CREATE" else None

    def text(self, name: str) -> str:
        """A field as a text."""
        return reading.text_of(self.payload.get(name))

    def owner(self, options: SourceOptions) -> tuple[str, ...]:
        """A person; a queue owns records nobody has taken yet, which changes no owner."""
        owner = self.text("OwnerId")
        return () if owner.startswith(_QUEUE) else values.person(options, owner)


def _event(payload: dict[str, Any], options: SourceOptions) -> list[Result]:
    header = reading.mapping(payload[_HEADER], _HEADER)
    entity = reading.text_of(header.get("entityName"))
    if entity not in _READERS:
        return [Passed("not_counted", f"{entity} records carry no figure")]
    ids = reading.sequence(header.get("recordIds"), "recordIds", RECORDS_MAX)
    if reading.text_of(header.get("changeType")) == "GAP_OVERFLOW":
        return [Passed("gap_overflow", f"Salesforce gave up on {entity} changes: fetch what changed since")]
    told: list[Result] = []
    for id_ in map(reading.text_of, ids):
        if not id_ or id_.endswith("*"):
            told.append(Passed("wildcard_records", f"many {entity} records changed at once: fetch what changed since"))
        else:
            told += _record(_Change(id_, payload), options)
    return told


def _record(change: _Change, options: SourceOptions) -> list[Result]:
    if change.word not in _CHANGES:
        raise RefusedError(Reason.UNKNOWN_VALUE, f"changeType is unknown: {fields.described(change.type)}")
    if change.word == "DELETE":
        return _deleted(change, options)
    back = _restored(change, options) if change.word == "UNDELETE" else []
    if change.type != change.word:
        return [*back, Wanted(entity=change.entity, id=change.id, at=change.at, change=change.type)]
    return [*back, *(_READERS[change.entity](change, options) or [Passed("no_change_for_us", change.entity)])]


def _deleted(change: _Change, options: SourceOptions) -> list[Result]:
    if change.entity == "User":
        return [Entity("rep", change.id, options).removed(change.at)]
    kinds = (_KINDS[change.entity],) if change.entity in _KINDS else ("call", "email")  # a task does not say which
    return [Entity(kind, change.id, options).deleted(change.at) for kind in kinds]


def _restored(change: _Change, options: SourceOptions) -> list[Result]:
    kind = _KINDS.get(change.entity)
    return [Entity(kind, change.id, options).restored(change.at)] if kind else []


def _opportunity(change: _Change, options: SourceOptions) -> list[Result]:
    payload = change.payload
    stage = change.text("StageName")
    outcome = _outcome(stage, payload, options)
    deal = Deal(
        id=change.id,
        at=change.at,
        created_at=change.created_at,
        outcome=outcome,
        since=change.at if outcome in {Outcome.WON, Outcome.LOST} else None,
        stage=options.stage_of(stage) if stage else "",
        data=values.present(
            pipeline=reading.text_of(values.member(payload, options, "pipeline")),
            amount=values.amount(values.member(payload, options, "amount", "Amount"), "Amount"),
            currency=_currency(payload, options),
            expected_close=_day(payload.get("CloseDate")),
            customer=change.text("AccountId"),
            lost_reason=reading.text_of(values.member(payload, options, "lost_reason", "Loss_Reason__c")),
        ),
        rep=change.owner(options),
        currency=options.currency,
    )
    return list(records.deal_events(deal, options))


def _outcome(stage: str, payload: dict[str, Any], options: SourceOptions) -> Outcome | None:
    if not stage:
        return None
    named = records.deal_stage(stage, options, ("Closed Won",), ("Closed Lost",))
    if options.won or options.lost or payload.get("IsClosed") is None:
        return named
    if values.flag(payload["IsClosed"]):
        return Outcome.WON if values.flag(payload.get("IsWon")) else Outcome.LOST
    return Outcome.OPEN


def _currency(payload: dict[str, Any], options: SourceOptions) -> str:
    if payload.get("CurrencyIsoCode") is None and payload.get("Amount") is None:
        return ""
    return values.changed_currency(payload.get("CurrencyIsoCode"), "CurrencyIsoCode", options)


def _day(value: object) -> str:
    """A date: days as milliseconds in the Pub/Sub form, a text in the other."""
    if value is None or isinstance(value, str):
        return reading.text_of(value)
    return reading.instant_text(reading.epoch_ms(value, "CloseDate"))[:10]


def _lead(change: _Change, options: SourceOptions) -> list[Result]:
    status = change.text("Status")
    converted = values.flag(change.payload.get("IsConverted")) is True
    state = "accepted" if converted else records.lead_state(status, options, LEAD_STATES) if status else ""
    deal = change.text("ConvertedOpportunityId")
    lead = Lead(
        id=change.id,
        at=change.at,
        created_at=change.created_at,
        state=state,
        since=change.at if state else None,
        data=values.present(
            channel=change.text("LeadSource"),
            campaign=reading.text_of(values.member(change.payload, options, "campaign")),
            reason=reading.text_of(values.member(change.payload, options, "reason")),
            deal_id=options.id_of(deal) if deal else "",
        ),
        rep=change.owner(options),
    )
    told: list[Result] = list(records.lead_events(lead, options))
    if deal:
        told += records.deal_events(Deal(id=deal, at=change.at, data={"lead_id": options.id_of(change.id)}), options)
    return told


def _task_kind(change: _Change) -> str:
    subtype = change.text("TaskSubtype")
    type_ = subtype if subtype and subtype != "Task" else change.text("Type")
    if not type_ and change.payload.get("CallType") is not None:
        type_ = "Call"
    return {"Call": "call", "Cadence": "call", "Email": "email", "ListEmail": "email"}.get(type_, "")


def _task(change: _Change, options: SourceOptions) -> list[Result]:
    """A call or email that was logged. A change of an old one tells not which it is: it must be fetched."""
    kind = _task_kind(change)
    done = change.text("Status") == "Completed"
    if not kind:
        if change.word == "UPDATE" and done:
            return [Wanted(entity="Task", id=change.id, at=change.at, change=change.type)]
        return [Passed("other_activity", "a task that is neither a call nor an email, or not done")]
    if not done:
        return [Passed("planned", "not done yet")]
    who, what = change.text("WhoId"), change.text("WhatId")
    data = values.present(
        lead_id=options.id_of(who) if who.startswith(_LEAD) else "",
        deal_id=options.id_of(what) if what.startswith(_OPPORTUNITY) else "",
        cold=values.flag(values.member(change.payload, options, "cold")),
    )
    if kind == "email":
        return [Entity("email", change.id, options).did("sent", change.at, data, change.owner(options))]
    type_, disposition = change.text("CallType").lower(), change.text("CallDisposition")
    data |= values.present(
        direction=type_ if type_ in {"inbound", "outbound"} else "",
        outcome=options.outcomes.get(disposition) or OUTCOMES.get(disposition, ""),
        talk_seconds=reading.seconds(change.payload.get("CallDurationInSeconds"), "CallDurationInSeconds"),
        recording_url=reading.text_of(values.member(change.payload, options, "recording_url")),
    )
    return [Entity("call", change.id, options).did("completed", change.at, data, change.owner(options))]


def _user(change: _Change, options: SourceOptions) -> list[Result]:
    name = change.payload.get("Name")
    if isinstance(name, dict):
        name = " ".join(filter(None, (reading.text_of(name.get(part)) for part in ("FirstName", "LastName"))))
    data = values.present(name=reading.text_of(name), active=values.flag(change.payload.get("IsActive")))
    address = change.text("Email")
    return [Entity("rep", change.id, options).person(change.at, data, address)] if data or address else []


_KINDS: Final = {"Lead": "lead", "Opportunity": "deal"}
_READERS: Final = {"Lead": _lead, "Opportunity": _opportunity, "Task": _task, "User": _user}


def _checked(options: SourceOptions) -> list[str]:
    found = records.check_options(options)
    if options.option("client_id") and not options.option("address"):
        found.append("address: is needed with client_id: where your Salesforce is")
    if not options.option("channel", CHANNEL).startswith("/data/"):
        found.append(f"channel: must be one of change events, like {CHANNEL} or /data/LeadChangeEvent")
    if not _VERSION.fullmatch(options.option("api_version", API_VERSION)):
        found.append(f"api_version: must be a version like {API_VERSION}, as a text")
    return found


SYSTEM: Final = System(
    name="salesforce",
    title="Salesforce",
    translate=translate,
    proof=proofs.Token(proofs.header("x-funnelwatch-key"), proofs.bearer_of, proofs.basic_of, proofs.query("key")),
    page="salesforce.md",
    options={
        records.NEW_LEADS: records.NEW_LEADS_HELP,
        values.ONE_CURRENCY: values.ONE_CURRENCY_HELP,
        "client_id": "of the app that change events are heard with; nothing is heard but what is posted if not given",
        "address": "where your Salesforce is: https://YOURS.my.salesforce.com",
        "channel": f"the channel of change events that is heard, if not {CHANNEL}",
        "api_version": f"of Salesforce's API; default {API_VERSION}",
        "pause_seconds": "before a request is tried again; default 0.5, it doubles",
    },
    check=_checked,
)
