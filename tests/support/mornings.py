"""Digests of a floor, as a board makes them."""

from __future__ import annotations

from msgspec.structs import replace

from funnelwatch.schemas.digest import Digest, Digests
from funnelwatch.schemas.document import Alert, Evidence
from funnelwatch.schemas.settings import CalendarSettings, Settings
from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.digest import digests
from funnelwatch.streams.documents import Documents
from funnelwatch.streams.ranking import row
from funnelwatch.streams.table import Table
from support.cell_floor import BENCHMARKS, LEADS, NOW, PIPELINES, at, floor

REPS = 6
SETTINGS = Settings(
    name="Aria <Trading>",
    pipelines=PIPELINES,
    leads=LEADS,
    benchmarks=BENCHMARKS,
    calendar=CalendarSettings(zone="Asia/Tehran", system="jalali", working_days=("monday", "thursday", "friday")),
)


def table(settings: Settings = SETTINGS) -> Table:
    found = Table(settings, Calendar(settings.calendar))
    for shard, cells in floor(reps=REPS).items():
        found.replace(shard, cells)
    return found


def alert(rep: str = "crm:1", **changes) -> Alert:
    evidence = Evidence("loss_spike", "rep", rep, "p", 4.5, 5, 20, 22, 0.5)
    found = Alert(
        "a", "loss_spike", "rep", rep, "Sara", "North", "warning", "firing", "2026-11-19T10:00:00+03:30", "", evidence,
        None, "", "",
    )  # fmt: skip
    return replace(found, **changes)


def mornings(settings: Settings = SETTINGS, alerts: tuple[Alert, ...] = (), change=lambda row: row) -> Digests:
    """All digests at `NOW`; ``change`` may make another row of each."""
    source = table(settings)
    documents, now = Documents(settings, source), at(NOW)
    known = [
        (document := documents.rep(rep.id, now), change(row(document, {}, None, "EUR"))) for rep in documents.reps(now)
    ]
    return digests(
        [(changed, document) for document, changed in known],
        {rep: source.days("rep", rep) for rep in source.reps()},
        alerts,
        calendar=source.calendar,
        exchange=None,
        organisation=settings.name,
        now=now,
        recordings_max=settings.digest.recordings_max,
    )


def morning(settings: Settings = SETTINGS, **more) -> Digest:
    """That of the manager with most reps."""
    return max(mornings(settings, **more).digests, key=lambda one: len(one.reps))
