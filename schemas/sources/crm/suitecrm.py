"""SuiteCRM: JSON:API documents of its V8 API, which are pulled; it has no webhooks of its own.

``date_modified`` is when a record looked like this. ``date_closed`` of an opportunity is a planned day and no moment,
so our poller notes since when it has seen a stage (``funnelwatch_since`` beside a record's attributes).
"""

from __future__ import annotations

from typing import Any, Final

from funnelwatch.schemas.sources import proofs, reading
from funnelwatch.schemas.sources.contract import Delivery, Passed, Result, SourceOptions, System
from funnelwatch.schemas.sources.crm import records, values
from funnelwatch.schemas.sources.crm.batches import each
from funnelwatch.schemas.sources.crm.records import Deal, Entity, Lead
from funnelwatch.schemas.sources.crm.vtiger_record import SEEN_SINCE

RECORDS_MAX: Final = 10_000
WON: Final = ("Closed Won",)
LOST: Final = ("Closed Lost",)
LEAD_STATES: Final = {
    "New": "new", "Assigned": "new", "In Process": "qualified", "Converted": "accepted", "Recycled": "disqualified",
    "Dead": "disqualified",
}  # fmt: skip
CALL_OUTCOMES: Final = {"Held": "connected", "Not Held": "no_answer"}


def translate(delivery: Delivery, options: SourceOptions, /) -> list[Result]:
    """The events of a document: one record, or a page of them.

    Raises:
        RefusedError: It cannot be read.
    """
    data = reading.json_object(delivery.body).get("data")
    rows = reading.sequence(data, "data", RECORDS_MAX) if isinstance(data, list) else [data]
    return each(rows, lambda row: _record(reading.mapping(row, "data"), options)) or [
        Passed("no_records", "an empty page")
    ]


class _Look:
    """One record."""

    def __init__(self, row: dict[str, Any]) -> None:
        self.attributes = reading.mapping(row.get("attributes") or {}, "attributes")
        self.id = values.identity(row.get("id"), "id")
        self.at = values.needed(self.attributes.get("date_modified"), "date_modified")
        self.created_at = values.instant(self.attributes.get("date_entered"), "date_entered")
        since = row.get(SEEN_SINCE)
        self.since = since if isinstance(since, int) and not isinstance(since, bool) else None
        if self.since is not None:
            reading.instant_text(self.since)

    def text(self, name: str) -> str:
        """An attribute as a text."""
        return reading.text_of(self.attributes.get(name))

    def owner(self, options: SourceOptions) -> tuple[str, ...]:
        """Who it is assigned to."""
        return values.person(options, self.text("assigned_user_id"))


def _record(row: dict[str, Any], options: SourceOptions) -> list[Result]:
    type_ = reading.text_of(row.get("type"))
    reader = _READERS.get(type_)
    if reader is None:
        return [Passed("not_counted", f"{type_ or 'unnamed'} records carry no figure")]
    look = _Look(row)
    kind = {"Lead": "lead", "Opportunity": "deal", "Call": "call"}.get(type_.removesuffix("s").replace("ie", "y"), "")
    if kind and values.flag(look.attributes.get("deleted")):
        return [Entity(kind, look.id, options).deleted(look.at)]
    return reader(look, options)


def _opportunity(look: _Look, options: SourceOptions) -> list[Result]:
    stage = look.text("sales_stage")
    outcome = records.deal_stage(stage, options, WON, LOST) if stage else None
    lead = look.text(options.fields.get("lead_id", "lead_id"))
    closes_on = look.text("date_closed")
    deal = Deal(
        id=look.id,
        at=look.at,
        created_at=look.created_at,
        outcome=outcome,
        since=look.since,
        stage=options.stage_of(stage) if stage else "",
        data=values.present(
            pipeline=reading.text_of(values.member(look.attributes, options, "pipeline")),
            amount=values.amount(look.attributes.get("amount"), "amount"),
            currency=_currency(look, options),
            expected_close=closes_on,
            customer=look.text("account_name"),
            lost_reason=reading.text_of(values.member(look.attributes, options, "lost_reason")),
            lead_id=options.id_of(lead) if lead else "",
        ),
        rep=look.owner(options),
        round=closes_on,
    )
    return list(records.deal_events(deal, options))


