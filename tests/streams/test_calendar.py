from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from funnelwatch.schemas.settings import CalendarSettings, Holidays, RepOverride
from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.workdays import WEEKDAYS, longest_day_us, overridden

MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR

IRAN = CalendarSettings(
    zone="Asia/Tehran",
    system="jalali",
    week_start="saturday",
    working_days=("saturday", "sunday", "monday", "tuesday", "wednesday", "thursday"),
    hours=("08:30-12:30", "13:30-17:00"),
    hours_by_day={"thursday": ("08:30-12:30",)},
    holidays=Holidays(country="IR"),
)
NEW_YORK = CalendarSettings(zone="America/New_York")
APIA = CalendarSettings(zone="Pacific/Apia", working_days=WEEKDAYS)
LORD_HOWE = CalendarSettings(zone="Australia/Lord_Howe", working_days=WEEKDAYS, hours=("01:00-03:00", "09:00-17:30"))
ST_JOHNS = CalendarSettings(zone="America/St_Johns", working_days=WEEKDAYS, hours=("00:00-24:00",))

NAMED = {"iran": IRAN, "new york": NEW_YORK, "apia": APIA, "lord howe": LORD_HOWE, "st johns": ST_JOHNS}


@lru_cache(maxsize=64)
def calendar_of(name):
    return Calendar(NAMED[name])


def instant(text, zone="UTC", fold=0):
    return at(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold))


