"""HubSpot's objects: what a property means, whether it comes by a webhook or with a fetched object and its history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from funnelwatch.schemas.sources import reading
from funnelwatch.schemas.sources.contract import Outgoing, Result, SourceOptions
from funnelwatch.schemas.sources.crm import records, values
from funnelwatch.schemas.sources.crm.records import Deal, Entity, Lead, Outcome

LEADS: Final = "leads"
LEADS_ARE_CONTACTS: Final = "contacts"
LEADS_HELP: Final = (
    "what the leads are: 'contacts' by their lifecycle stage (default), or HubSpot's own 'leads' objects"
)
COLD_CALLS: Final = "cold_calls"
COLD_CALLS_HELP: Final = "types of calls (hs_activity_type) that are cold; none by default"
VERSIONS_MAX: Final = 2_000
"""Old values of one property that are read."""

LIFECYCLE: Final = {
    "lead": "new",
    "marketingqualifiedlead": "qualified",
    "salesqualifiedlead": "accepted",
    "customer": "converted",
}
LEAD_STAGES: Final = {
    "new-stage-id": "new",
    "attempting-stage-id": "qualified",
    "connected-stage-id": "accepted",
    "qualified-stage-id": "accepted",
    "unqualified-stage-id": "disqualified",
}
LEAD_STATUS: Final = {"UNQUALIFIED": "disqualified", "BAD_TIMING": "disqualified"}
WON: Final = ("closedwon",)
LOST: Final = ("closedlost",)
DISPOSITIONS: Final = {
    "9d9162e7-6cf3-4944-bf63-4dff82258764": "busy",
    "f240bbac-87c9-4f6e-bf70-924b57d47db7": "connected",
    "a4c4c377-d246-4b32-a13b-75a56a4cd0ff": "voicemail_drop",
    "b2cf5968-551e-4856-9783-52b3da59a7d0": "voicemail",
    "73a0d17f-1163-4015-bdd5-ec830791da20": "no_answer",
    "17b47fee-58de-441e-a44c-c6300d46f273": "failed",
}
"""HubSpot's own call outcomes: busy, connected, left live message, left voicemail, no answer, wrong number."""
STATUSES: Final = {
    "BUSY": "busy", "FAILED": "failed", "NO_ANSWER": "no_answer", "MISSED": "no_answer", "CANCELED": "failed",
}  # fmt: skip


def kind_of(objects: str, options: SourceOptions) -> str | None:
    """What HubSpot's objects are to us; None if they are nothing."""
    if objects in {"contacts", "leads"}:
        return "lead" if objects == options.option(LEADS, LEADS_ARE_CONTACTS) else None
    return {"deals": "deal", "calls": "call", "emails": "email"}.get(objects)


