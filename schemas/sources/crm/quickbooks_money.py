"""QuickBooks' invoices as money of deals: which deal, how much is invoiced, how much of it is paid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from funnelwatch.schemas import fields
from funnelwatch.schemas.sources import reading
from funnelwatch.schemas.sources.contract import SourceOptions
from funnelwatch.schemas.sources.crm import values

DEAL_FIELD: Final = "deal_field"
DEAL_FIELD_HELP: Final = "what on an invoice names its deal: a custom field's name, or 'DocNumber'; default 'Deal'"
DEAL_PREFIX: Final = "deal_prefix"
DEAL_PREFIX_HELP: Final = "put in front of that: the prefix of the CRM whose deals they are, 'hubspot'"
LINES_MAX: Final = 1_000


class Invoice(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice (or a sale paid at once, or a credit, which is negative) as it stood ``at`` µs.

    ``deal`` is the deal's id in events, empty if the invoice names none; ``total`` and ``open`` are in money units.
    """

    id: str
    at: int
    deal: str
    currency: str
    total: int
    open: int


def invoice(entity: str, record: Mapping[str, Any], options: SourceOptions) -> Invoice:
    """An ``Invoice``, ``SalesReceipt`` (paid at once) or ``CreditMemo`` (negative).

    Raises:
        RefusedError: It cannot be read.
    """
    total = _units(record.get("TotalAmt"), "TotalAmt")
    open_ = 0 if entity == "SalesReceipt" else _units(record.get("Balance"), "Balance")
    sign = -1 if entity == "CreditMemo" else 1
    return Invoice(
        id=f"{entity}/{values.identity(record.get('Id'), 'Id')}",
        at=updated_at(record),
        deal=deal_of(record, options),
        currency=currency(record, options),
        total=sign * total,
        open=sign * open_,
    )


def deal_of(record: Mapping[str, Any], options: SourceOptions) -> str:
    """The deal an object names, as events have its id; empty if it names none."""
    field = options.option(DEAL_FIELD, "Deal")
    named = reading.text_of(record.get("DocNumber")) if field == "DocNumber" else custom_field(record, field)
    prefix = options.option(DEAL_PREFIX)
    return f"{prefix}:{named}" if named and prefix and not named.startswith(f"{prefix}:") else named


def custom_field(record: Mapping[str, Any], name: str) -> str:
    """The text of a custom field; empty if there is none."""
    for one in reading.sequence(record.get("CustomField") or [], "CustomField", LINES_MAX):
        field = reading.mapping(one, "CustomField")
        if name and reading.text_of(field.get("Name")) == name:
            return reading.text_of(field.get("StringValue"))
    return ""


def paid_invoices(payment: Mapping[str, Any]) -> list[str]:
    """Ids of the invoices that a payment pays."""
    found: list[str] = []
    for line in reading.sequence(payment.get("Line") or [], "Line", LINES_MAX):
        linked = reading.mapping(line, "Line").get("LinkedTxn") or []
        for one in reading.sequence(linked, "LinkedTxn", LINES_MAX):
            transaction = reading.mapping(one, "LinkedTxn")
            if reading.text_of(transaction.get("TxnType")) == "Invoice":
                found.append(values.identity(transaction.get("TxnId"), "TxnId"))
    return list(dict.fromkeys(found))


def updated_at(record: Mapping[str, Any]) -> int:
    """When an object was last changed."""
    meta = reading.mapping(record.get("MetaData"), "MetaData")
    return values.needed(meta.get("LastUpdatedTime"), "MetaData.LastUpdatedTime")


def currency(record: Mapping[str, Any], options: SourceOptions) -> str:
    """An object's currency; the source's own if the company has only one."""
    reference = reading.mapping(record.get("CurrencyRef") or {}, "CurrencyRef")
    return values.currency(reference.get("value"), "CurrencyRef", options)


def _units(value: object, name: str) -> int:
    return fields.amount(values.amount(value, name) or "0", name)