def _currency(look: _Look, options: SourceOptions) -> str:
    """SuiteCRM has a currency's id (``-99`` for its own), which only the source's ``currency`` can tell."""
    if look.attributes.get("amount") is None:
        return ""
    return values.currency(values.member(look.attributes, options, "currency"), "currency", options)


def _lead(look: _Look, options: SourceOptions) -> list[Result]:
    status = look.text("status")
    converted = values.flag(look.attributes.get("converted")) is True
    deal = look.text("opportunity_id")
    lead = Lead(
        id=look.id,
        at=look.at,
        created_at=look.created_at,
        state="accepted" if converted else records.lead_state(status, options, LEAD_STATES) if status else "",
        since=look.since,
        data=values.present(
            channel=look.text("lead_source"),
            campaign=look.text("campaign_name") or look.text("campaign_id"),
            deal_id=options.id_of(deal) if deal else "",
        ),
        rep=look.owner(options),
    )
    told: list[Result] = list(records.lead_events(lead, options))
    if deal:
        told += records.deal_events(Deal(id=deal, at=look.at, data={"lead_id": options.id_of(look.id)}), options)
    return told


def _call(look: _Look, options: SourceOptions) -> list[Result]:
    status = look.text("status")
    outcome = options.outcomes.get(status) or CALL_OUTCOMES.get(status)
    if outcome is None:
        return [Passed("planned", "the call is not over yet")]
    direction = look.text("direction").lower()
    hours = reading.number(look.attributes.get("duration_hours"), "duration_hours") or 0
    minutes = reading.number(look.attributes.get("duration_minutes"), "duration_minutes") or 0
    started_at = values.instant(look.attributes.get("date_start"), "date_start")
    parent = {"Leads": "lead_id", "Opportunities": "deal_id"}.get(look.text("parent_type"))
    data = values.present(
        direction=direction if direction in {"inbound", "outbound"} else "",
        outcome=outcome,
        talk_seconds=reading.seconds(hours * 3_600 + minutes * 60, "duration") if outcome == "connected" else None,
    )
    if parent and look.text("parent_id"):
        data[parent] = options.id_of(look.text("parent_id"))
    at = look.at if started_at is None else started_at
    return [Entity("call", look.id, options).did("completed", at, data, look.owner(options))]


def _user(look: _Look, options: SourceOptions) -> list[Result]:
    name = look.text("full_name") or f"{look.text('first_name')} {look.text('last_name')}".strip()
    status = look.text("status")
    data = values.present(name=name, active=status == "Active" if status else None)
    return [Entity("rep", look.id, options).person(look.at, data, look.text("email1"))]


_READERS: Final = {
    "Opportunity": _opportunity, "Opportunities": _opportunity, "Lead": _lead, "Leads": _lead,
    "Call": _call, "Calls": _call, "User": _user, "Users": _user,
}  # fmt: skip

SYSTEM: Final = System(
    name="suitecrm",
    title="SuiteCRM",
    translate=translate,
    proof=proofs.Token(proofs.header("x-funnelwatch-key"), proofs.bearer_of),
    page="suitecrm.md",
    webhook=False,
    options={
        records.NEW_LEADS: records.NEW_LEADS_HELP,
        "address": "where SuiteCRM is: https://crm.example/; for the poller",
        "poll_seconds": "between two looks; default 15",
        "pause_seconds": "before a request is tried again; default 0.5, it doubles",
        "client_id": "the OAuth2 client that the poller logs in as (grant: client credentials)",
    },
    check=records.check_options,
)
