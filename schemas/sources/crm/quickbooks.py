"""QuickBooks Online: webhooks in the old format and as CloudEvents, and the objects they name, once fetched.

A webhook only names what changed: an invoice, a payment, an estimate of a company (realm). Each becomes something to be
fetched. Invoices and payments change no deal: how much of what was won is invoiced and paid is a reconciliation, see
`schemas.sources.crm.quickbooks_money`. Estimates are deals if the source says so (``estimates = "deals"``), for
companies without a CRM.
"""

from __future__ import annotations

from typing import Any, Final

from funnelwatch.schemas import fields
from funnelwatch.schemas.reasons import Reason, RefusedError
from funnelwatch.schemas.sources import proofs, reading
from funnelwatch.schemas.sources.contract import Delivery, Passed, Result, SourceOptions, System, Wanted
from funnelwatch.schemas.sources.crm import quickbooks_money as money
from funnelwatch.schemas.sources.crm import records, values
from funnelwatch.schemas.sources.crm.batches import each
from funnelwatch.schemas.sources.crm.records import Deal, Outcome

EVENTS_MAX: Final = 10_000
ESTIMATES: Final = "estimates"
REP_FIELD: Final = "rep_field"

_WANTED: Final = {name.lower(): name for name in ("Invoice", "Payment", "Estimate", "CreditMemo", "SalesReceipt")}
_OPERATIONS: Final = {
    "create": "created", "update": "updated", "delete": "deleted", "void": "voided", "merge": "merged",
    "emailed": "emailed",
}  # fmt: skip
_STATUSES: Final = {
    "Pending": Outcome.OPEN, "Accepted": Outcome.WON, "Closed": Outcome.WON, "Converted": Outcome.WON,
    "Rejected": Outcome.LOST,
}  # fmt: skip


def translate(delivery: Delivery, options: SourceOptions, /) -> list[Result]:
    """What a webhook names, or the events of one fetched object.

    Raises:
        RefusedError: It cannot be read.
    """
    body = reading.json_body(delivery.body)
    if isinstance(body, dict) and "eventNotifications" in body:
        body = body["eventNotifications"]
    if isinstance(body, dict):
        return _fetched(body, delivery.query.get("realm", ""), options)
    notifications = reading.sequence(body, "the body", EVENTS_MAX)
    return each(notifications, lambda one: _notification(reading.mapping(one, "a notification"))) or [
        Passed("no_records", "an empty notification")
    ]


def _notification(one: dict[str, Any]) -> list[Result]:
    if "specversion" in one or "intuitentityid" in one:
        return [_cloudevent(one)]
    change = reading.mapping(one.get("dataChangeEvent"), "dataChangeEvent")
    realm = values.identity(one.get("realmId"), "realmId")
    entities = reading.sequence(change.get("entities"), "entities", EVENTS_MAX)
    return each(entities, lambda entity: [_legacy(reading.mapping(entity, "an entity"), realm)])


def _legacy(entity: dict[str, Any], realm: str) -> Result:
    operation = reading.text_of(entity.get("operation"))
    at = reading.time_us(entity.get("lastUpdated"), "UTC", "lastUpdated")
    change = _OPERATIONS.get(operation.lower())
    if change is None:
        raise RefusedError(Reason.UNKNOWN_VALUE, f"operation is unknown: {fields.described(operation)}")
    return _named(reading.text_of(entity.get("name")), entity.get("id"), realm, at, change)


def _cloudevent(one: dict[str, Any]) -> Result:
    parts = reading.text_of(one.get("type")).split(".")
    if len(parts) != 4 or parts[0] != "qbo":  # noqa: PLR2004  (qbo.entity.change.version)
        raise RefusedError(Reason.UNKNOWN_TYPE, f"unknown type {fields.described(one.get('type'))}")
    at = reading.time_us(one.get("time"), "UTC", "time")
    realm = values.identity(one.get("intuitaccountid"), "intuitaccountid")
    return _named(parts[1], one.get("intuitentityid"), realm, at, parts[2])


