"""Metrics of ``funnelwatch reconcile``: what was won and is not invoiced."""

from __future__ import annotations

from typing import Final

from funnelwatch.streams.metric import Metric

_RECONCILE: Final = ("reconcile",)

WITHOUT_INVOICE: Final = Metric(
    "funnelwatch_won_without_invoice",
    "gauge",
    "",
    ("rep", "currency"),
    "Deals of a rep that stand won and have no invoice at all.",
    "`funnelwatch reconcile` names the deals: the invoice was forgotten, or does not name its deal.",
    _RECONCILE,
)
NOT_INVOICED: Final = Metric(
    "funnelwatch_won_not_invoiced_amount",
    "gauge",
    "",
    ("rep", "currency"),
    "What a rep has won and nobody has invoiced, in the currency; an invoice that is too high makes up for no other.",
    "As for funnelwatch_won_without_invoice: partly invoiced deals are in it, too.",
    _RECONCILE,
)
RECONCILED: Final = Metric(
    "funnelwatch_reconciliation_timestamp_seconds",
    "gauge",
    "seconds",
    (),
    "When deals and invoices were last compared.",
    "Old: Kafka or the gateway's data_dir cannot be read; the log of `funnelwatch reconcile` says why.",
    _RECONCILE,
)
RECONCILE: Final = (WITHOUT_INVOICE, NOT_INVOICED, RECONCILED)
