"""Twenty: webhooks with the whole record, in two shapes.

The documentation says ``event data timestamp``; what is sent is ``eventName record eventDate objectMetadata
updatedFields``. Both are read.
"""

from __future__ import annotations

from typing import Any, Final

from funnelwatch.schemas import fields
from funnelwatch.schemas.reasons import Reason, RefusedError
from funnelwatch.schemas.sources import proofs, reading
from funnelwatch.schemas.sources.contract import Delivery, Passed, Result, SourceOptions, System
from funnelwatch.schemas.sources.crm import records, values
from funnelwatch.schemas.sources.crm.records import Deal, Entity, Lead, Outcome

LEADS: Final = "leads"
WON: Final = ("CUSTOMER",)
MICROS: Final = 1_000_000
FIELDS_MAX: Final = 1_000
_MS_DIGITS: Final = 12
"""Seconds since 1970 have ten digits, milliseconds thirteen."""


def translate(delivery: Delivery, options: SourceOptions, /) -> list[Result]:
    """The events of one webhook.

    Raises:
        RefusedError: It cannot be read.
    """
    body = reading.json_object(delivery.body)
    name = reading.text_of(body.get("eventName") or body.get("event") or body.get("eventType"))
    entity, _, word = name.rpartition(".")
    record = body["record"] if isinstance(body.get("record"), dict) else body.get("data")
    look = _Look(reading.mapping(record, "the record"), word, body, options)
    if entity == "opportunity":
        return _opportunity(look, options)
    if entity == "workspaceMember":
        return _member(look, options)
    if entity and entity == options.option(LEADS, "person"):
        return _lead(look, options)
    if not entity:
        raise RefusedError(Reason.MISSING_ATTRIBUTE, "eventName is missing")
    return [Passed("not_counted", f"{entity} records carry no figure")]


class _Look:
    """One record, when it looked like this, and whether this change set a field."""

    def __init__(self, record: dict[str, Any], word: str, body: dict[str, Any], options: SourceOptions) -> None:
        if word not in {"created", "updated", "deleted", "destroyed", "restored"}:
            raise RefusedError(Reason.UNKNOWN_VALUE, f"the event is unknown: {fields.described(word)}")
        self.record = record
        self.word = word
        self.id = values.identity(record.get("id"), "the record's id")
        updated_at = values.instant(record.get("updatedAt"), "updatedAt") if word == "updated" else None
        sent_at = values.instant(body.get("eventDate") or body.get("timestamp"), "eventDate")
        self.created_at = values.instant(record.get("createdAt"), "createdAt")
        at = next((one for one in (updated_at, sent_at, self.created_at) if one is not None), None)
        if at is None:
            raise RefusedError(Reason.MISSING_ATTRIBUTE, "eventDate is missing: nobody can know when this was")
        self.at = at
        changed = body.get("updatedFields")
        self.changed = set(map(str, changed[:FIELDS_MAX])) if isinstance(changed, list) else None
        self.rep = values.person(options, values.member(record, options, "rep_id", "ownerId", "accountOwnerId"))

    def text(self, name: str) -> str:
        """A field as a text."""
        return reading.text_of(self.record.get(name))

    def sets(self, name: str) -> bool:
        """Whether this change set a field, or may have."""
        return self.word == "created" or self.changed is None or name in self.changed

    def since(self, name: str) -> int | None:
        """When a field got its value, if this change is known to have set it."""
        return self.at if self.word == "created" or (self.changed is not None and name in self.changed) else None


def _gone(kind: str, look: _Look, options: SourceOptions) -> list[Result]:
    if look.word in {"deleted", "destroyed"}:
        return [Entity(kind, look.id, options).deleted(look.at)]
    return [Entity(kind, look.id, options).restored(look.at)] if look.word == "restored" else []


def _opportunity(look: _Look, options: SourceOptions) -> list[Result]:
    told = _gone("deal", look, options)
    if look.word in {"deleted", "destroyed"}:
        return told
    field = options.fields.get("stage", "stage")
    stage = look.text(field)
    outcome = records.deal_stage(stage, options, WON, ()) if stage else None
    if outcome is not Outcome.OPEN and not look.sets(field):
        outcome, stage = None, ""  # the change that closed it said so
    lead = look.text(options.fields.get("lead_id", "pointOfContactId"))
    closes_on = look.text("closeDate")
    deal = Deal(
        id=look.id,
        at=look.at,
        created_at=look.created_at,
        outcome=outcome,
        since=look.since(field) if outcome in {Outcome.WON, Outcome.LOST} else None,
        stage=options.stage_of(stage) if stage else "",
        data=values.present(
            pipeline=reading.text_of(values.member(look.record, options, "pipeline")),
            **_money(look.record.get("amount"), options),
            expected_close=closes_on,
            customer=reading.text_of(values.member(look.record, options, "customer", "companyId")),
            lost_reason=reading.text_of(values.member(look.record, options, "lost_reason")),
            lead_id=options.id_of(lead) if lead else "",
        ),
        rep=look.rep,
        round=closes_on,
    )
    return [*told, *records.deal_events(deal, options)]


def _money(value: object, options: SourceOptions) -> dict[str, str | None]:
    """An amount in millionths with its currency."""
    if not isinstance(value, dict) or value.get("amountMicros") is None:
        return {}
    return {
        "amount": values.hundredths(value["amountMicros"], "amount.amountMicros", MICROS),
        "currency": values.currency(value.get("currencyCode"), "amount.currencyCode", options),
    }


def _lead(look: _Look, options: SourceOptions) -> list[Result]:
    told = _gone("lead", look, options)
    if look.word in {"deleted", "destroyed"}:
        return told
    field = options.fields.get("state", "status")
    status = look.text(field) if look.sets(field) else ""
    created_by = look.record.get("createdBy")
    channel = reading.text_of(created_by.get("source")) if isinstance(created_by, dict) else ""
    lead = Lead(
        id=look.id,
        at=look.at,
        created_at=look.created_at,
        state=records.lead_state(status, options, {}) if status else "",
        since=look.since(field),
        data=values.present(channel=reading.text_of(values.member(look.record, options, "channel")) or channel),
        rep=look.rep,
    )
    return [*told, *records.lead_events(lead, options)]


def _member(look: _Look, options: SourceOptions) -> list[Result]:
    if look.word in {"deleted", "destroyed"}:
        return [Entity("rep", look.id, options).removed(look.at)]
    name = look.record.get("name")
    if isinstance(name, dict):
        name = " ".join(filter(None, (reading.text_of(name.get(part)) for part in ("firstName", "lastName"))))
    data = values.present(name=reading.text_of(name))
    return [Entity("rep", look.id, options).person(look.at, data, look.text("userEmail"))]


def _signed_at(text: str) -> int:
    return reading.epoch_ms(text, "the time") if len(text) > _MS_DIGITS else reading.epoch_seconds(text, "the time")


SYSTEM: Final = System(
    name="twenty",
    title="Twenty",
    translate=translate,
    proof=proofs.TimedSignature(
        proofs.header("x-twenty-webhook-signature"),
        proofs.header("x-twenty-webhook-timestamp"),
        lambda time, delivery: f"{time}:".encode("utf-8", "surrogatepass") + delivery.body,
        signed_at=_signed_at,
    ),
    page="twenty.md",
    options={
        records.NEW_LEADS: records.NEW_LEADS_HELP,
        LEADS: "the object that holds leads: 'person' (default), or a custom object's singular name; '-' for none",
    },
    fields={"state": "the field of a lead's status; default 'status'"},
    check=records.check_options,
)
