"""Zoho CRM: callbacks of its Notification API.

A callback names a module, an operation and records; what changed stands in ``affected_values`` (if the channel was made
with ``return_affected_field_values``). Proof is a token in the body that was set with the channel.
"""

from __future__ import annotations

import re
from typing import Any, Final

from funnelwatch.schemas import fields
from funnelwatch.schemas.reasons import Reason, RefusedError
from funnelwatch.schemas.sources import proofs, reading
from funnelwatch.schemas.sources.contract import (
    Delivery,
    ForgedError,
    Forgery,
    Outgoing,
    Passed,
    Reply,
    Result,
    SourceOptions,
    System,
    Wanted,
)
from funnelwatch.schemas.sources.crm import records, values
from funnelwatch.schemas.sources.crm.batches import each
from funnelwatch.schemas.sources.crm.records import Deal, Entity, Lead, Outcome

RECORDS_MAX: Final = 1_000
CHANNEL: Final = "channel_id"
ADDRESS: Final = "https://www.zohoapis.com"
LOG_IN_ADDRESS: Final = "https://accounts.zoho.com"
EVENTS: Final = "Leads.all,Deals.all"
WON: Final = ("Closed Won",)
LOST: Final = ("Closed Lost", "Closed-Lost to Competition", "Closed Lost to Competition")
LEAD_STATES: Final = {
    "Pre-Qualified": "qualified",
    "Pre Qualified": "qualified",
    "Junk Lead": "disqualified",
    "Lost Lead": "disqualified",
    "Not Qualified": "disqualified",
}
_NUMBER: Final = re.compile(r"[0-9]{1,19}", re.ASCII)
_OPERATIONS: Final = frozenset({"insert", "update", "delete"})
_MODULES: Final = {"Leads": "lead", "Deals": "deal", "Potentials": "deal"}


def translate(delivery: Delivery, options: SourceOptions, /) -> list[Result]:
    """The events of a callback.

    Raises:
        RefusedError: It cannot be read.
    """
    body = reading.json_object(delivery.body)
    module = reading.text_of(body.get("module"))
    kind = _MODULES.get(module)
    if not module:
        raise RefusedError(Reason.MISSING_ATTRIBUTE, "module is missing")
    if kind is None:
        return [Passed("not_counted", f"{module} records carry no figure")]
    return _callback(kind, module, body, options)


def _callback(kind: str, module: str, body: dict[str, Any], options: SourceOptions) -> list[Result]:
    operation = reading.text_of(body.get("operation")).lower()
    if operation not in _OPERATIONS:
        raise RefusedError(Reason.UNKNOWN_VALUE, f"operation is unknown: {fields.described(body.get('operation'))}")
    at = reading.epoch_ms(body.get("server_time"), "server_time")
    ids = [values.identity(one, "ids") for one in reading.sequence(body.get("ids"), "ids", RECORDS_MAX)]
    if operation == "delete":
        return [Entity(kind, id_, options).deleted(at) for id_ in ids]
    changed: dict[str, dict[str, Any]] = {}
    for row in reading.sequence(body.get("affected_values") or [], "affected_values", RECORDS_MAX):
        one = reading.mapping(row, "affected_values")
        changed[values.identity(one.get("record_id"), "record_id")] = reading.mapping(one.get("values"), "values")

    def read(id_: str) -> list[Result]:
        look = _Look(id_, at, at if operation == "insert" else None, changed.get(id_, {}))
        found: list[Result] = list(_READERS[kind](look, options))
        if id_ not in changed or operation == "insert":
            found.append(Wanted(entity=module, id=id_, at=at, change=operation))
        return found or [Passed("no_change_for_us", "none of the fields that changed carries a figure")]

    return each(ids, read)


class _Look:
    """What changed of a record at ``at``."""

    def __init__(self, id_: str, at: int, created_at: int | None, record: dict[str, Any]) -> None:
        self.id, self.at, self.created_at, self.record = id_, at, created_at, record

    def text(self, name: str) -> str:
        """A field as a text; a related record's name."""
        value = self.record.get(name)
        return reading.text_of(value.get("name") if isinstance(value, dict) else value)

    def owner(self, options: SourceOptions) -> tuple[str, ...]:
        """The owner by id, and by address if it is told."""
        owner = self.record.get("Owner")
        if isinstance(owner, dict):
            return values.person(options, owner.get("id"), owner.get("email"))
        return values.person(options, owner)