def _named(name: str, id_: object, realm: str, at: int, change: str) -> Result:
    entity = _WANTED.get(name.lower())
    if entity is None:
        return Passed("not_counted", f"{name or 'unnamed'} objects carry no figure")
    return Wanted(entity=entity, id=values.identity(id_, "the entity's id"), at=at, account=realm, change=change)


def _fetched(body: dict[str, Any], realm: str, options: SourceOptions) -> list[Result]:
    """One object as the API answers: ``{"Invoice": {…}}``."""
    for entity in _WANTED.values():
        if isinstance(body.get(entity), dict):
            return _object(entity, body[entity], realm, options)
    raise RefusedError(Reason.UNKNOWN_TYPE, "this is neither a notification nor an invoice, payment or estimate")


def _object(entity: str, record: dict[str, Any], realm: str, options: SourceOptions) -> list[Result]:
    if entity == "Payment":
        paid = money.paid_invoices(record)
        at = money.updated_at(record)
        return [Wanted(entity="Invoice", id=id_, at=at, account=realm, change="paid") for id_ in paid] or [
            Passed("no_change_for_us", "a payment of no invoice")
        ]
    if entity == "Estimate" and options.option(ESTIMATES) == "deals":
        return list(records.deal_events(_estimate(record, options), options))
    return [Passed("money", f"{entity} objects are reconciled, they change no deal")]


def _estimate(record: dict[str, Any], options: SourceOptions) -> Deal:
    status = reading.text_of(record.get("TxnStatus"))
    outcome = _STATUSES.get(status)
    meta = reading.mapping(record.get("MetaData"), "MetaData")
    customer = reading.mapping(record.get("CustomerRef") or {}, "CustomerRef")
    rep = money.custom_field(record, options.option(REP_FIELD))
    return Deal(
        id=f"estimate-{values.identity(record.get('Id'), 'Id')}",
        at=money.updated_at(record),
        created_at=values.instant(meta.get("CreateTime"), "CreateTime"),
        outcome=outcome,
        since=values.instant(record.get("AcceptedDate"), "AcceptedDate", options.zone)
        if outcome is Outcome.WON
        else None,
        stage=options.stage_of(status) if outcome is Outcome.OPEN else "",
        data=values.present(
            amount=values.amount(record.get("TotalAmt"), "TotalAmt"),
            currency=money.currency(record, options),
            expected_close=reading.text_of(record.get("ExpirationDate")),
            customer=reading.text_of(customer.get("name")),
        ),
        rep=values.person(options, rep, rep),
    )


def _check(options: SourceOptions) -> list[str]:
    wrong = records.check_options(options)
    if options.option(ESTIMATES, "ignored") not in {"deals", "ignored"}:
        wrong.append(f"options.{ESTIMATES}: must be 'deals' or 'ignored'")
    return wrong


SYSTEM: Final = System(
    name="quickbooks",
    title="QuickBooks Online",
    translate=translate,
    proof=proofs.Signature(proofs.header("intuit-signature"), proofs.hmac_base64),
    page="quickbooks.md",
    options={
        ESTIMATES: "'ignored' (default), or 'deals': estimates are the deals, for companies without a CRM",
        REP_FIELD: "the custom field of estimates that names the rep",
        money.DEAL_FIELD: money.DEAL_FIELD_HELP,
        money.DEAL_PREFIX: money.DEAL_PREFIX_HELP,
        "fetch": "true: what webhooks name is fetched",
        "client_id": "of the app; for fetching",
        "realm": "the company's id, if a webhook does not say it; for fetching",
        "address": "of the API, if it is not Intuit's own",
        "log_in_address": "of the log-in, if it is not Intuit's own",
        "pause_seconds": "before a request is tried again; default 0.5, it doubles",
    },
    check=_check,
)
