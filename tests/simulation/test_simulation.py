"""The incremental path and the batch oracle say the same of every history, however it is delivered.

``FUNNELWATCH_SIMULATIONS=500 pytest tests/simulation`` judges more seeds, ``FUNNELWATCH_SIMULATION_SEED`` other ones.
"""

from __future__ import annotations

import os
from random import Random

import pytest
from support.compare import difference
from support.floor import Floor, delivered
from support.generator import Case, case
from support.shrink import smallest, told

from funnelwatch.streams.oracle import report

SEEDS = int(os.environ.get("FUNNELWATCH_SIMULATIONS", "25"))
FIRST_SEED = int(os.environ.get("FUNNELWATCH_SIMULATION_SEED", "1"))
DAY_US = 86_400_000_000


def disagreement(told_case: Case, seed: int, *, calm: bool = False) -> str | None:
    """Deliver a history in two parts; where the documents differ after either of them, if they do.

    ``calm`` is without lateness, repeats and crashes: what differs then is a definition, not a matter of delivery.
    """
    settings, events, now = told_case
    random = Random(f"delivery {seed}")
    cut = 0 if calm else random.randint(0, len(events))
    earlier = now if calm else now - random.randrange(3 * DAY_US)
    floor = Floor(settings, earlier, 1 if calm else random.randint(1, 3), random)
    for known, arriving, instant in ((events[:cut], events[:cut], earlier), (events, events[cut:], now)):
        floor.now = instant
        floor.publish(arriving if calm else delivered(arriving, random))
        floor.settle(0.0 if calm else 0.15)
        found = difference(report(settings, known, instant), floor.report())
        if found:
            return f"{len(known)} events at {instant}: {found}"
    return None


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + SEEDS))
def test_both_paths_say_the_same_of(seed):
    told_case = case(seed)
    found = disagreement(told_case, seed)
    if found:
        calm = disagreement(told_case, seed, calm=True) is not None

        def fails(events):
            return disagreement(told_case._replace(events=tuple(events)), seed, calm=calm) is not None

        events = smallest(told_case.events, fails)
        shortest = disagreement(told_case._replace(events=tuple(events)), seed, calm=calm)
        lines = "\n".join(map(told, events))
        pytest.fail(f"{found}\nshortest {'(calm)' if calm else ''}: {shortest}\n{told_case.settings}\n{lines}")
