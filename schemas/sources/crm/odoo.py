"""Odoo: the "Send Webhook Notification" action on ``crm.lead``, with the fields its author ticked.

One model holds leads and opportunities: ``type`` says which. Converting a lead keeps its id, so the deal and its lead
have the same. Related records come as plain ids (``user_id: 7``); names of stages stand in ``stages``, by id.
"""

from __future__ import annotations

from typing import Any, Final

from funnelwatch.schemas.reasons import Reason, RefusedError
from funnelwatch.schemas.sources import proofs, reading
from funnelwatch.schemas.sources.contract import Delivery, Passed, Result, SourceOptions, System
from funnelwatch.schemas.sources.crm import records, values
from funnelwatch.schemas.sources.crm.records import Deal, Entity, Lead, Outcome

MODEL: Final = "crm.lead"
WHOLE: Final = 100
"""A probability of a deal that is won."""


def translate(delivery: Delivery, options: SourceOptions, /) -> list[Result]:
    """The events of one notification.

    Raises:
        RefusedError: It cannot be read, or has no ``write_date``.
    """
    body = reading.json_object(delivery.body)
    model = reading.text_of(body.get("_model"))
    if model == "res.users":
        return _user(body, options)
    if model != MODEL:
        if not model:
            raise RefusedError(Reason.MISSING_ATTRIBUTE, "_model is missing: this is no notification of Odoo")
        return [Passed("not_counted", f"{model} records carry no figure")]
    if values.instant(body.get("write_date"), "write_date") is None:
        raise RefusedError(
            Reason.MISSING_ATTRIBUTE,
            "write_date is missing: nobody can know when this was; tick 'Last Updated on' among the action's fields",
        )
    at = values.needed(body.get("write_date"), "write_date")
    id_ = values.identity(body.get("_id", body.get("id")), "_id")
    if reading.text_of(body.get("type")) == "lead":
        return list(records.lead_events(_lead(id_, at, body, options), options))
    return _opportunity(id_, at, body, options)


def _opportunity(id_: str, at: int, body: dict[str, Any], options: SourceOptions) -> list[Result]:
    converted_at = values.instant(body.get("date_conversion"), "date_conversion")
    stage = _related(body.get("stage_id"))
    outcome = _outcome(stage, body, options)
    closed = outcome in {Outcome.WON, Outcome.LOST}
    entered_at = values.instant(body.get("date_last_stage_update"), "date_last_stage_update")
    named = options.stage_of(stage) if stage else ""
    created_at = values.instant(body.get("create_date"), "create_date")
    deal = Deal(
        id=id_,
        at=at,
        created_at=created_at if converted_at is None else converted_at,
        outcome=outcome,
        since=values.instant(body.get("date_closed"), "date_closed") if closed else None,
        stage=named,
        moves=((entered_at, named),) if entered_at is not None and named and not closed else (),
        data=values.present(
            pipeline=values.pipeline_of(_related(body.get("team_id")), options)
            if options.option(values.PIPELINES)
            else "",
            amount=None
            if body.get("expected_revenue") is False
            else values.amount(body.get("expected_revenue"), "expected_revenue"),
            currency=_currency(body, options),
            expected_close=_text(body.get("date_deadline")),
            customer=_text(body.get("partner_name")),
            lost_reason=_related(body.get("lost_reason_id")),
            lead_id=options.id_of(id_) if converted_at is not None else "",
        ),
        rep=_owner(body, options),
    )
    told: list[Result] = list(records.deal_events(deal, options))
    if converted_at is not None:
        lead = Lead(
            id=id_,
            at=converted_at,
            created_at=created_at,
            state="accepted",
            since=converted_at,
            data={"deal_id": options.id_of(id_)},
        )
        told += records.lead_events(lead, options)
    return told


def _outcome(stage: str, body: dict[str, Any], options: SourceOptions) -> Outcome | None:
    """Won or lost by ``won_status`` (18 and later), else by stage, archive and probability."""
    told = {"won": Outcome.WON, "lost": Outcome.LOST, "pending": Outcome.OPEN}.get(_text(body.get("won_status")))
    if told is not None:
        return told
    if stage and (options.won or options.lost) and records.deal_stage(stage, options, (), ()) is not Outcome.OPEN:
        return records.deal_stage(stage, options, (), ())
    probability = reading.number(body.get("probability"), "probability")
    if values.flag(body.get("active")) is False:
        return Outcome.LOST
    if probability is not None:
        return Outcome.WON if probability >= WHOLE and not options.won else Outcome.OPEN
    return Outcome.OPEN if stage else None


def _lead(id_: str, at: int, body: dict[str, Any], options: SourceOptions) -> Lead:
    stage = _related(body.get("stage_id"))
    archived = values.flag(body.get("active")) is False
    return Lead(
        id=id_,
        at=at,
        created_at=values.instant(body.get("create_date"), "create_date"),
        state="disqualified" if archived else records.lead_state(stage, options, {}) if stage else "",
        since=values.instant(body.get("date_closed"), "date_closed") if archived else None,
        data=values.present(
            channel=_related(body.get("source_id")),
            campaign=_related(body.get("campaign_id")),
            reason=_related(body.get("lost_reason_id")),
        ),
        rep=_owner(body, options),
    )


def _user(body: dict[str, Any], options: SourceOptions) -> list[Result]:
    at = values.needed(body.get("write_date"), "write_date")
    data = values.present(name=_text(body.get("name")), active=values.flag(body.get("active")))
    id_ = values.identity(body.get("_id", body.get("id")), "_id")
    return [Entity("rep", id_, options).person(at, data, _text(body.get("login")))]


def _owner(body: dict[str, Any], options: SourceOptions) -> tuple[str, ...]:
    return values.person(options, _related(body.get("user_id")))


def _currency(body: dict[str, Any], options: SourceOptions) -> str:
    """Odoo sends a currency as its id, which only the source's own ``currency`` can tell."""
    if body.get("expected_revenue") is None:
        return ""
    named = _text(values.member(body, options, "currency"))
    return values.currency(named, "currency", options)


def _related(value: object) -> str:
    """The id of a related record: alone, or as Odoo's pair of id and name; empty for ``false``, which is its null."""
    if isinstance(value, list):
        value = value[0] if value else None
    return _text(value)


def _text(value: object) -> str:
    return "" if value is False else reading.text_of(value)


SYSTEM: Final = System(
    name="odoo",
    title="Odoo",
    translate=translate,
    proof=proofs.Token(proofs.header("x-funnelwatch-key"), proofs.query("key")),
    page="odoo.md",
    options={records.NEW_LEADS: records.NEW_LEADS_HELP, values.PIPELINES: values.PIPELINES_HELP},
    check=records.check_options,
)
