"""When calls are one is a setting; what cannot be is told at the start."""

from __future__ import annotations

import pytest

from funnelwatch.schemas.configuration import load
from funnelwatch.schemas.problems import ConfigurationError


def test_a_tolerance_a_country_and_a_memory_that_cannot_be_are_told_at_once():
    text = "[calls]\ntolerance_seconds = -1\ncountry = 'ir'\nmemory_days = 0\ncalls_max = 1\n"

    with pytest.raises(ConfigurationError) as raised:
        load(text, {})

    assert {problem.path for problem in raised.value.problems} == {
        "calls.tolerance_seconds",
        "calls.country",
        "calls.memory_days",
        "calls.calls_max",
    }


def test_what_can_be_is_taken():
    settings, _ = load("[calls]\ntolerance_seconds = 30.0\ncountry = 'IR'\n", {})

    assert (settings.calls.match, settings.calls.tolerance_seconds, settings.calls.country) == (True, 30.0, "IR")
