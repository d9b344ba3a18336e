from datetime import UTC, date, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from funnelwatch.schemas.settings import CalendarSettings, Holidays
from funnelwatch.streams import windows
from funnelwatch.streams.calendar import MINUTE_US, Calendar

TEHRAN = Calendar(
    CalendarSettings(
        zone="Asia/Tehran",
        system="jalali",
        week_start="saturday",
        working_days=("saturday", "sunday", "monday", "tuesday", "wednesday"),
        holidays=Holidays(country="IR"),
    )
)
LONDON = Calendar(CalendarSettings(zone="Europe/London"))

nows = st.integers(631_152_000_000_000, 4_102_444_800_000_000)


def at(text):
    return (datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def days(first, last):
    return (date.fromisoformat(first).toordinal(), date.fromisoformat(last).toordinal())


def test_a_monday_in_azar():
    found = windows.at(at("2026-11-23T15:00:00+03:30"), TEHRAN, 800)

    assert found.days == {
        "today": days("2026-11-23", "2026-11-23"),
        "7d": days("2026-11-17", "2026-11-23"),
        "30d": days("2026-10-25", "2026-11-23"),
        "90d": days("2026-08-26", "2026-11-23"),
        "wtd": days("2026-11-21", "2026-11-23"),
        "mtd": days("2026-11-22", "2026-11-23"),
        "prev_month": days("2026-10-23", "2026-11-21"),
    }
    assert found.months[-1] == ("1405-09", days("2026-11-22", "2026-11-23"))
    assert found.months[-2] == ("1405-08", days("2026-10-23", "2026-11-21"))


def test_minutes_before_now_are_counted_from_the_minute_of_now():
    now = at("2026-11-23T15:00:59.999999+00:00")
    minute = at("2026-11-23T15:00:00+00:00") // MINUTE_US

    assert windows.minute_spans(now) == {"1h": (minute - 60, minute), "24h": (minute - 1440, minute)}


def test_like_for_like_holds_the_previous_month_up_to_the_cutoff():
    previous = windows.like_for_like(at("2026-11-10T12:00:00+00:00"), LONDON)

    assert previous.month == days("2026-10-01", "2026-10-31")
    assert previous.cutoff == at("2026-10-09T12:00:00+01:00")
    assert previous.minutes.after == at("2026-10-01T00:00:00+01:00") // MINUTE_US - 1
    assert previous.minutes.last == at("2026-10-09T12:00:00+01:00") // MINUTE_US


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([TEHRAN, LONDON]), nows, st.integers(1, 900))
def test_the_months_of_the_history_are_the_kept_days_without_gap(calendar, now, retention):
    today = calendar.day(now)

    months = windows.history(today, calendar, retention)

    covered = [day for month in months for day in range(month.days.first, month.days.last + 1)]
    assert covered == list(range(today - retention + 1, today + 1))
    assert all(calendar.month_label(month.days.first) == month.label for month in months)
    assert len({month.label for month in months}) == len(months)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([TEHRAN, LONDON]), nows)
def test_every_name_has_one_span(calendar, now):
    found = windows.at(now, calendar, 60)

    assert tuple(found.days) == windows.DAY_WINDOWS
    assert tuple(found.minutes) == windows.MINUTE_WINDOWS
    assert found.days["mtd"].first == found.days["prev_month"].last + 1
    assert found.days["prev_month"] == found.previous.month
    assert found.previous.minutes.after < found.previous.minutes.last


def test_default_windows_are_named_as_they_are_shown():
    assert windows.WINDOWS == ("1h", "24h", "today", "7d", "30d", "90d", "wtd", "mtd", "prev_month", "prev_mtd")
