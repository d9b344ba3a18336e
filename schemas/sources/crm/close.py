"""Close: webhooks of its event log: what an object became, what it was, and which fields changed.

Amounts are in cents. ``date_won`` is a date without a time of day, often before the deal's own creation, so a close is
told when its status changed.
"""

from __future__ import annotations

import hmac
from typing import Any, Final

from funnelwatch.schemas import fields
from funnelwatch.schemas.reasons import Reason, RefusedError
from funnelwatch.schemas.sources import proofs, reading
from funnelwatch.schemas.sources.contract import Delivery, Passed, Result, SourceOptions, System
from funnelwatch.schemas.sources.crm import records, values
from funnelwatch.schemas.sources.crm.records import Deal, Entity, Lead, Outcome

FIELDS_MAX: Final = 1_000
LEAD_STATES: Final = {
    "Potential": "new", "Interested": "qualified", "Qualified": "qualified", "Customer": "converted",
    "Bad Fit": "disqualified", "Not Interested": "disqualified", "Canceled": "disqualified",
}  # fmt: skip
DISPOSITIONS: Final = {
    "answered": "connected", "no-answer": "no_answer", "vm-left": "voicemail_drop", "vm-answer": "voicemail",
    "busy": "busy", "blocked": "failed", "error": "failed", "abandoned": "no_answer",
}  # fmt: skip
_OUTCOMES: Final = {"active": Outcome.OPEN, "won": Outcome.WON, "lost": Outcome.LOST}


def translate(delivery: Delivery, options: SourceOptions, /) -> list[Result]:
    """The events of one webhook.

    Raises:
        RefusedError: It cannot be read.
    """
    event = reading.mapping(reading.json_object(delivery.body).get("event"), "event")
    type_ = reading.text_of(event.get("object_type"))
    if not type_:
        raise RefusedError(Reason.MISSING_ATTRIBUTE, "event.object_type is missing")
    reader = _READERS.get(type_)
    if reader is None:
        return [Passed("not_counted", f"{type_} objects carry no figure")]
    change = _Change(event)
    return reader(change, options) or [Passed("no_change_for_us", "nothing of it carries a figure")]


class _Change:
    """One entry of the event log. Its times have no offset and are in UTC."""

    def __init__(self, event: dict[str, Any]) -> None:
        self.action = reading.text_of(event.get("action"))
        if self.action not in {"created", "updated", "deleted", "merged", "completed", "sent", "answered"}:
            raise RefusedError(
                Reason.UNKNOWN_VALUE, f"event.action is unknown: {fields.described(event.get('action'))}"
            )
        self.at = values.needed(event.get("date_created"), "event.date_created")
        data = reading.mapping(event.get("data") or {}, "event.data")
        self.id = values.identity(event.get("object_id", data.get("id")), "event.object_id")
        self.data = data
        changed = event.get("changed_fields")
        self.changed = set(map(str, changed[:FIELDS_MAX])) if isinstance(changed, list) else set()
        self.created_at = values.instant(data.get("date_created"), "date_created")

    def text(self, name: str) -> str:
        """A field as a text."""
        return reading.text_of(self.data.get(name))

    def sets(self, *names: str) -> bool:
        """Whether this change set one of some fields."""
        return self.action == "created" or bool(self.changed & set(names))


def _opportunity(change: _Change, options: SourceOptions) -> list[Result]:
    if change.action == "deleted":
        return [Entity("deal", change.id, options).deleted(change.at)]
    label = change.text("status_label")
    type_ = change.text("status_type")
    if options.won or options.lost:
        outcome = records.deal_stage(label, options, (), ()) if label else None
    else:
        outcome = _OUTCOMES.get(type_)
    if outcome is not Outcome.OPEN and not change.sets("status_type", "status_id"):
        outcome, label = None, ""  # the change that closed it said so
    lead = change.text("lead_id")
    pipeline = change.text("pipeline_name") or change.text("pipeline_id")
    deal = Deal(
        id=change.id,
        at=change.at,
        created_at=change.created_at,
        outcome=outcome,
        since=change.at if outcome in {Outcome.WON, Outcome.LOST} else None,
        stage=options.stage_of(label) if label else "",
        data=values.present(
            pipeline=values.pipeline_of(pipeline, options),
            amount=values.hundredths(change.data.get("value"), "value"),
            currency=values.currency(change.data.get("value_currency"), "value_currency", options),
            expected_close=change.text("expected_date") or change.text("date_won"),
            customer=change.text("lead_name"),
            lost_reason=reading.text_of(values.member(change.data, options, "lost_reason")),
            lead_id=options.id_of(lead) if lead else "",
        ),
        rep=values.person(options, change.data.get("user_id")),
    )
    return list(records.deal_events(deal, options))


