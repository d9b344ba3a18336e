"""EspoCRM: webhooks of single events: arrays of records, signed.

The body says neither the kind of record nor what happened: the address does, since there is one webhook per event:
``…/hooks/espo?event=Opportunity.update``. ``create`` has all attributes, ``update`` those that changed **but never the
time of the change** (EspoCRM leaves ``modifiedAt`` out). So an update without a time is told at the time it was
received, at most the delay of EspoCRM's queue (5 minutes unless the job is scheduled otherwise) after it happened.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final

from funnelwatch.schemas import fields
from funnelwatch.schemas.reasons import Reason, RefusedError
from funnelwatch.schemas.sources import proofs, reading
from funnelwatch.schemas.sources.contract import (
    Delivery,
    ForgedError,
    Forgery,
    Passed,
    Reply,
    Result,
    SourceOptions,
    System,
)
from funnelwatch.schemas.sources.crm import records, values
from funnelwatch.schemas.sources.crm.batches import each
from funnelwatch.schemas.sources.crm.records import Deal, Entity, Lead, Outcome

RECORDS_MAX: Final = 1_000
EVENT: Final = "event"
WON: Final = ("Closed Won",)
LOST: Final = ("Closed Lost",)
LEAD_STATES: Final = {
    "New": "new", "Assigned": "new", "In Process": "qualified", "Converted": "accepted",
    "Recycled": "disqualified", "Dead": "disqualified",
}  # fmt: skip
CALL_OUTCOMES: Final = {"Held": "connected", "Not Held": "no_answer"}


def translate(delivery: Delivery, options: SourceOptions, /) -> list[Result]:
    """The events of one webhook.

    Raises:
        RefusedError: It cannot be read.
    """
    body = reading.json_body(delivery.body)
    rows = reading.sequence(body, "the body", RECORDS_MAX) if isinstance(body, list) else [body]
    entity, _, word = delivery.query.get(EVENT, options.option(EVENT)).partition(".")
    if not entity or not word:
        raise RefusedError(
            Reason.MISSING_ATTRIBUTE, "the address does not say what it is called for: add ?event=Lead.create to it"
        )
    reader = _READERS.get(entity)
    if reader is None:
        return [Passed("not_counted", f"{entity} records carry no figure")]

    def read(row: Any) -> list[Result]:
        look = _Look(reading.mapping(row, "a record"), word, delivery.received_us, options)
        return _event(entity, word, look, options)

    return each(rows, read)


class _Look:
    """One record, with when it looked like this."""

    def __init__(self, record: dict[str, Any], word: str, received_us: int, options: SourceOptions) -> None:
        self.record = record
        self.id = values.identity(record.get("id"), "id")
        self.created_at = values.instant(record.get("createdAt"), "createdAt") if word == "create" else None
        modified_at = values.instant(record.get("modifiedAt"), "modifiedAt")
        self.at = next((at for at in (modified_at, self.created_at) if at is not None), received_us)
        self.rep = values.person(options, record.get("assignedUserId"))

    def text(self, name: str) -> str:
        """An attribute as a text."""
        return reading.text_of(self.record.get(name))


def _event(entity: str, word: str, look: _Look, options: SourceOptions) -> list[Result]:
    if word == "delete":
        if entity == "User":
            return [Entity("rep", look.id, options).removed(look.at)]
        return [Entity(_KINDS[entity], look.id, options).deleted(look.at)]
    if word not in {"create", "update"} and not word.startswith("fieldUpdate."):
        raise RefusedError(Reason.UNKNOWN_VALUE, f"the event in the address is unknown: {fields.described(word)}")
    return _READERS[entity](look, options) or [Passed("no_change_for_us", "no attribute that carries a figure")]


def _opportunity(look: _Look, options: SourceOptions) -> list[Result]:
    stage = look.text("stage")
    outcome = records.deal_stage(stage, options, WON, LOST) if stage else None
    lead = look.text("originalLeadId")
    deal = Deal(
        id=look.id,
        at=look.at,
        created_at=look.created_at,
        outcome=outcome,
        since=look.at if outcome in {Outcome.WON, Outcome.LOST} else None,
        stage=options.stage_of(stage) if stage else "",
        data=values.present(
            pipeline=reading.text_of(values.member(look.record, options, "pipeline")),
            amount=values.amount(look.record.get("amount"), "amount"),
            currency=values.changed_currency(look.record.get("amountCurrency"), "amountCurrency", options),
            expected_close=look.text("closeDate"),
            customer=look.text("accountName"),
            lost_reason=reading.text_of(values.member(look.record, options, "lost_reason")),
            lead_id=options.id_of(lead) if lead else "",
        ),
        rep=look.rep,
        currency=options.currency,
    )
    return list(records.deal_events(deal, options))


def _lead(look: _Look, options: SourceOptions) -> list[Result]:
    status = look.text("status")
    state = records.lead_state(status, options, LEAD_STATES) if status else ""
    deal = look.text("createdOpportunityId")
    lead = Lead(
        id=look.id,
        at=look.at,
        created_at=look.created_at,
        state=state,
        since=look.at,
        data=values.present(
            channel=look.text("source"),
            campaign=look.text("campaignName"),
            deal_id=options.id_of(deal) if deal else "",
        ),
        rep=look.rep,
    )
    told: list[Result] = list(records.lead_events(lead, options))
    if deal:
        told += records.deal_events(Deal(id=deal, at=look.at, data={"lead_id": options.id_of(look.id)}), options)
    return told


def _call(look: _Look, options: SourceOptions) -> list[Result]:
    status = look.text("status")
    outcome = options.outcomes.get(status) or CALL_OUTCOMES.get(status)
    if outcome is None:
        return []
    direction = look.text("direction").lower()
    parent = {"Lead": "lead_id", "Opportunity": "deal_id"}.get(look.text("parentType"))
    data = values.present(direction=direction if direction in {"inbound", "outbound"} else "", outcome=outcome)
    if parent and look.text("parentId"):
        data[parent] = options.id_of(look.text("parentId"))
    started_at = values.instant(look.record.get("dateStart"), "dateStart")
    at = look.at if started_at is None else min(started_at, look.at)
    return [Entity("call", look.id, options).did("completed", at, data, look.rep)]


def _user(look: _Look, options: SourceOptions) -> list[Result]:
    data = values.present(name=look.text("name"), active=values.flag(look.record.get("isActive")))
    address = look.text("emailAddress")
    return [Entity("rep", look.id, options).person(look.at, data, address)] if data or address else []


class _Proof:
    """``Signature``: base64 of the webhook's id, a colon and the HMAC of the body in hexadecimal digits (since 9.0).

    The secret is ``ID:SECRET_KEY``, one of each webhook, separated by blanks: EspoCRM has a key per event. Before 9.0,
    ``X-Signature`` is base64 of the id, a colon and the HMAC's bytes.
    """

    window_us: int | None = None

    def verify(self, delivery: Delivery, secret: str, _options: SourceOptions, _now_us: int, /) -> None:
        """Believe it if one of the webhooks signed it."""
        given = delivery.headers.get("signature") or delivery.headers.get("x-signature")
        if not given:
            raise ForgedError(Forgery.MISSING_PROOF)
        try:
            raw = base64.b64decode(given.strip()[: proofs.PROOF_CHARS_MAX], validate=True)
        except (binascii.Error, ValueError):
            raise ForgedError(Forgery.UNREADABLE_PROOF) from None
        id_, _, signed = raw.partition(b":")
        wanted = [_signatures(pair.partition(":")[2], delivery.body) for pair in secret.split() if _is(pair, id_)]
        if not sum(proofs.same(signed, one) for both in wanted for one in both):  # all of them: constant time
            raise ForgedError(Forgery.WRONG_PROOF)

    def handshake(self, _delivery: Delivery, _secret: str, _options: SourceOptions, /) -> Reply | None:
        """There is none."""
        return None


def _is(pair: str, id_: bytes) -> bool:
    return pair.partition(":")[0].encode() == id_


def _signatures(key: str, body: bytes) -> tuple[bytes, bytes]:
    hexadecimal = proofs.hmac_hex(key, body)
    return hexadecimal.encode(), bytes.fromhex(hexadecimal)


_READERS: Final = {"Opportunity": _opportunity, "Lead": _lead, "Call": _call, "User": _user}
_KINDS: Final = {"Opportunity": "deal", "Lead": "lead", "Call": "call"}

SYSTEM: Final = System(
    name="espocrm",
    title="EspoCRM",
    translate=translate,
    proof=_Proof(),
    page="espocrm.md",
    options={
        records.NEW_LEADS: records.NEW_LEADS_HELP,
        EVENT: "the event of a source that has only one webhook, if its address cannot say: 'Lead.create'",
    },
    check=records.check_options,
)