def at(then):
    return (then - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def ordinal(text):
    return date.fromisoformat(text).toordinal()


def clock(minute, zone):
    """The wall clock at a minute, from the standard library alone."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)).astimezone(ZoneInfo(zone))


instants = st.integers(at(datetime(1990, 1, 1, tzinfo=UTC)), at(datetime(2100, 1, 1, tzinfo=UTC)))
zones = st.sampled_from(
    ["UTC", "Asia/Tehran", "America/New_York", "Pacific/Apia", "Australia/Lord_Howe", "America/St_Johns", "Asia/Beirut"]
)
quarters = st.integers(0, 96)


@st.composite
def hours(draw):
    edges = sorted(draw(st.lists(quarters, min_size=2, max_size=6, unique=True)))
    edges = edges[: len(edges) // 2 * 2]
    return tuple(
        f"{start // 4:02d}:{start % 4 * 15:02d}-{end // 4:02d}:{end % 4 * 15:02d}"
        for start, end in zip(edges[::2], edges[1::2], strict=True)
    )


@st.composite
def calendars(draw):
    days = tuple(draw(st.sets(st.sampled_from(WEEKDAYS), min_size=1)))
    return CalendarSettings(
        zone=draw(zones),
        system=draw(st.sampled_from(["gregorian", "jalali"])),
        week_start=draw(st.sampled_from(WEEKDAYS)),
        working_days=days,
        hours=draw(hours()),
        hours_by_day={draw(st.sampled_from(WEEKDAYS)): draw(hours())},
    )


def is_worked(minute, chosen):
    """Whether a minute is worked, straight from the definition."""
    now = clock(minute, chosen.zone)
    name = WEEKDAYS[now.weekday()]
    if name not in chosen.working_days:
        return False
    shown = f"{now.hour:02d}:{now.minute:02d}"
    return any(
        start <= shown < end for start, end in (span.split("-") for span in chosen.hours_by_day.get(name, chosen.hours))
    )


@settings(max_examples=30, deadline=None)
@given(calendars(), instants, st.integers(1, 3_000))
@example(IRAN, instant("2021-09-21T12:00", "Asia/Tehran"), 2_000)
@example(NEW_YORK, instant("2026-11-01T00:00", "America/New_York"), 2_000)
@example(APIA, instant("2011-12-29T00:00", "Pacific/Apia"), 3_000)
@example(LORD_HOWE, instant("2026-04-04T12:00", "Australia/Lord_Howe"), 2_000)
@example(LORD_HOWE, instant("2026-10-03T12:00", "Australia/Lord_Howe"), 2_000)
@example(ST_JOHNS, instant("2010-11-06T12:00", "America/St_Johns"), 2_000)
def test_working_time_is_what_counting_minute_by_minute_finds(chosen, start, minutes):
    first = start // MINUTE
    counted = sum(is_worked(minute, chosen) for minute in range(first, first + minutes))

    calendar = Calendar(chosen)

    assert calendar.working_us(first * MINUTE, (first + minutes) * MINUTE) == counted * MINUTE


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(NAMED)), st.lists(instants, min_size=3, max_size=3))
def test_working_time_adds_up(name, three):
    start, middle, end = sorted(three)
    calendar = calendar_of(name)

    whole = calendar.working_us(start, end)

    assert whole == calendar.working_us(start, middle) + calendar.working_us(middle, end)
    assert 0 <= whole <= end - start


@given(instants, instants)
def test_no_time_is_worked_backwards(one, other):
    assert calendar_of("iran").working_us(max(one, other), min(one, other)) == 0


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(NAMED)), instants)
def test_a_day_is_the_local_date_of_its_minute(name, instant_us):
    calendar = calendar_of(name)

    assert calendar.day(instant_us) == clock(instant_us // MINUTE, NAMED[name].zone).date().toordinal()


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["iran", "new york", "apia", "lord howe"]), instants, st.integers(0, 3 * DAY))
def test_days_never_go_back_where_no_clock_goes_back_over_midnight(name, start, later):
    calendar = calendar_of(name)

    assert calendar.day(start) <= calendar.day(start + later)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(NAMED)), instants)
def test_a_day_starts_at_its_first_instant(name, instant_us):
    calendar = calendar_of(name)
    day = calendar.day(instant_us)

    start = calendar.day_start(day)

    assert start <= instant_us
    assert calendar.day(start) == day
    assert calendar.day(start - 1) < day


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(["iran", "new york", "apia", "lord howe"]), instants)
def test_a_day_works_what_lies_between_its_start_and_the_next(name, instant_us):
    calendar = calendar_of(name)
    day = calendar.day(instant_us)

    assert calendar.day_working_us(day) == calendar.working_us(calendar.day_start(day), calendar.day_start(day + 1))


def test_the_clocks_of_st_johns_went_back_into_the_day_before():
    calendar = calendar_of("st johns")
    first_minute = instant("2010-11-07T00:00", "America/St_Johns")

    assert calendar.day(first_minute) == ordinal("2010-11-07")
    assert calendar.day(first_minute + MINUTE) == ordinal("2010-11-06")
    assert calendar.day_working_us(ordinal("2010-11-06")) == 24 * HOUR + 59 * MINUTE


def test_apia_skipped_a_day():
    calendar = calendar_of("apia")

    assert calendar.day_start(ordinal("2011-12-30")) == calendar.day_start(ordinal("2011-12-31"))
    assert calendar.day(calendar.day_start(ordinal("2011-12-31"))) == ordinal("2011-12-31")
    assert calendar.day_working_us(ordinal("2011-12-30")) == 0
    assert calendar.day_working_us(ordinal("2011-12-31")) == 8 * HOUR


def test_a_day_may_begin_at_one():
    calendar = calendar_of("iran")

    assert calendar.text(calendar.day_start(ordinal("2021-03-22"))) == "2021-03-22T01:00:00+04:30"


@pytest.mark.parametrize(("text", "worked"), [("2026-03-08", 23 * HOUR), ("2026-11-01", 25 * HOUR)])
def test_a_day_of_daylight_saving_is_as_long_as_it_is(text, worked):
    calendar = Calendar(
        CalendarSettings(zone="America/New_York", working_days=WEEKDAYS, hours=("00:00-24:00",)),
    )

    assert calendar.day_working_us(ordinal(text)) == worked


def test_lord_howe_repeats_half_an_hour():
    calendar = calendar_of("lord howe")

    assert calendar.day_working_us(ordinal("2026-04-05")) == 11 * HOUR
    assert calendar.day_working_us(ordinal("2026-10-04")) == 10 * HOUR


@pytest.mark.parametrize(
    ("gregorian", "label", "first", "following"),
    [
        ("2026-03-20", "1404-12", "2026-02-20", "2026-03-21"),
        ("2026-03-21", "1405-01", "2026-03-21", "2026-04-21"),
        ("2025-03-20", "1403-12", "2025-02-19", "2025-03-21"),
        ("2026-11-23", "1405-09", "2026-11-22", "2026-12-22"),
        ("2026-10-01", "1405-07", "2026-09-23", "2026-10-23"),
    ],
)
def test_jalali_months_are_those_of_the_wall_calendar(gregorian, label, first, following):
    calendar, day = calendar_of("iran"), ordinal(gregorian)

    assert calendar.month_label(day) == label
    assert calendar.month_start(day) == ordinal(first)
    assert calendar.next_month_start(day) == ordinal(following)


def test_gregorian_months_turn_the_year():
    calendar, day = calendar_of("new york"), ordinal("2026-12-31")

    assert calendar.month_label(day) == "2026-12"
    assert calendar.next_month_start(day) == ordinal("2027-01-01")


@given(st.sampled_from(["iran", "new york"]), st.integers(ordinal("1990-01-01"), ordinal("2100-01-01")))
def test_months_part_the_days(name, day):
    calendar = calendar_of(name)
    first, following = calendar.month_start(day), calendar.next_month_start(day)

    assert first <= day < following
    assert calendar.month_start(following) == following
    assert calendar.month_start(following - 1) == first
    assert {calendar.month_label(each) for each in range(first, following)} == {calendar.month_label(day)}


@given(st.sampled_from(WEEKDAYS), st.integers(ordinal("1990-01-01"), ordinal("2100-01-01")))
def test_a_week_begins_on_its_weekday(name, day):
    start = Calendar(CalendarSettings(week_start=name)).week_start(day)

    assert day - 6 <= start <= day
    assert WEEKDAYS[date.fromordinal(start).weekday()] == name


def test_nowruz_is_not_worked_in_iran():
    calendar = calendar_of("iran")

    assert [calendar.day_working_us(ordinal(f"2026-03-{day}")) for day in (21, 22, 23, 24)] == [0, 0, 0, 0]
    assert calendar.day_working_us(ordinal("2026-11-21")) == 7 * HOUR + 30 * MINUTE
    assert calendar.day_working_us(ordinal("2026-11-26")) == 4 * HOUR
    assert calendar.day_working_us(ordinal("2026-11-27")) == 0


def test_own_dates_are_added_to_the_holidays_and_taken_out():
    calendar = Calendar(
        CalendarSettings(
            holidays=Holidays(country="DE", subdivision="BY", extra=("2026-12-24",), worked=("2026-01-06",))
        )
    )

    assert calendar.day_working_us(ordinal("2026-12-24")) == 0
    assert calendar.day_working_us(ordinal("2026-12-25")) == 0
    assert calendar.day_working_us(ordinal("2026-01-06")) == 8 * HOUR
    assert calendar.day_working_us(ordinal("2025-01-06")) == 0


def test_a_rep_in_another_zone_works_at_other_hours():
    calendar = Calendar(NEW_YORK, "Europe/London")

    assert calendar.working_us(instant("2026-01-05T09:00"), instant("2026-01-05T10:00")) == HOUR
    assert calendar.text(instant("2026-01-05T09:00")) == "2026-01-05T09:00:00+00:00"


def test_a_reps_own_hours_hold_on_every_working_day():
    own = overridden(IRAN, RepOverride(hours=("10:00-12:00",), working_days=("thursday",)))
    calendar = Calendar(own)

    assert calendar.day_working_us(ordinal("2026-11-26")) == 2 * HOUR
    assert calendar.day_working_us(ordinal("2026-11-25")) == 0
    assert overridden(IRAN, None) == IRAN


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(["iran", "new york"]), instants, st.integers(0, 60 * DAY))
def test_working_days_are_the_sum_of_the_shares_of_each_day(name, start, length):
    calendar, end = calendar_of(name), start + length
    shares = 0.0
    for day in range(calendar.day(start), calendar.day(end) + 1):
        whole = calendar.day_working_us(day)
        inside = calendar.working_us(max(start, calendar.day_start(day)), min(end, calendar.day_start(day + 1)))
        shares += inside / whole if whole else 0

    assert calendar.working_days(start, end) == pytest.approx(shares)


def test_like_for_like_compares_the_same_working_hour():
    calendar = calendar_of("new york")

    cutoff = calendar.previous_cutoff(instant("2026-11-10T12:00", "America/New_York"))

    assert calendar.text(cutoff) == "2026-10-09T12:00:00-04:00"


def test_like_for_like_in_a_pause_counts_from_its_begin_no_further_than_its_end():
    calendar = calendar_of("new york")

    def cutoff(text):
        return calendar.text(calendar.previous_cutoff(instant(text, "America/New_York")))

    assert cutoff("2026-11-10T20:00") == "2026-10-09T20:00:00-04:00"
    assert cutoff("2026-11-05T18:00") == "2026-10-06T18:00:00-04:00"
    assert cutoff("2026-11-08T23:00") == "2026-10-08T09:00:00-04:00"
    assert cutoff("2026-11-01T10:00") == "2026-10-01T09:00:00-04:00"


def test_like_for_like_of_a_longer_month_is_the_whole_previous_one():
    calendar = calendar_of("new york")
    end_of_february = instant("2026-03-01T00:00", "America/New_York") - 1

    assert calendar.previous_cutoff(instant("2026-03-31T16:00", "America/New_York")) == end_of_february


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(["iran", "new york"]), instants)
def test_like_for_like_has_the_same_working_time(name, now):
    calendar = calendar_of(name)
    this = calendar.day_start(calendar.month_start(calendar.day(now)))
    before = calendar.day_start(calendar.month_start(calendar.day(this) - 1))

    cutoff = calendar.previous_cutoff(now)

    assert before <= cutoff < this
    whole = calendar.working_us(before, this)
    assert calendar.working_us(before, cutoff) == min(calendar.working_us(this, now), whole)


def first_since(calendar, start, worked, end):
    """The earliest instant from ``start`` to ``end`` with so much working time, by search."""
    low, high = start, end
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if calendar.working_us(start, middle) >= worked else (middle + 1, high)
    return low


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(["iran", "new york", "apia"]), instants)
def test_like_for_like_is_what_its_definition_says(name, now):
    calendar = calendar_of(name)
    this = calendar.day_start(calendar.month_start(calendar.day(now)))
    before = calendar.day_start(calendar.month_start(calendar.day(this) - 1))
    worked, whole = calendar.working_us(this, now), calendar.working_us(before, this)
    pause, previous_pause = first_since(calendar, this, worked, now), first_since(calendar, before, worked, this)
    ended = this if worked == whole else first_since(calendar, before, worked + 1, this) - 1

    expected = this - 1 if whole < worked else min(previous_pause + (now - pause), ended, this - 1)

    assert calendar.previous_cutoff(now) == expected


@settings(max_examples=60, deadline=None)
@given(instants, st.integers(0, 40 * DAY))
def test_like_for_like_never_goes_back_within_a_month(now, later):
    calendar = calendar_of("iran")
    assume(calendar.month_label(calendar.day(now)) == calendar.month_label(calendar.day(now + later)))

    assert calendar.previous_cutoff(now) <= calendar.previous_cutoff(now + later)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(["iran", "new york"]), instants, st.integers(0, 900 * HOUR))
def test_so_much_working_time_later_is_the_first_such_instant(name, start, worked):
    calendar = calendar_of(name)

    later = calendar.working_after(start, worked)

    assert calendar.working_us(start, later) == worked
    assert later == start or calendar.working_us(start, later - 1) == worked - 1


def test_nobody_works_forever():
    calendar = Calendar(CalendarSettings(working_days=()))

    with pytest.raises(ValueError, match="working time are left until the end of 2199"):
        calendar.working_after(0, 1)


def test_text_shows_fractions_only_where_there_are_any():
    calendar = calendar_of("iran")

    assert calendar.text(1) == "1970-01-01T03:30:00.000001+03:30"
    assert calendar.text(0) == "1970-01-01T03:30:00+03:30"


def test_instants_far_away_have_days_and_no_working_time():
    calendar = calendar_of("new york")
    far = instant("9999-12-31T23:59")

    assert calendar.working_us(far - DAY, far) == 0
    assert calendar.day(far) == ordinal("9999-12-31")
    assert calendar.working_us(-(1 << 60), 1 << 60) > 0


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        (CalendarSettings(zone="Mars/Olympus"), "'Mars/Olympus' is no IANA time zone"),
        (CalendarSettings(zone="../etc/passwd"), "is no IANA time zone"),
        (CalendarSettings(system="mayan"), "'mayan' is no calendar system"),
        (CalendarSettings(week_start="shanbe"), "'shanbe' is no weekday"),
        (CalendarSettings(hours=("17:00-09:00",)), "'17:00-09:00' is no span"),
        (CalendarSettings(hours=("09:00-24:30",)), "'09:00-24:30' is no span"),
        (CalendarSettings(hours=("09:00-12:00", "11:00-13:00")), "overlap"),
        (CalendarSettings(holidays=Holidays(country="XX")), "no holidays are known for 'XX'"),
        (CalendarSettings(holidays=Holidays(extra=("24.12.2026",))), "'24.12.2026' is no date"),
    ],
)
def test_what_is_no_calendar_is_named(chosen, words):
    with pytest.raises(ValueError, match=words.replace("(", r"\(")):
        Calendar(chosen)


def test_the_longest_day_of_the_week_is_a_working_day():
    assert longest_day_us(IRAN) == 7 * HOUR + 30 * MINUTE
    assert (
        longest_day_us(CalendarSettings(working_days=("friday",), hours_by_day={"monday": ("00:00-24:00",)}))
        == 8 * HOUR
    )
