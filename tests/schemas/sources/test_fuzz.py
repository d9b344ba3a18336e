"""A few hundred mutated deliveries for each translator. `fuzz.py` has the long form."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from funnelwatch.schemas.sources.registry import SYSTEMS

ROUNDS = 300

_spec = importlib.util.spec_from_file_location("sources_fuzz", Path(__file__).with_name("fuzz.py"))
fuzz = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = fuzz
_spec.loader.exec_module(fuzz)


@pytest.mark.parametrize("system", SYSTEMS.values(), ids=list(SYSTEMS))
def test_whatever_comes_is_events_or_a_stated_refusal(system):
    counted = fuzz.run(system, ROUNDS, seed=1)

    assert counted.total() >= ROUNDS


def test_a_translator_that_crashes_is_told_with_the_round_that_replays_it():
    broken = SYSTEMS["twilio"].__class__(
        name="twilio", title="", translate=lambda *_: 1 // 0, proof=SYSTEMS["twilio"].proof, page=""
    )

    with pytest.raises(AssertionError, match=r"system twilio, seed 1, round 0: ZeroDivisionError"):
        fuzz.run(broken, 1, seed=1)
