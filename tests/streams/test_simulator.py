import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.disorder import chunked, disordered, redelivered, shuffled

from funnelwatch.schemas.events import TYPES
from funnelwatch.schemas.settings import Settings
from funnelwatch.streams.calendar import DAY_US, Calendar
from funnelwatch.streams.simulator import DEMO_CALENDAR, TEHRAN_CALENDAR, Floor, demo_settings

HOUR = 3_600_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def at(text):
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)


NOW = at("2026-11-23T08:00:00+00:00")
CALENDAR = Calendar(DEMO_CALENDAR)


@pytest.fixture(scope="module")
def month():
    """Thirty days of ten reps."""
    return Floor.with_history(5, NOW, days=30, reps=10)


def test_the_same_seed_gives_the_same_bytes():
    assert Floor.with_history(7, NOW, days=4, reps=5)[1] == Floor.with_history(7, NOW, days=4, reps=5)[1]


def test_another_seed_gives_another_floor():
    one, other = (Floor.with_history(seed, NOW, days=4, reps=5)[1] for seed in (1, 2))

    assert {event.value for event in one}.isdisjoint(event.value for event in other)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 5 * 24 * 60), max_size=6))
def test_how_time_is_cut_makes_no_difference(minutes):
    begin, end = NOW - 5 * DAY_US, NOW
    whole = Floor(3, begin, reps=3, teams=2).advance(end)
    floor = Floor(3, begin, reps=3, teams=2)

    parts = [floor.advance(begin + minute * 60_000_000) for minute in sorted(minutes)]

    assert [event for part in [*parts, floor.advance(end)] for event in part] == whole


def test_events_come_in_the_order_of_their_time(month):
    times = [event.at for event in month[1]]

    assert times == sorted(times)
    assert times[0] >= NOW - 30 * DAY_US
    assert times[-1] < NOW


def test_every_event_is_one_of_the_wire(month):
    for event in month[1]:
        envelope = json.loads(event.value)
        assert envelope["type"] in TYPES[event.kind]
        assert envelope["subject"] == event.subject
        assert at(envelope["time"]) == event.at


def test_ids_are_unique(month):
    ids = [json.loads(event.value)["id"] for event in month[1]]

    assert len(set(ids)) == len(ids)


def test_every_type_happens():
    _, events = Floor.with_history(1, NOW, days=30)

    happened = {json.loads(event.value)["type"] for event in events}

    assert {name for names in TYPES.values() for name in names} - happened == {"rep.removed"}


def test_nearly_all_happens_in_working_time(month):
    worked = [event for event in month[1] if CALENDAR.working_us(event.at - 60_000_000, event.at + 60_000_000)]

    assert len(worked) / len(month[1]) > 0.94


def test_history_goes_on_live():
    floor, _ = Floor.with_history(5, NOW, days=10, reps=5)

    hour = floor.advance(NOW + HOUR)

    assert 10 < len(hour) < 100
    assert all(NOW <= event.at < NOW + HOUR for event in hour)
    assert floor.now == NOW + HOUR


def test_virtual_time_skips_the_night():
    floor, _ = Floor.with_history(5, at("2026-11-20T13:00:00+00:00"), days=1, reps=5)

    assert floor.after_working(2 * HOUR) == at("2026-11-23T09:00:00+00:00")


def test_a_jalali_floor_has_quotas_of_jalali_months():
    _, events = Floor.with_history(1, NOW, demo_settings(TEHRAN_CALENDAR), days=35, reps=5)

    months = {month for event in events if event.kind == "rep" for month in json.loads(event.value)["data"]["quotas"]}

    assert months == {"1405-07", "1405-08", "1405-09", "1405-10"}


def test_reps_are_forty_in_five_teams():
    reps = Floor(1, NOW).reps

    assert len({rep.id for rep in reps}) == len({rep.name for rep in reps}) == 40
    assert Counter(Counter(rep.team for rep in reps).values()) == {8: 5}


def closes(events, owner_from="rep_id"):
    """Wins and losses of each rep."""
    found = {}
    for event in events:
        envelope = json.loads(event.value)
        if envelope["type"] in ("deal.won", "deal.lost"):
            found.setdefault(envelope["data"][owner_from], Counter())[envelope["type"]] += 1
    return found


def test_a_stalled_rep_neither_advances_nor_wins_but_calls_on():
    floor, _ = Floor.with_history(5, NOW, days=10, reps=10)
    rep = floor.reps[3].id
    floor.plant_stall(rep, NOW + HOUR)
    floor.advance(NOW + HOUR)

    events = floor.advance(NOW + 6 * DAY_US)

    own = Counter(
        envelope["type"]
        for envelope in (json.loads(event.value) for event in events)
        if envelope["data"].get("rep_id") == rep
    )
    assert own["deal.won"] == own["deal.lost"] == own["deal.stage_changed"] == 0
    assert own["call.completed"] > 40
    assert own["email.sent"] > 20


def test_a_spiking_rep_loses_nearly_all_of_many_deals():
    floor, _ = Floor.with_history(5, NOW, days=10, reps=10)
    rep = floor.reps[3].id
    floor.plant_loss_spike(rep, NOW + HOUR)
    floor.advance(NOW + HOUR)

    decided = closes(floor.advance(NOW + 5 * DAY_US))[rep]

    assert decided["deal.lost"] >= 20
    assert decided["deal.won"] <= 2


def test_trouble_of_one_rep_leaves_other_teams_as_they_were():
    def others(plant):
        floor, _ = Floor.with_history(5, NOW, days=3, reps=10)
        rep = floor.reps[0]
        if plant:
            floor.plant_loss_spike(rep.id, NOW)
        team = {other.id for other in floor.reps if other.team != rep.team}
        events = (json.loads(event.value) for event in floor.advance(NOW + 2 * DAY_US))
        return [
            (event["time"], event["type"], event["subject"], event["data"])
            for event in events
            if event["data"].get("rep_id") in team
        ]

    assert others(plant=True) == others(plant=False)


def test_trouble_needs_a_rep_and_a_time_to_come():
    floor, _ = Floor.with_history(5, NOW, days=1, reps=5)

    with pytest.raises(ValueError, match="no rep 'nobody' works here"):
        floor.plant_stall("nobody", NOW)
    with pytest.raises(ValueError, match="plant it later"):
        floor.plant_loss_spike(floor.reps[0].id, NOW - 1)


@pytest.mark.parametrize(("reps", "teams"), [(0, 1), (3, 4), (20_001, 5), (5, 0)])
def test_a_floor_has_reps_and_teams(reps, teams):
    with pytest.raises(ValueError, match="reps in"):
        Floor(1, NOW, reps=reps, teams=teams)


def test_a_floor_needs_pipelines():
    with pytest.raises(ValueError, match="needs pipelines"):
        Floor(1, NOW, Settings())


@given(st.lists(st.integers(), unique=True, max_size=60), st.integers(0, 99))
def test_disorder_loses_and_invents_nothing(events, seed):
    assert sorted(shuffled(events, seed)) == sorted(events)
    assert [event for chunk in chunked(events, seed, 7) for event in chunk] == events
    assert set(disordered(events, seed, repeat_share=0.5)) == set(events)
    assert list(dict.fromkeys(redelivered(events, seed, back_places=9))) == events


def test_disorder_is_one_of_its_seed():
    events = list(range(1_000))

    assert disordered(events, 1) == disordered(events, 1) != disordered(events, 2)
    assert len(disordered(events, 1)) > len(events)
