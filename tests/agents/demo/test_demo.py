"""The demo's arithmetic: its pace, its accounts, its verdict."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from funnelwatch.agents.demo.accounts import Counts, Trouble, accounted, counts, verdict
from funnelwatch.agents.demo.options import seconds
from funnelwatch.agents.demo.pace import BEHIND_DAYS, Pace, first_live_instant
from funnelwatch.agents.demo.screen import View, render
from funnelwatch.agents.demo.show import _require_python
from funnelwatch.agents.errors import OperationError
from funnelwatch.schemas.board import Row
from funnelwatch.schemas.document import Alert, Evidence
from funnelwatch.streams.calendar import DAY_US, Calendar
from funnelwatch.streams.simulator import DEMO_CALENDAR

FIELDS = Row.__annotations__
CALENDAR = Calendar(DEMO_CALENDAR)
NOW = 1_795_449_600_000_000  # 2026-11-23T16:00:00Z, a Monday
BEGIN = first_live_instant(CALENDAR, NOW)
METRICS = """\
# HELP funnelwatch_events_total Events read.
# TYPE funnelwatch_events_total counter
funnelwatch_events_total{topic="crm.deals",result="applied"} 90.0
funnelwatch_events_total{topic="crm.calls",result="applied"} 5.0
funnelwatch_events_total{topic="crm.deals",result="unchanged"} 3.0
funnelwatch_events_total{topic="crm.deals",result="refused"} 2.0
funnelwatch_events_total{topic="funnelwatch.links",result="applied"} 1000.0
# TYPE funnelwatch_consumer_lag_records gauge
funnelwatch_consumer_lag_records{topic="crm.deals",partition="0"} 4.0
funnelwatch_consumer_lag_records{topic="crm.calls",partition="1"} 1.0
"""


def alert(detector: str, subject: str, level: str = "rep", severity: str = "warning") -> Alert:
    evidence = Evidence(detector, level, subject, "", 3.5, 1, 12, 12, 0.5)
    return Alert(
        "id", detector, level, subject, "Ann", None, severity, "firing", "then", "now", evidence, None, "12 of 12", ""
    )


@pytest.mark.parametrize(("text", "wanted"), [("60", 60), ("60s", 60), ("1.5m", 90), (" 2 h ", 7_200), ("0s", 0)])
def test_durations_are_read(text, wanted):
    assert seconds(text) == wanted


@pytest.mark.parametrize("text", ["", "s", "-5s", "1d", "60 s s", "1e3"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="no duration"):
        seconds(text)


def test_the_floor_begins_when_work_begins_and_about_200_days_ago():
    assert CALENDAR.text(BEGIN)[11:16] == "09:00"
    assert CALENDAR.working_us(BEGIN - DAY_US // 4, BEGIN) == 0
    assert BEHIND_DAYS - 7 <= (NOW - BEGIN) / DAY_US <= BEHIND_DAYS + 1


def test_working_time_passes_at_the_speed_asked_for_and_nights_are_skipped():
    pace = Pace(CALENDAR, BEGIN, 3_600.0)

    assert CALENDAR.working_us(BEGIN, pace.at(20.0, NOW)) == 20 * 3_600_000_000
    assert pace.at(20.0, NOW) - BEGIN > 2 * DAY_US


def test_the_floor_catches_up_with_the_real_now_and_stays_with_it():
    pace = Pace(CALENDAR, BEGIN, 3_600.0)

    assert pace.at(1e6, NOW) == NOW
    assert pace.at(1e6 + 1, NOW + 1_000_000) == NOW + 1_000_000


@given(st.lists(st.floats(0, 5_000), min_size=2, max_size=20), st.floats(0.1, 1e5))
def test_simulated_time_never_goes_back_and_never_into_the_future(lived, speed):
    pace = Pace(CALENDAR, BEGIN, speed)
    instants = [pace.at(second, NOW) for second in sorted(lived)]

    assert instants == sorted(instants)
    assert all(BEGIN <= instant <= NOW for instant in instants)


def test_counters_of_input_topics_are_added_up_and_others_left_out():
    found = counts(METRICS, ["crm.deals", "crm.calls"])

    assert found == Counts(applied=95, unchanged=3, refused=2, lag=5)
    assert found.read == 100


@pytest.mark.parametrize(
    ("published", "found", "wanted"),
    [
        (100, Counts(95, 3, 2, 0), True),
        (101, Counts(95, 3, 2, 0), False),
        (99, Counts(95, 3, 2, 0), False),
        (100, Counts(95, 3, 2, 1), False),
    ],
)
def test_all_is_accounted_for_when_every_event_was_read_once_and_nothing_is_left(published, found, wanted):
    assert accounted(published, found) is wanted


def trouble() -> Trouble:
    return Trouble("loss_spike", "rep-7", "Ann", planted_seconds=30.0, planted_at=BEGIN)


def test_a_trouble_is_detected_once_by_the_alert_that_is_about_it():
    planted = trouble()
    others = [
        alert("loss_spike", "rep-8"),
        alert("funnel_stalled", "rep-7"),
        alert("loss_spike", "rep-7", level="team"),
    ]

    assert planted.look_at(others, 35.0) is False
    assert planted.look_at([*others, alert("loss_spike", "rep-7")], 40.0) is True
    assert planted.look_at([alert("loss_spike", "rep-7", severity="critical")], 50.0) is False
    assert (planted.detected_seconds, planted.severity, planted.text) == (40.0, "critical", "12 of 12")


@pytest.mark.parametrize(
    ("detected", "lived", "wanted"),
    [(40.0, 60.0, [True, True]), (None, 60.0, [True]), (None, 75.0, [True, False])],
)
def test_a_trouble_nobody_saw_fails_a_run_that_was_long_enough(detected, lived, wanted):
    planted = trouble()
    planted.detected_seconds = detected

    assert list(verdict(3, Counts(3, 0, 0, 0), [planted], lived, 45.0).values()) == wanted


@pytest.mark.parametrize("version", [(3, 10), (3, 13), (4, 0)])
def test_an_unsupported_python_is_one_clear_sentence(version):
    with pytest.raises(OperationError, match=rf"needs Python 3\.11 or 3\.12, this is {version[0]}\.{version[1]}"):
        _require_python(version)


def row(number: int, **more) -> Row:
    """A row of the wall page; what the screen does not show is empty."""
    plain = {"str": "", "float": 0.0, "int": 0, "bool": True, "Money": {}, "list[str]": []}
    values = {field: plain.get(str(type_), {} if "dict" in str(type_) else None) for field, type_ in FIELDS.items()}
    return Row(**(values | {"id": f"r{number}", "name": f"Rep {number}"} | more))


def shown(view: View, height: int) -> list[str]:
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(render(view, height))
    return console.export_text().splitlines()


def test_the_screen_keeps_to_the_terminals_height_and_says_what_it_leaves_out():
    lines = shown(View(rows=[row(number) for number in range(40)]), 30)

    assert len(lines) <= 30
    assert [line for line in lines if "reps in a better state" in line] == ["  … and 24 reps in a better state"]


def test_a_row_shows_the_organisations_currency_and_marks_its_severity():
    rows = [
        row(1, won_amount={"USD": "9000000", "EUR": "1200.5"}, severity="critical", reasons=["loss_spike"]),
        row(2, won_amount={"USD": "7"}, loss_rate=0.25, decided=8, idle_seconds=5_400.0),
    ]
    first, second = (line for line in shown(View(currency="EUR", rows=rows), 30) if "Rep " in line)

    assert first.split() == ["!!", "Rep", "1", "1,200", "EUR", "0", "0", "0.0", "h", "loss_spike"]
    assert second.split() == ["Rep", "2", "7", "USD", "25%", "of", "8", "0", "0", "1.5", "h"]


def test_the_screen_shows_alerts_and_accounts_before_there_are_figures():
    view = View(alerts=[alert("loss_spike", "rep-7", severity="critical")], published=5, counts=Counts(4, 1, 0, 0))
    text = "\n".join(shown(view, 30))

    assert "!! 12 of 12" in text
    assert "published 5 = applied 4 + unchanged 1 + refused 0, lag 0" in text
