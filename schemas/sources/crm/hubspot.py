"""HubSpot: webhooks (batches of single changes), and the objects that are fetched because a webhook lacks them.

A webhook says of one property what it became, or that an object was created, deleted, merged, restored or associated.
It says neither who owns the object nor what was before: the owner comes by a change of its own (``hubspot_owner_id``)
or by the fetch, and what was before is what we know already. ``eventId`` is not unique by HubSpot's own word, and
``attemptNumber`` counts deliveries, so ids are made of what the event says.
"""

from __future__ import annotations

from typing import Any, Final

from funnelwatch.schemas.reasons import Reason, RefusedError
from funnelwatch.schemas.sources import reading
from funnelwatch.schemas.sources.contract import Delivery, Passed, Result, SourceOptions, System, Wanted
from funnelwatch.schemas.sources.crm import hubspot_objects as objects
from funnelwatch.schemas.sources.crm import records, values
from funnelwatch.schemas.sources.crm.batches import each
from funnelwatch.schemas.sources.crm.hubspot_proof import PROOF, SIGNATURES, SIGNATURES_HELP, check_signatures
from funnelwatch.schemas.sources.crm.records import Entity

EVENTS_MAX: Final = 1_000
"""Events of one delivery; HubSpot sends at most 100."""

_KINDS: Final = {
    "contact": "contacts", "0-1": "contacts", "deal": "deals", "0-3": "deals", "lead": "leads", "0-136": "leads",
    "call": "calls", "0-48": "calls", "email": "emails", "0-49": "emails",
}  # fmt: skip


def translate(delivery: Delivery, options: SourceOptions, /) -> list[Result]:
    """The events of a batch, or of one fetched object (which has ``properties``).

    Raises:
        RefusedError: It cannot be read.
    """
    body = reading.json_body(delivery.body)
    if isinstance(body, dict) and "properties" in body:
        return objects.fetched(body, options)
    changes = reading.sequence(body, "the batch", EVENTS_MAX) if isinstance(body, list) else [body]
    return each(changes, lambda change: _change(reading.mapping(change, "an event"), options))


def _change(change: dict[str, Any], options: SourceOptions) -> list[Result]:
    object_type, _, word = reading.text_of(change.get("subscriptionType")).partition(".")
    if not word:
        raise RefusedError(Reason.MISSING_ATTRIBUTE, "subscriptionType is missing")
    if object_type == "object":
        object_type = reading.text_of(change.get("objectTypeId"))
    kind = _KINDS.get(object_type)
    if kind is None:
        return [Passed("not_counted", f"objects of type {object_type} carry no figure")]
    at = reading.epoch_ms(change.get("occurredAt"), "occurredAt")
    if word == "associationChange":
        return _association(change, at, options)
    id_ = values.identity(change.get("objectId", change.get("newObjectId")), "objectId")
    if word == "propertyChange":
        name, value = reading.text_of(change.get("propertyName")), change.get("propertyValue")
        changed = objects.Change(objects=kind, id=id_, at=at, name=name, value=value)
        return objects.property_changed(changed, options) or [Passed("no_change_for_us", f"{name} carries no figure")]
    return _word(word, Wanted(entity=kind, id=id_, at=at, change=word), change, options)


def _word(word: str, about: Wanted, change: dict[str, Any], options: SourceOptions) -> list[Result]:
    """An object was created, deleted, restored or merged; ``about`` says which, and is fetched unless it is gone."""
    kind, id_, at = about.entity, about.id, about.at
    ours = objects.kind_of(kind, options)
    if ours is None:
        return [Passed("not_counted", f"{kind} are no leads here: see the option 'leads'")]
    if word == "creation":
        return [*objects.created(kind, id_, at, options), about]
    if word in {"deletion", "privacyDeletion"}:
        return [Entity(ours, id_, options).deleted(at)]
    if word == "restore":
        return [*([Entity(ours, id_, options).restored(at)] if ours in {"lead", "deal"} else []), about]
    if word == "merge":
        gone = reading.sequence(change.get("mergedObjectIds", []), "mergedObjectIds", EVENTS_MAX)
        kept = values.identity(change.get("primaryObjectId", id_), "primaryObjectId")
        others = [values.identity(one, "mergedObjectIds") for one in gone]
        return [
            *(Entity(ours, one, options).deleted(at) for one in others if one not in {kept, id_}),
            about,
        ]
    return [Passed("not_counted", f"{word} carries no figure")]


def _association(change: dict[str, Any], at: int, options: SourceOptions) -> list[Result]:
    """A deal or an activity of a contact belongs to it from now on."""
    between = reading.text_of(change.get("associationType")).split("_TO_")
    if len(between) != 2 or values.flag(change.get("associationRemoved")):  # noqa: PLR2004  (from, to)
        return [Passed("no_change_for_us", "an association that ended, or of other objects")]
    ends = dict(zip(between, (change.get("fromObjectId"), change.get("toObjectId")), strict=True))
    leads = "CONTACT" if objects.kind_of("contacts", options) == "lead" else "LEAD"
    lead = reading.text_of(ends.get(leads))
    deal = reading.text_of(ends.get("DEAL"))
    if not (lead and deal):
        return [Passed("no_change_for_us", "an association of objects that have no link here")]
    return list(records.deal_events(records.Deal(id=deal, at=at, data={"lead_id": options.id_of(lead)}), options))


SYSTEM: Final = System(
    name="hubspot",
    title="HubSpot",
    translate=translate,
    proof=PROOF,
    page="hubspot.md",
    options={
        objects.LEADS: objects.LEADS_HELP,
        records.NEW_LEADS: records.NEW_LEADS_HELP,
        values.PIPELINES: values.PIPELINES_HELP,
        values.ONE_CURRENCY: values.ONE_CURRENCY_HELP,
        SIGNATURES: SIGNATURES_HELP,
        objects.COLD_CALLS: objects.COLD_CALLS_HELP,
        "fetch": "true: what webhooks name is fetched",
        "address": "of the API, if it is not HubSpot's own",
        "pause_seconds": "before a request is tried again; default 0.5, it doubles",
    },
    fields={"state": "the property of a lead's status, beside HubSpot's own"},
    check=lambda options: [*records.check_options(options), *check_signatures(options)],
)
