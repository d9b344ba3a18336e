"""What the terminal shows: the reps, worst first, the alerts, and whether every event is accounted for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from funnelwatch.agents.demo.accounts import Counts, Trouble
from funnelwatch.schemas.board import Row
from funnelwatch.schemas.document import Alert

LINES_AROUND: Final = 14
"""Lines of the screen that are no rep."""
REPS_MIN: Final = 5
REPS_MAX: Final = 25
ALERTS_SHOWN: Final = 4

MARKS: Final = {"critical": "!!", "warning": "! "}
"""A severity is a sign as well as a colour."""
STYLES: Final = {"critical": "bold red", "warning": "yellow"}


class View(msgspec.Struct):
    """Everything on the screen at one moment."""

    currency: str = ""
    now: str = ""
    lived_seconds: float = 0.0
    rows: Sequence[Row] = ()
    alerts: Sequence[Alert] = ()
    published: int = 0
    counts: Counts = Counts()
    troubles: Sequence[Trouble] = ()
    trouble: str = ""
    """Why there are no figures, if there are none."""


def render(view: View, height: int) -> RenderableType:
    """The screen, for a terminal of so many lines."""
    shown = max(REPS_MIN, min(REPS_MAX, height - LINES_AROUND))
    parts: list[RenderableType] = [_heading(view), _reps(view.rows[:shown], view.currency)]
    if len(view.rows) > shown:
        parts.append(Text(f"  … and {len(view.rows) - shown} reps in a better state", style="dim"))
    parts += [_alert(alert) for alert in view.alerts[:ALERTS_SHOWN]]
    if len(view.alerts) > ALERTS_SHOWN:
        parts.append(Text(f"  … and {len(view.alerts) - ALERTS_SHOWN} more alerts", style="dim"))
    parts += [trouble_line(trouble) for trouble in view.troubles]
    parts.append(counts_line(view.published, view.counts))
    return Group(*parts)


def counts_line(published: int, found: Counts) -> Text:
    """The accounts in one line."""
    return Text(
        f"published {published:,} = applied {found.applied:,} + unchanged {found.unchanged:,} + refused "
        f"{found.refused:,}, lag {found.lag:,}",
        style="bold" if published == found.read else "",
    )


def trouble_line(trouble: Trouble) -> Text:
    """What was planted, and whether it was seen."""
    what = f"{trouble.detector} of {trouble.name} ({trouble.rep}), planted after {trouble.planted_seconds:.0f} s: "
    if trouble.detected_seconds is None:
        return Text(f"{what}not detected yet", style="dim")
    later = trouble.detected_seconds - trouble.planted_seconds
    paged = (
        ""
        if trouble.paged_seconds is None
        else f", paged after {trouble.paged_seconds - trouble.planted_seconds:.1f} s"
    )
    return Text(f"{what}detected {later:.1f} s later, {trouble.severity} now{paged}", style="green")


def _heading(view: View) -> Text:
    heading = Text(f"{view.now}  live for {view.lived_seconds:.0f} s", style="bold")
    if view.trouble:
        heading.append(f"  {view.trouble}", style="yellow")
    return heading


def _reps(rows: Sequence[Row], currency: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("", "rep", "team"):
        table.add_column(name, no_wrap=True, max_width=24)
    for name in ("won, month", "quota", "pace", "lost 30d", "open", "late", "idle"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("because of", no_wrap=True, max_width=40)
    for row in rows:
        table.add_row(
            MARKS.get(row.severity or "", "  "),
            row.name,
            row.team or "",
            _money(row.won_amount, currency),
            _share(row.attainment),
            _ratio(row.pace),
            "" if row.loss_rate is None else f"{row.loss_rate:.0%} of {row.decided}",
            str(row.open_deals),
            str(row.overdue_deals),
            _hours(row.idle_seconds),
            ", ".join(row.reasons),
            style=STYLES.get(row.severity or "", ""),
        )
    return table


def _alert(alert: Alert) -> Text:
    text = f"{MARKS.get(alert.severity, '  ')} {alert.text}"
    return Text(text, style=STYLES.get(alert.severity, ""), overflow="ellipsis", no_wrap=True)


def _money(amounts: Mapping[str, str], currency: str) -> str:
    """The amount in the organisation's currency, else in another one: a row has room for one."""
    if not amounts:
        return ""
    shown = currency if currency in amounts else min(amounts)
    return f"{float(amounts[shown]):,.0f} {shown}"


def _share(ratios: Mapping[str, float]) -> str:
    return "".join(f"{ratio:.0%}" for ratio in list(ratios.values())[:1])


def _ratio(ratios: Mapping[str, float]) -> str:
    return "".join(f"{ratio:.2f}" for ratio in list(ratios.values())[:1])


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h"
