"""The incremental path and the batch oracle say the same of every history, however it is delivered.

``FUNNELWATCH_SIMULATIONS=500 pytest tests/simulation`` judges more seeds, ``FUNNELWATCH_SIMULATION_SEED`` other ones.
"""

from __future__ import annotations

import os
from random import Random

import pytest
from msgspec.structs import replace
from support.compare import difference
from support.floor import Floor, delivered
from support.generator import Case, case
from support.shrink import smallest, told

from funnelwatch.schemas.document import Document
from funnelwatch.streams.oracle import Report, report

SEEDS = int(os.environ.get("FUNNELWATCH_SIMULATIONS", "25"))
FIRST_SEED = int(os.environ.get("FUNNELWATCH_SIMULATION_SEED", "1"))
DAY_US = 86_400_000_000
CRASH_SHARES = (0.0, 0.1, 0.5)


def disagreement(told_case: Case, seed: int, *, calm: bool = False) -> str | None:
    """Deliver a history in parts; where the documents differ after one of them, if they do.

    ``calm`` is without lateness, repeats and crashes: what differs then is a definition, not a matter of delivery.
    """
    settings, events, now = told_case
    random = Random(f"delivery {seed}")
    first, second = (0, 0) if calm else sorted(random.randint(0, len(events)) for _ in range(2))
    earlier = now if calm else now - random.randrange(3 * DAY_US)
    floor = Floor(settings, earlier, 1 if calm else random.randint(1, 3), random)
    said = floor.report()
    for begin, end, instant in ((0, first, earlier), (first, second, earlier), (second, len(events), now)):
        floor.now = instant
        floor.publish(events[begin:end] if calm else delivered(events[begin:end], random))
        floor.settle(0.0 if calm else random.choice(CRASH_SHARES))
        before, said, changed = said, floor.report(), floor.table.take_changed()
        found = difference(report(settings, events[:end], instant), said)
        if not found and instant == earlier:
            found = unannounced(before, said, changed)
        if found:
            return f"{end} events at {instant}: {found}"
    floor.forget()
    found = difference(said, floor.report())
    return f"after forgetting: {found}" if found else None


def unannounced(before: Report, after: Report, changed: set[str]) -> str | None:
    """A rep whose document changed at one instant, though the table did not say so."""
    for rep in before.reps.keys() | after.reps.keys():
        one, other = before.reps.get(rep), after.reps.get(rep)
        if rep not in changed and _without_peers(one) != _without_peers(other):
            return f"{rep} changed and was not announced"
    return None


def _without_peers(document: Document | None) -> Document | None:
    """A document without what others' figures decide."""
    if document is None:
        return None
    leaks = {window: replace(leak, half=None) for window, leak in document.conversion.items()}
    return replace(document, conversion=leaks)


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
