"""Every metric Funnelwatch exposes: name, type, unit, labels, what it says and what to do about it.

`/metrics`, the documentation, and the tests of dashboards and rules all read this one catalogue.
"""

from __future__ import annotations

from typing import Final

from funnelwatch.streams.gateway_metrics import GATEWAY
from funnelwatch.streams.kpi_metrics import INFO, PAIRS
from funnelwatch.streams.metric import Metric
from funnelwatch.streams.operational_metrics import BOARD, SHARED, WORKER
from funnelwatch.streams.reconcile_metrics import RECONCILE

OTHER: Final = "__other__"
"""The ``rep`` under which the reps beyond the configured cap are counted together."""


CATALOGUE: Final[dict[str, Metric]] = {
    metric.name: metric
    for metric in (
        *(rep for rep, _ in PAIRS),
        INFO[0],
        *(team for _, team in PAIRS),
        INFO[1],
        *BOARD,
        *SHARED,
        *WORKER,
        *GATEWAY,
        *RECONCILE,
    )
}
"""All metrics by name, in the order in which they are exposed and documented."""


def of_process(process: str) -> tuple[Metric, ...]:
    """The metrics that a kind of process (``board``, ``worker``, ``gateway``, ``reconcile``) exposes."""
    return tuple(metric for metric in CATALOGUE.values() if process in metric.processes)


def as_markdown() -> str:
    """The catalogue as the page ``docs/metrics.md``."""
    titles = {
        "board": "The board",
        "worker": "Workers",
        "gateway": "The gateway",
        "reconcile": "The reconciliation with invoices",
    }
    lines = ["# Metrics", "", "Made from `streams/catalogue.py`; a test keeps the two equal.", ""]
    for process, title in titles.items():
        lines += [f"## {title}", "", "| metric | type | labels | what it says | what to do |", "|---|---|---|---|---|"]
        for metric in of_process(process):
            labels = " ".join(f"`{label}`" for label in metric.labels)
            lines.append(f"| `{metric.name}` | {metric.type} | {labels} | {metric.help} | {metric.action} |")
        lines.append("")
    return "\n".join(lines)