def created(objects: str, id_: str, at: int, options: SourceOptions) -> list[Outgoing]:
    """An object came into being; calls and emails only count once they are fetched."""
    if objects == "deals":
        return records.deal_events(Deal(id=id_, at=at, created_at=at, currency=options.currency), options)
    if kind_of(objects, options) == "lead":
        return records.lead_events(Lead(id=id_, at=at, created_at=at), options)
    return []


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One property of one object is ``value``.

    ``then`` is True if it became so at ``at``, False if it is only known to have been so by then.
    """

    objects: str
    id: str
    at: int
    name: str
    value: Any
    then: bool = True


def property_changed(change: Change, options: SourceOptions) -> list[Result]:
    """What a property says; nothing if it means nothing to us."""
    text = reading.text_of(change.value)
    name = next((ours for ours, theirs in options.fields.items() if theirs == change.name), change.name)
    if not text:
        return []
    kind = kind_of(change.objects, options)
    if kind == "deal":
        return list(records.deal_events(_deal(change, name, text, options), options))
    if kind == "lead":
        return list(records.lead_events(_lead(change, name, text, options), options))
    if kind == "call" and name in {"hs_call_recording_url", "recording_url"}:
        return [Entity("call", change.id, options).did("recorded", change.at, {"recording_url": text}, ())]
    return []


def fetched(body: Mapping[str, Any], options: SourceOptions) -> list[Result]:
    """An object with its properties, and each property's history if it was asked for.

    Raises:
        RefusedError: It cannot be read.
    """
    objects = reading.text_of(body.get("objectType"))
    id_ = values.identity(body.get("id"), "id")
    properties = reading.mapping(body.get("properties"), "properties")
    kind = kind_of(objects, options)
    created_at = values.instant(body.get("createdAt"), "createdAt")
    updated_at = values.needed(body.get("updatedAt", body.get("createdAt")), "updatedAt")
    if kind in {"call", "email"}:
        return [_activity(kind, id_, properties, options)]
    if kind is None:
        return []
    told: list[Result] = list(created(objects, id_, created_at, options)) if created_at is not None else []
    history = reading.mapping(body.get("propertiesWithHistory") or {}, "propertiesWithHistory")
    for name, versions in sorted(history.items()):
        for version in reading.sequence(versions, name, VERSIONS_MAX):
            one = reading.mapping(version, name)
            at = values.needed(one.get("timestamp"), f"{name}.timestamp")
            change = Change(objects=objects, id=id_, at=at, name=name, value=one.get("value"))
            told += property_changed(change, options)
    for name, value in sorted(properties.items()):
        if name not in history:
            change = Change(objects=objects, id=id_, at=updated_at, name=name, value=value, then=False)
            told += property_changed(change, options)
    if kind == "deal":
        told += _links(id_, updated_at, body, options)
    return told


def _deal(change: Change, name: str, text: str, options: SourceOptions) -> Deal:
    id_, at = change.id, change.at
    if name in {"dealstage", "stage"}:
        outcome = records.deal_stage(text, options, WON, LOST)
        if outcome is not Outcome.OPEN and not change.then:
            return Deal(id=id_, at=at)  # the change that closed it says when
        since = at if outcome is not Outcome.OPEN else None
        return Deal(id=id_, at=at, outcome=outcome, since=since, stage=options.stage_of(text))
    if name in {"hubspot_owner_id", "rep_id"}:
        return Deal(id=id_, at=at, rep=values.person(options, text))
    members: dict[str, Any] = {}
    if name == "pipeline":
        members = {"pipeline": values.pipeline_of(text, options)}
    elif name == "amount":
        members = values.present(
            amount=values.amount(text, name), currency=values.changed_currency(None, name, options)
        )
    elif name in {"deal_currency_code", "currency"}:
        members = {"currency": values.currency(text, name, options)}
    elif name in {"closed_lost_reason", "lost_reason"}:
        members = {"lost_reason": text}
    elif name in {"closedate", "expected_close"}:
        members = {"expected_close": text}
    elif name in {"customer", "lead_id"}:
        members = {name: options.id_of(text) if name == "lead_id" else text}
    return Deal(id=id_, at=at, data=members)


def _lead(change: Change, name: str, text: str, options: SourceOptions) -> Lead:
    id_, at, objects = change.id, change.at, change.objects
    known = {
        "state": {},
        "lifecyclestage": LIFECYCLE if objects == "contacts" else {},
        "hs_pipeline_stage": LEAD_STAGES if objects == "leads" else {},
        "hs_lead_status": LEAD_STATUS if objects == "contacts" else {},
    }.get(name)
    if known is not None:
        return Lead(id=id_, at=at, since=at, state=records.lead_state(text, options, known) if change.then else "")
    if name in {"hubspot_owner_id", "rep_id"}:
        return Lead(id=id_, at=at, rep=values.person(options, text))
    if name in {"hs_analytics_source", "channel", "hs_lead_source"}:
        return Lead(id=id_, at=at, data={"channel": text})
    if name in {"hs_analytics_source_data_1", "campaign"}:
        return Lead(id=id_, at=at, data={"campaign": text})
    if name in {"hs_lead_disqualification_reason", "reason"}:
        return Lead(id=id_, at=at, data={"reason": text})
    return Lead(id=id_, at=at)


def _activity(kind: str, id_: str, properties: Mapping[str, Any], options: SourceOptions) -> Outgoing:
    """A fetched call or email."""
    rep = values.person(options, properties.get("hubspot_owner_id"))
    happened_at = values.needed(properties.get("hs_timestamp") or properties.get("hs_createdate"), "hs_timestamp")
    if kind == "email":
        incoming = reading.text_of(properties.get("hs_email_direction")) == "INCOMING_EMAIL"
        return Entity("email", id_, options).did("replied" if incoming else "sent", happened_at, {}, rep)
    talk_ms = reading.number(properties.get("hs_call_duration"), "hs_call_duration")
    type_ = reading.text_of(properties.get("hs_activity_type"))
    direction = reading.text_of(properties.get("hs_call_direction")).lower()
    number = reading.text_of(properties.get("hs_call_from_number" if direction == "inbound" else "hs_call_to_number"))
    data = values.present(
        direction=direction if direction in {"inbound", "outbound"} else "",
        outcome=_outcome(properties, options),
        talk_seconds=None if talk_ms is None else reading.seconds(talk_ms / 1_000, "hs_call_duration"),
        started_at=reading.instant_text(happened_at),
        recording_url=reading.text_of(properties.get("hs_call_recording_url")),
        cold=True if type_ and type_ in options.option(COLD_CALLS).split(",") else None,
    )
    return Entity("call", id_, options).did("completed", happened_at, data, rep, number=number)


def _outcome(properties: Mapping[str, Any], options: SourceOptions) -> str:
    disposition = reading.text_of(properties.get("hs_call_disposition"))
    status = reading.text_of(properties.get("hs_call_status"))
    return (
        options.outcomes.get(disposition)
        or options.outcomes.get(status)
        or DISPOSITIONS.get(disposition)
        or STATUSES.get(status)
        or ("connected" if status == "COMPLETED" and not disposition else "")
    )


def _links(id_: str, at: int, body: Mapping[str, Any], options: SourceOptions) -> list[Outgoing]:
    """A fetched deal's first contact (or lead) is where it came from."""
    associations = reading.mapping(body.get("associations") or {}, "associations")
    found = reading.mapping(associations.get(options.option(LEADS, LEADS_ARE_CONTACTS)) or {}, "associations")
    results = reading.sequence(found.get("results", []), "associations.results")
    if not results:
        return []
    lead = values.identity(reading.mapping(results[0], "an association").get("id"), "associations.id")
    return records.deal_events(Deal(id=id_, at=at, data={"lead_id": options.id_of(lead)}), options)
