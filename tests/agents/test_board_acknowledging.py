"""An acknowledgement: exactly one alert, until work begins on the next working day, and nothing by a mere link."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from funnelwatch.agents.board.acknowledging import (
    Acknowledgement,
    NotAcknowledgedError,
    acknowledge,
    matchers,
    until_us,
)
from funnelwatch.schemas.alerting import AlertingSettings
from funnelwatch.schemas.settings import CalendarSettings, Holidays, Settings
from funnelwatch.streams.calendar import Calendar


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-11-26T10:00:00", "2026-11-27T09:00:00"),
        ("2026-11-27T16:00:00", "2026-12-01T09:00:00"),  # a weekend, and a holiday behind it
    ],
)
def test_it_ends_when_work_begins_again(now, until):
    calendar = Calendar(CalendarSettings(holidays=Holidays(extra=("2026-11-30",))))

    assert until_us(calendar, at(now)) // 1_000_000 == at(until) // 1_000_000


def test_it_names_exactly_one_alert():
    asked = Acknowledgement("RepLossSpike", {"rep": 'a"b', "team": "North"})

    assert [(one["name"], one["value"], one["isRegex"], one["isEqual"]) for one in matchers(asked)] == [
        ("alertname", "RepLossSpike", False, True),
        ("rep", 'a"b', False, True),
        ("team", "North", False, True),
    ]


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (Acknowledgement("Nothing"), 404),
        (Acknowledgement("RepLossSpike"), 400),
        (Acknowledgement("RepLossSpike", {"rep": "a"}), 400),
        (Acknowledgement("RepLossSpike", {"rep": "a", "team": "b", "severity": "x"}), 400),
        (Acknowledgement("RepLossSpike", {"rep": "a" * 301, "team": "b"}), 400),
        (Acknowledgement("FunnelwatchWatchdog", {"rep": "a"}), 400),
    ],
)
def test_what_is_no_alert_of_ours_silences_nothing(asked, status):
    with pytest.raises(NotAcknowledgedError) as caught:
        matchers(asked)

    assert caught.value.status == status


async def test_an_alertmanager_that_is_away_is_said():
    settings = Settings(alerting=AlertingSettings(alertmanager_api="http://127.0.0.1:9"))

    with pytest.raises(NotAcknowledgedError, match="does not answer at http"):
        await acknowledge(
            settings, Acknowledgement("RepLossSpike", {"rep": "a", "team": ""}), at("2026-11-26T10:00:00")
        )