def _lead(change: _Change, options: SourceOptions) -> list[Result]:
    if change.action == "deleted":
        return [Entity("lead", change.id, options).deleted(change.at)]
    label = change.text("status_label") if change.sets("status_id", "status_label") else ""
    lead = Lead(
        id=change.id,
        at=change.at,
        created_at=change.created_at,
        state=records.lead_state(label, options, LEAD_STATES) if label else "",
        since=change.at if label else None,
        data=values.present(
            channel=reading.text_of(values.member(change.data, options, "channel")),
            campaign=reading.text_of(values.member(change.data, options, "campaign")),
            reason=reading.text_of(values.member(change.data, options, "reason")),
        ),
        rep=values.person(options, values.member(change.data, options, "rep_id", "owner_id")),
    )
    return list(records.lead_events(lead, options))


def _call(change: _Change, options: SourceOptions) -> list[Result]:
    if change.action == "deleted":
        return [Entity("call", change.id, options).deleted(change.at)]
    if change.text("status") not in {"", "completed"}:
        return [Passed("planned", "the call is not over yet")]
    disposition, direction = change.text("disposition"), change.text("direction")
    data = values.present(
        direction=direction if direction in {"inbound", "outbound"} else "",
        outcome=options.outcomes.get(disposition) or DISPOSITIONS.get(disposition, ""),
        talk_seconds=reading.seconds(change.data.get("duration"), "duration"),
        recording_url=change.text("recording_url"),
        lead_id=_reference(change, "lead_id", options),
    )
    return [_done("call", "completed", change, data, options)]


def _email(change: _Change, options: SourceOptions) -> list[Result]:
    if change.action == "deleted":
        return [Entity("email", change.id, options).deleted(change.at)]
    if change.text("status") not in {"sent", "inbox"}:
        return [Passed("planned", "the email is not sent")]
    incoming = change.text("direction") == "incoming" or change.text("status") == "inbox"
    data = values.present(
        lead_id=_reference(change, "lead_id", options),
        template=change.text("template_name") or change.text("template_id"),
    )
    return [_done("email", "replied" if incoming else "sent", change, data, options)]


def _done(kind: str, word: str, change: _Change, data: dict[str, Any], options: SourceOptions) -> Result:
    """An activity at its own time: later changes of it restate it without moving it."""
    happened_at = values.instant(change.data.get("date_sent") or change.data.get("activity_at"), "activity_at")
    at = next((one for one in (happened_at, change.created_at) if one is not None), change.at)
    rep = values.person(options, change.data.get("user_id"))
    return Entity(kind, change.id, options).did(
        word, at, data, rep, number=change.text("remote_phone") or change.text("phone")
    )


def _reference(change: _Change, name: str, options: SourceOptions) -> str:
    value = change.text(name)
    return options.id_of(value) if value else ""


def sign(secret: str, message: bytes) -> str:
    """HMAC with the key that Close shows in hexadecimal digits."""
    try:
        key = bytes.fromhex(secret)
    except ValueError:
        key = secret.encode("utf-8", "surrogatepass")
    return hmac.new(key, message, "sha256").hexdigest()


_READERS: Final = {"opportunity": _opportunity, "lead": _lead, "activity.call": _call, "activity.email": _email}

SYSTEM: Final = System(
    name="close",
    title="Close",
    translate=translate,
    proof=proofs.TimedSignature(
        proofs.header("close-sig-hash"),
        proofs.header("close-sig-timestamp"),
        lambda time, delivery: time.encode("utf-8", "surrogatepass") + delivery.body,
        sign=sign,
    ),
    page="close.md",
    options={records.NEW_LEADS: records.NEW_LEADS_HELP, values.PIPELINES: values.PIPELINES_HELP},
    check=records.check_options,
)
