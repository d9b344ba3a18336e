"""What the digests are made of: the right day, everybody once, and what was not paged."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace
from support.cell_floor import NOW
from support.mornings import REPS, SETTINGS, alert, morning, mornings, table

from funnelwatch.schemas.settings import CalendarSettings, Holidays
from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.digest import is_due, last_working_day

THURSDAY = datetime(2026, 11, 19, tzinfo=UTC).date().toordinal()


@pytest.mark.parametrize(
    ("settings", "back"),
    [
        (CalendarSettings(), 1),
        (CalendarSettings(working_days=("monday", "friday")), 4),
        (CalendarSettings(holidays=Holidays(extra=("2026-11-19", "2026-11-18"))), 3),
        (CalendarSettings(working_days=("friday",), holidays=Holidays(extra=("2026-11-13",))), 14),
    ],
)
def test_yesterday_is_the_last_working_day_of_the_organisation(settings, back):
    assert last_working_day(Calendar(settings), THURSDAY + 1) == THURSDAY + 1 - back


@pytest.mark.parametrize(
    ("local", "due"),
    [
        ("2026-11-20T07:29:59", False),
        ("2026-11-20T07:30:00", True),
        ("2026-11-20T23:59:00", True),
        ("2026-11-21T08:00:00", False),
    ],
)
def test_it_is_due_from_its_hour_on_on_working_days_in_the_organisations_zone(local, due):
    calendar = Calendar(CalendarSettings(zone="Asia/Tehran", holidays=Holidays(extra=("2026-11-18",))))
    instant = datetime.fromisoformat(local).replace(tzinfo=UTC) - timedelta(hours=3, minutes=30)

    assert is_due(calendar, int(instant.timestamp()) * 1_000_000, "07:30") is due


def test_the_days_figures_are_those_of_the_cells_and_add_up():
    found, source = morning(), table()
    day = datetime.fromisoformat(found.day).date().toordinal()

    assert found.day == "2026-11-19"
    assert len(found.reps) == REPS
    for rep in found.reps:
        sums = source.days("rep", rep.row.id).get(day, {})
        assert rep.day.lost == sum(amount for measure, amount in sums.items() if measure[0] == "lost")
        assert rep.day.outreach_expected == 30.0
    for name in ("created", "won", "lost", "advances", "outreach", "outreach_expected"):
        assert getattr(found.total, name) == sum(getattr(rep.day, name) for rep in found.reps)


def test_whoever_is_worst_comes_first_and_who_is_inactive_not_at_all():
    gone = morning(change=lambda row: replace(row, active=row.id != "crm:2"))
    concerns = [rep.row.concern for rep in morning().reps]

    assert concerns == sorted(concerns, reverse=True)
    assert "crm:2" not in {rep.row.id for rep in gone.reps}


def test_each_manager_has_own_reps_and_alerts_only():
    owners = {f"crm:{number}": f"m-{number % 2}" for number in range(1, REPS + 1)}
    alerts = (alert("crm:1"), alert("crm:2"), alert("crm:3", severity="critical"))
    found = mornings(alerts=alerts, change=lambda row: replace(row, manager=owners[row.id])).digests

    assert [one.manager for one in found] == ["m-0", "m-1"]
    assert [{rep.row.id for rep in one.reps} for one in found] == [
        {"crm:2", "crm:4", "crm:6"},
        {"crm:1", "crm:3", "crm:5"},
    ]
    assert [[one.subject for one in digest.alerts] for digest in found] == [["crm:2"], ["crm:1"]]


def test_what_was_withheld_is_listed_and_what_was_paged_is_not():
    alerts = (alert("crm:1", severity="critical"), alert("crm:2", withheld=True), alert("nobody"))

    assert [one.subject for one in morning(alerts=alerts).alerts] == ["crm:2"]


def test_recordings_on_lost_deals_come_first_and_are_few():
    found = morning().recordings

    assert len(found) == SETTINGS.digest.recordings_max
    assert [one.recording.deal_lost for one in found] == sorted(
        (one.recording.deal_lost for one in found), reverse=True
    )
    assert len({one.name for one in found}) == len(found), "one of each rep before anybody's second"
    assert datetime.fromisoformat(found[0].recording.at) < NOW
