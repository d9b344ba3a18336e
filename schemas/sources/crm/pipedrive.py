"""Pipedrive: webhooks v1 and v2. Both send the whole record on each change, in two dialects.

=================== ======================================== ==============================================
what                v1                                       v2
=================== ======================================== ==============================================
record              ``current`` / ``previous`` (whole)       ``data`` / ``previous`` (what changed only)
action              added, updated, deleted, merged          create, change, delete (``data`` is null)
times               ``YYYY-MM-DD HH:MM:SS``, UTC             RFC 3339
owner               ``user_id``, a number or an object       ``owner_id``
when it was sent    ``meta.timestamp_milli``                 ``meta.timestamp``
=================== ======================================== ==============================================

``retry`` and ``attempt`` are of the delivery and not of the event: a redelivery gives the same events again.
"""

from __future__ import annotations

from typing import Any, Final

from funnelwatch.schemas import fields
from funnelwatch.schemas.reasons import Reason, RefusedError
from funnelwatch.schemas.sources import proofs, reading
from funnelwatch.schemas.sources.contract import Delivery, Outgoing, Passed, Result, SourceOptions, System
from funnelwatch.schemas.sources.crm import records, values
from funnelwatch.schemas.sources.crm.records import Deal, Entity, Lead, Outcome

LAST_OF_A_SECOND_US: Final = 999_999
"""Closes are told to the second, changes to the millisecond: a close comes after the changes of its second."""

_ACTIONS: Final = {
    "added": "create", "updated": "change", "deleted": "delete", "merged": "change",
    "create": "create", "change": "change", "delete": "delete",
}  # fmt: skip
_IGNORED: Final = frozenset(
    {
        "person",
        "organization",
        "note",
        "stage",
        "pipeline",
        "product",
        "activityType",
        "activity_type",
        "project",
        "board",
        "phase",
        "task",
    }
)


def translate(delivery: Delivery, options: SourceOptions, /) -> list[Result]:
    """The events of one webhook.

    Raises:
        RefusedError: It cannot be read.
    """
    body = reading.json_object(delivery.body)
    meta = reading.mapping(body.get("meta"), "meta")
    entity = reading.text_of(meta.get("entity") or meta.get("object"))
    action = _ACTIONS.get(reading.text_of(meta.get("action")))
    if action is None:
        raise RefusedError(Reason.UNKNOWN_VALUE, f"meta.action is unknown: {fields.described(meta.get('action'))}")
    reader = _READERS.get(entity)
    if reader is None:
        if entity in _IGNORED:
            return [Passed("not_counted", f"{entity} records carry no figure")]
        raise RefusedError(Reason.UNKNOWN_VALUE, f"meta.entity is unknown: {fields.described(entity)}")
    return reader(_Change(body, meta, action), options)


class _Change:
    """One change of one record, without the dialect."""

    def __init__(self, body: dict[str, Any], meta: dict[str, Any], action: str) -> None:
        self.at = _sent_at(meta)
        self.action = action
        now = body["data"] if body.get("data") is not None else body.get("current")
        before = body.get("previous")
        self.record = reading.mapping(now, "the record") if now is not None else {}
        self.before = reading.mapping(before, "previous") if before is not None else {}
        known = meta.get("entity_id", meta.get("id"))
        self.id = values.identity(self.record.get("id", self.before.get("id", known)), "the record's id")
        if action != "delete" and not self.record:
            raise RefusedError(Reason.MISSING_ATTRIBUTE, "the record is missing")

    def changed(self, name: str) -> bool:
        """Whether this very change set a member; v1 has all of the old record, v2 what differs."""
        return self.action == "create" or (name in self.before and self.before[name] != self.record.get(name))

    def time(self, *names: str) -> int | None:
        """The first of some times that is there."""
        found = (values.instant(self.record.get(name), name) for name in names)
        return next((at for at in found if at is not None), None)

    def owner(self, options: SourceOptions) -> tuple[str, ...]:
        """The record's owner by id, in v1 sometimes also by address."""
        user = self.record.get("owner_id", self.record.get("user_id"))
        if isinstance(user, dict):
            return values.person(options, user.get("id"), user.get("email"))
        return values.person(options, user)


def _sent_at(meta: dict[str, Any]) -> int:
    if meta.get("timestamp_milli") is not None:
        return reading.epoch_ms(meta["timestamp_milli"], "meta.timestamp_milli")
    if isinstance(meta.get("timestamp"), str):
        return reading.time_us(meta["timestamp"], "UTC", "meta.timestamp")
    return reading.epoch_seconds(meta.get("timestamp"), "meta.timestamp")