def _deal(look: _Look, options: SourceOptions) -> list[Outgoing]:
    stage = look.text("Stage")
    outcome = records.deal_stage(stage, options, WON, LOST) if stage else None
    lead = reading.text_of(values.member(look.record, options, "lead_id"))
    deal = Deal(
        id=look.id,
        at=look.at,
        created_at=look.created_at,
        outcome=outcome,
        since=look.at if outcome in {Outcome.WON, Outcome.LOST} else None,
        stage=options.stage_of(stage) if stage else "",
        data=values.present(
            pipeline=values.pipeline_of(look.text("Pipeline"), options),
            amount=values.amount(look.record.get("Amount"), "Amount"),
            currency=_currency(look.record, options),
            expected_close=look.text("Closing_Date"),
            customer=look.text("Account_Name"),
            lost_reason=reading.text_of(values.member(look.record, options, "lost_reason", "Reason_For_Loss__s")),
            lead_id=options.id_of(lead) if lead else "",
        ),
        rep=look.owner(options),
        currency=options.currency,
    )
    return records.deal_events(deal, options)


def _lead(look: _Look, options: SourceOptions) -> list[Outgoing]:
    status = look.text("Lead_Status")
    converted = values.flag(look.record.get("$converted", look.record.get("Converted__s"))) is True
    lead = Lead(
        id=look.id,
        at=look.at,
        created_at=look.created_at,
        state="accepted" if converted else records.lead_state(status, options, LEAD_STATES) if status else "",
        since=look.at,
        data=values.present(
            channel=look.text("Lead_Source"),
            campaign=reading.text_of(values.member(look.record, options, "campaign")),
            reason=reading.text_of(values.member(look.record, options, "reason")),
        ),
        rep=look.owner(options),
    )
    return records.lead_events(lead, options)


_READERS: Final = {"deal": _deal, "lead": _lead}


def _currency(record: dict[str, Any], options: SourceOptions) -> str:
    if record.get("Currency") is None and record.get("Amount") is None:
        return ""
    return values.changed_currency(record.get("Currency"), "Currency", options)


class _Proof:
    """The token in the body, and the channel if the source names it."""

    window_us: int | None = None

    def verify(self, delivery: Delivery, secret: str, options: SourceOptions, _now_us: int, /) -> None:
        """Believe it if it has the token that was set with the channel."""
        try:
            body = reading.json_object(delivery.body)
        except RefusedError:
            raise ForgedError(Forgery.UNREADABLE_PROOF) from None
        token, channel = body.get("token"), body.get("channel_id")
        proofs.demand(token if isinstance(token, str) else None, secret)
        if options.option(CHANNEL):
            proofs.demand(channel if isinstance(channel, str) else None, options.option(CHANNEL))

    def handshake(self, _delivery: Delivery, _secret: str, _options: SourceOptions, /) -> Reply | None:
        """There is none."""
        return None


def _checked(options: SourceOptions) -> list[str]:
    found = records.check_options(options)
    channel = options.option(CHANNEL)
    if options.option("client_id") and not channel:
        found.append(f"{CHANNEL}: is needed with client_id: a number you make up")
    if channel and not _NUMBER.fullmatch(channel):
        found.append(f"{CHANNEL}: must be a number of at most 19 digits")
    return found


SYSTEM: Final = System(
    name="zoho",
    title="Zoho CRM",
    translate=translate,
    proof=_Proof(),
    page="zoho.md",
    options={
        records.NEW_LEADS: records.NEW_LEADS_HELP,
        values.PIPELINES: values.PIPELINES_HELP,
        values.ONE_CURRENCY: values.ONE_CURRENCY_HELP,
        CHANNEL: "a number you make up, which names the notifications; if set, other channels are not believed",
        "client_id": "of the self client with which notifications are kept on; you keep them on yourself if not given",
        "events": f"what is notified; default {EVENTS}",
        "address": f"where Zoho's API is, if not {ADDRESS}: https://www.zohoapis.eu in the European Union, …",
        "log_in_address": f"where its tokens are given, if not {LOG_IN_ADDRESS}: https://accounts.zoho.eu, …",
        "renewal_seconds": "between two renewals of the notifications; default 14400",
        "pause_seconds": "before a request is tried again; default 0.5, it doubles",
    },
    check=_checked,
)
