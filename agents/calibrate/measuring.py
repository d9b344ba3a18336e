"""Runs the calibration with its progress shown, and puts what came of it into tables, pictures and sentences."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import Final

from rich.console import Console
from rich.progress import Progress as Bar
from rich.progress import TaskID
from rich.table import Table

from funnelwatch.agents.errors import OperationError
from funnelwatch.agents.report import Reading
from funnelwatch.schemas.codec import Limits
from funnelwatch.schemas.settings import DetectorSettings, Settings
from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.calibration.curve import REPS_OF_BUDGET, WITHIN_HOURS, Point, within_budget
from funnelwatch.streams.calibration.history import History
from funnelwatch.streams.calibration.measure import Measured, measure, together
from funnelwatch.streams.calibration.null import Habits, floor
from funnelwatch.streams.calibration.own import TooShortError, own
from funnelwatch.streams.calibration.plot import as_svg

BEGIN_US: Final = 1_767_571_200_000_000
"""2026-01-05, a Monday: when the seeded floor begins to be judged."""
HOURS_A_DAY: Final = 8
OUTPUT_CHARS: Final = 150
"""A table is as wide wherever it goes: into a terminal, a file, a page."""
PLOTTED: Final = {"loss": 80, "stall": 24}
"""The horizon, in working hours, of each trouble's picture."""

console = Console(stderr=True)
output = Console(width=OUTPUT_CHARS)


def from_files(files: Sequence[Path], settings: Settings, seed: int) -> Measured:
    """Judge an organisation's own history.

    Raises:
        OperationError: There is not enough of it.
    """
    reading = Reading(Limits())
    for path in files:
        reading.take_file(path)
    for problem in reading.problems:
        console.print(problem, style="yellow", markup=False)
    calendar = Calendar(settings.calendar)
    try:
        history = own(reading.events, settings, calendar)
    except TooShortError as error:
        raise OperationError(str(error)) from error
    console.print(f"{reading.applied:,} events of {len(history.people)} reps", markup=False)
    return _measured(Random(seed), [history], calendar, settings.detectors)  # noqa: S311  (repeats itself by its seed)


def from_null(reps: int, days: int, seeds: int, settings: Settings) -> Measured:
    """Judge seeded floors on which nothing is wrong."""
    calendar = Calendar(settings.calendar)
    histories = [
        floor(Random(seed), calendar, BEGIN_US, days, Habits(reps=reps))  # noqa: S311  (repeats itself by its seed)
        for seed in range(1, seeds + 1)
    ]
    return _measured(Random(seeds), histories, calendar, settings.detectors)  # noqa: S311  (as above)


def _measured(random: Random, histories: list[History], calendar: Calendar, settings: DetectorSettings) -> Measured:
    found = []
    with Bar(console=console, transient=True) as bar:
        for number, history in enumerate(histories, 1):
            task = bar.add_task(f"floor {number} of {len(histories)}", total=1.0)
            found.append(measure(random, history, calendar, settings, partial(_show, bar, task)))
    return together(found)


def _show(bar: Bar, task: TaskID, _: str, share: float) -> None:
    bar.update(task, completed=share)


def tables(measured: Measured, settings: DetectorSettings, budget: float) -> list[Table]:
    """The trade-off of each trouble, the configured threshold marked, and the one that the budget picks."""
    configured = {"loss spike: evidence": settings.loss_critical, "funnel stalled: evidence": settings.stall_critical}
    found = []
    for trouble, title in (("loss", "Losses spike to 83 %"), ("stall", "No deal advances any more")):
        table = Table(
            title=f"{title}: {measured.planted} planted, {measured.reps} reps, {measured.days:.0f} days judged"
        )
        table.add_column("rule, above")
        for column in ("false pages", "a week"):
            table.add_column(column, justify="right")
        for hours in WITHIN_HOURS:
            table.add_column(f"found in {hours // HOURS_A_DAY} d", justify="right")
        table.add_column("median h", justify="right")
        table.add_column("")
        for point in [point for point in measured.points if point.trouble == trouble]:
            chosen = within_budget(measured.of(point.rule), budget)
            table.add_row(
                *_row(point, chosen=point is chosen, configured=configured.get(point.rule) == point.threshold)
            )
        found.append(table)
    return found


def _row(point: Point, *, chosen: bool, configured: bool) -> list[str]:
    marks = [word for word, is_so in (("configured", configured), ("the budget's", chosen)) if is_so]
    return [
        f"{point.rule} > {point.threshold:g}",
        str(point.false_pages),
        f"{point.false_a_week:.2f}",
        *(f"{share:.0%}" for share in point.found),
        "–" if point.hours is None else f"{point.hours:.0f}",
        ", ".join(marks),
    ]


def advice(measured: Measured, settings: DetectorSettings, budget: float) -> list[str]:
    """What to configure, in sentences."""
    said = []
    for rule, name, now in (
        ("loss spike: evidence", "loss_critical", settings.loss_critical),
        ("funnel stalled: evidence", "stall_critical", settings.stall_critical),
    ):
        chosen = within_budget(measured.of(rule), budget)
        if chosen is None:
            said.append(f"detectors.{name}: none of these thresholds stays within {budget:g} false pages a week")
        else:
            budgeted = f"is the lowest within {budget:g} false pages a week for {REPS_OF_BUDGET} reps"
            said.append(f"detectors.{name} = {chosen.threshold:g} {budgeted} (configured: {now:g})")
    if measured.shape is not None:
        fits = f"fits these days (configured: {settings.stall_shape:g})"
        said.append(f"detectors.stall_shape = {measured.shape:.1f} {fits}")
    return said


def plots(measured: Measured, budget: float) -> dict[str, str]:
    """File name → SVG, one for each trouble."""
    titles = {"loss": "Loss rate spikes to 83 %", "stall": "No deal advances any more"}
    return {
        f"{trouble}.svg": as_svg(
            [point for point in measured.points if point.trouble == trouble],
            hours,
            budget,
            f"{titles[trouble]}: found within {hours // HOURS_A_DAY} working days",
        )
        for trouble, hours in PLOTTED.items()
    }