def _deal(change: _Change, options: SourceOptions) -> list[Result]:
    record = change.record
    if change.action == "delete" or record.get("deleted") is True or record.get("status") == "deleted":
        return [Entity("deal", change.id, options).deleted(change.at)]
    status = reading.text_of(record.get("status"))
    if status not in {"", *Outcome}:
        raise RefusedError(Reason.UNKNOWN_VALUE, f"status is unknown: {fields.described(status)}")
    outcome = Outcome(status) if status else None
    stage = reading.text_of(record.get("stage_id"))
    stage = options.stage_of(stage) if stage else ""
    entered_at = change.time("stage_change_time")
    pipeline = reading.text_of(record.get("pipeline_id"))
    lead = reading.text_of(values.member(record, options, "lead_id", "lead_id"))
    deal = Deal(
        id=change.id,
        at=change.at,
        created_at=change.time("add_time"),
        outcome=outcome,
        since=_closed_at(change, outcome),
        stage=stage,
        moves=((entered_at, stage),) if entered_at is not None and stage and outcome is Outcome.OPEN else (),
        data=values.present(
            pipeline=values.pipeline_of(pipeline, options),
            amount=values.amount(record.get("value"), "value"),
            currency=values.currency(record.get("currency"), "currency", options),
            expected_close=reading.text_of(record.get("expected_close_date")),
            customer=reading.text_of(record.get("org_name")),
            lost_reason=reading.text_of(record.get("lost_reason")),
            lead_id=options.id_of(lead) if lead else "",
        ),
        rep=change.owner(options),
    )
    return list(records.deal_events(deal, options))


def _closed_at(change: _Change, outcome: Outcome | None) -> int | None:
    if outcome not in {Outcome.WON, Outcome.LOST}:
        return None
    told = change.time(f"{outcome}_time", "close_time")
    if told is not None:
        return told + LAST_OF_A_SECOND_US if told % 1_000_000 == 0 else told
    return change.at if change.changed("status") else None


def _lead(change: _Change, options: SourceOptions) -> list[Result]:
    if change.action == "delete":
        return [Entity("lead", change.id, options).deleted(change.at)]
    record = change.record
    archived = values.flag(record.get("is_archived"))
    state, since = "", None
    if archived and change.changed("is_archived"):
        state, since = "disqualified", change.at
    elif archived:
        state = "disqualified"
    elif change.action == "change" and values.flag(change.before.get("is_archived")):
        state, since = "qualified", change.at
    lead = Lead(
        id=change.id,
        at=change.at,
        created_at=change.time("add_time"),
        state=state,
        since=since,
        data=values.present(channel=reading.text_of(record.get("source_name"))),
        rep=change.owner(options),
    )
    return _restored_lead(records.lead_events(lead, options), lead, options)


def _restored_lead(told: list[Outgoing], lead: Lead, options: SourceOptions) -> list[Result]:
    """A lead back from the archive is with sales again, also where all leads count as qualified from the beginning."""
    if lead.state == "qualified" and not any(one.type == "lead.qualified" and one.at == lead.at for one in told):
        told.append(Entity("lead", lead.id, options).did("qualified", lead.at, {}, ()))
    return list(told)


def _activity(change: _Change, options: SourceOptions) -> list[Result]:
    record = change.record
    type_ = reading.text_of(record.get("type", change.before.get("type")))
    kind = (
        "call"
        if type_ in _types(options, "calls", "call")
        else "email"
        if type_ in _types(options, "emails", "email")
        else ""
    )
    if not kind:
        return [Passed("other_activity", f"activities of type {fields.described(type_)} are no outreach")]
    if change.action == "delete":
        return [Entity(kind, change.id, options).deleted(change.at)]
    was_done = values.flag(change.before.get("done"))
    if not values.flag(record.get("done")):
        undone = change.action == "change" and bool(was_done)
        return [Entity(kind, change.id, options).deleted(change.at) if undone else Passed("planned", "not done yet")]
    done_at = change.time("marked_as_done_time")
    if done_at is None and not change.changed("done"):
        return [Passed("no_change_for_us", "done before, and it does not say when")]
    data = values.present(
        lead_id=_reference(record, "lead_id", options),
        deal_id=_reference(record, "deal_id", options),
        cold=True if type_ in _types(options, "cold", "") else None,
    )
    data |= {"direction": "outbound"} if kind == "call" else {}
    word = "completed" if kind == "call" else "sent"
    owner = record.get("owner_id", record.get("assigned_to_user_id", record.get("user_id")))
    rep = values.person(options, owner)
    return [Entity(kind, change.id, options).did(word, change.at if done_at is None else done_at, data, rep)]


def _user(change: _Change, options: SourceOptions) -> list[Result]:
    record = change.record
    if change.action == "delete":
        return [Entity("rep", change.id, options).removed(change.at)]
    data = values.present(name=reading.text_of(record.get("name")), active=values.flag(record.get("active_flag")))
    return [Entity("rep", change.id, options).person(change.at, data, reading.text_of(record.get("email")))]


def _reference(record: dict[str, Any], name: str, options: SourceOptions) -> str:
    value = reading.text_of(record.get(name))
    return options.id_of(value) if value else ""


def _types(options: SourceOptions, name: str, default: str) -> set[str]:
    return {part.strip() for part in options.option(name, default).split(",")} - {""}


_READERS: Final = {"deal": _deal, "lead": _lead, "activity": _activity, "user": _user}

SYSTEM: Final = System(
    name="pipedrive",
    title="Pipedrive",
    translate=translate,
    proof=proofs.Token(proofs.basic_of),
    page="pipedrive.md",
    options={
        records.NEW_LEADS: records.NEW_LEADS_HELP,
        values.PIPELINES: values.PIPELINES_HELP,
        "calls": "types of activities that are calls; default 'call'",
        "emails": "types of activities that are emails; default 'email'",
        "cold": "types of activities that are cold outreach; none by default",
    },
    check=records.check_options,
)
