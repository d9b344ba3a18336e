"""A sales floor as the demo simulates it, through workers that die: every document equals the oracle's."""

from __future__ import annotations

from random import Random

import pytest
from support.compare import difference
from support.floor import Floor, delivered
from support.story import instant

from funnelwatch.schemas.codec import UNLIMITED, decode
from funnelwatch.streams import simulator
from funnelwatch.streams.oracle import report

NOW = instant("2026-11-23 15:00")


@pytest.mark.parametrize("calendar", [simulator.DEMO_CALENDAR, simulator.TEHRAN_CALENDAR], ids=["gregorian", "jalali"])
def test_a_simulated_month_is_the_same_on_both_paths(calendar):
    settings, random = simulator.demo_settings(calendar), Random(1)
    _, published = simulator.Floor.with_history(3, NOW, settings, days=35, reps=3)
    events = [event for message in published for event in decode(message.kind, message.value, (), UNLIMITED)]
    floor = Floor(settings, NOW, 3, random)
    floor.publish(delivered(events, random))
    floor.settle(0.1)

    assert len(events) > 1_000
    assert difference(report(settings, events, NOW), floor.report()) is None
