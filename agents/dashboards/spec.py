"""What a dashboard is, before Grafana's format: panels with their questions, in one language.

Texts are given in English and Persian beside each other (`Say`), so that neither is forgotten when one changes.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

Say = Callable[[str, str], str]
"""``say(english, persian)`` gives the text in the language of the dashboard."""


class Query(msgspec.Struct, frozen=True):
    """One expression. ``legend`` names its series; ``column`` the column it becomes in a table."""

    expression: str
    legend: str = ""
    column: str = ""
    unit: str = ""


class Step(msgspec.Struct, frozen=True):
    """From this value on (None: from the lowest): a colour, and a word that says the same without it."""

    at: float | None
    color: str
    word: str


class Panel(msgspec.Struct, frozen=True, kw_only=True):
    """One tile. ``kind``: ``stat``, ``bars`` (worst first), ``lines``, ``table`` or ``text``.

    ``steps``: thresholds. ``links``: drill down per series, as (title, address). ``join``: the column by which the
    queries of a table are put beside each other.
    """

    kind: str
    title: str
    description: str
    queries: tuple[Query, ...] = ()
    unit: str = "short"
    steps: tuple[Step, ...] = ()
    text: str = ""
    width: int = 6
    height: int = 8
    links: tuple[tuple[str, str], ...] = ()
    maximum: float | None = None
    join: str = "rep"


class Dashboard(msgspec.Struct, frozen=True, kw_only=True):
    """A page of panels. ``variables``: of `variables.py`, by name; ``rows``: (title, panels), no title for none."""

    key: str
    title: str
    description: str
    variables: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Panel, ...]], ...]
    refresh: str = "10s"
    since: str = "now-24h"

    @property
    def panels(self) -> tuple[Panel, ...]:
        """All panels, in order."""
        return tuple(panel for _, panels in self.rows for panel in panels)
