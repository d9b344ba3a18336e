"""A call that two systems tell of is one call, in whatever order and however often they tell it."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.one_call import CRM, GONG, PBX, SECOND, US, World, call, rank

from funnelwatch.streams.matching import Call, Rules, add, groups

TOLERANCE_SECONDS = 120
RULES = Rules(TOLERANCE_SECONDS * SECOND, rank)


def known(*events):
    calls: dict[tuple[str, str], Call] = {}
    for event, number in events:
        add(calls.setdefault((event.source, event.subject), Call(event.source, event.subject)), event, number)
    return list(calls.values())


def together(*events):
    return [[one.subject for one in group] for group in groups(known(*events), RULES)]


def test_the_crms_call_and_the_exchanges_are_one():
    assert together(call(CRM, "c", 0), call(PBX, "p", 5)) == [["pbx:p", "crm:c"]]


@pytest.mark.parametrize(
    "other",
    [
        {"rep": "reza"},
        {"number": "+982100000000"},
        {"direction": "inbound"},
        {"started": TOLERANCE_SECONDS + 1},
        {"number": ""},
    ],
)
def test_another_rep_party_direction_or_time_is_another_call(other):
    started = other.pop("started", 5)

    assert together(call(PBX, "p", 0), call(CRM, "c", started, **other)) == [["pbx:p"], ["crm:c"]]


def test_the_source_that_comes_first_gives_the_call_its_name():
    rules = Rules(RULES.tolerance_us, lambda source: 0 if source == CRM else 1)

    (group,) = groups(known(call(PBX, "p", 0), call(CRM, "c", 5)), rules)

    assert [one.subject for one in group] == ["crm:c", "pbx:p"]


def test_of_an_event_that_comes_again_with_other_words_the_same_one_stands_in_any_order():
    told = [call(PBX, "p", 0, talk=9, ended=60), call(PBX, "p", 0, talk=12, ended=60)]

    first, second = known(*told), known(*reversed(told))

    assert first[0].told == second[0].told


def test_the_tolerance_includes_its_end():
    assert together(call(PBX, "p", 0), call(CRM, "c", TOLERANCE_SECONDS)) == [["pbx:p", "crm:c"]]


def test_two_calls_of_one_source_are_two():
    assert together(call(PBX, "p", 0), call(PBX, "q", 1)) == [["pbx:p"], ["pbx:q"]]


def test_redialling_is_two_calls_each_with_its_nearest():
    found = together(call(PBX, "p", 0), call(PBX, "q", 40), call(CRM, "c", 2), call(CRM, "d", 41))

    assert found == [["pbx:p", "crm:c"], ["pbx:q", "crm:d"]]


def test_three_systems_may_tell_of_one_call():
    assert together(call(PBX, "p", 0), call(CRM, "c", 5), call(GONG, "g", 9)) == [["pbx:p", "gong:g", "crm:c"]]


def test_a_group_is_no_longer_than_the_tolerance():
    assert together(call(PBX, "p", 0), call(CRM, "c", 100), call(GONG, "g", 190)) == [["pbx:p"], ["gong:g", "crm:c"]]


def test_one_call_is_counted_with_the_telephones_time_and_the_crms_deal():
    world = World(RULES)
    world.tell(call(CRM, "c", 3, talk=60, outcome="no_answer", deal="crm:42", ended=7_200))
    world.tell(call(PBX, "p", 0, talk=56))

    (counted,) = world.counted()
    assert counted.at == 56 * SECOND + US
    assert (counted.data.talk_ms, counted.data.outcome, counted.data.deal_id) == (56_000, "connected", "crm:42")


def test_the_talk_ratio_is_added_by_the_system_that_listened_to_the_call():
    world = World(RULES)
    world.tell(call(GONG, "g", 1, ratio=4_350))
    world.tell(call(PBX, "p", 0))

    assert [one.data.talk_ratio for one in world.counted()] == [4_350]


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 0, 2], [0, 2, 1, 0, 1, 2]])
def test_a_recording_that_either_tells_of_is_kept(order):
    events = [
        call(CRM, "c", 3),
        call(PBX, "p", 0),
        call(CRM, "c", 3, type_="call.recorded", recording="https://crm.example/1.mp3", id_="r"),
    ]
    world = World(RULES)
    for place in order:
        world.tell(events[place])

    (counted,) = world.counted()
    assert counted.data.recording_url == "https://crm.example/1.mp3"


def test_what_is_told_of_a_call_before_it_ends_counts_nothing_until_it_does():
    world = World(RULES)
    world.tell(call(PBX, "p", 0, type_="call.recorded", id_="rings"))
    world.tell(call(CRM, "c", 3))
    assert [one.subject for one in world.counted()] == ["pbx:p"]

    world.tell(call(PBX, "p", 0))

    assert len(world.counted()) == 1


def test_a_call_that_the_crm_forgets_was_made_all_the_same():
    world = World(RULES)
    for event in (call(CRM, "c", 3), call(PBX, "p", 0), call(CRM, "c", 3, type_="call.deleted", id_="gone", ended=900)):
        world.tell(event)

    assert len(world.counted()) == 1
    assert world.live_names() & {"crm:c"} == set()


def test_a_pair_that_a_nearer_call_parts_leaves_nothing_of_itself_behind():
    """The CRM's second call came before the exchange's: it was taken for the first, until the better one was known."""
    world = World(RULES)
    world.tell(call(PBX, "p", 0, talk=0, outcome="no_answer"))
    world.tell(call(CRM, "d", 41, talk=100))
    world.tell(call(PBX, "q", 40, talk=100))
    world.tell(call(CRM, "c", 2, talk=0, outcome="no_answer"))

    assert sorted((one.data.outcome, one.data.talk_ms) for one in world.counted()) == [
        ("connected", 100_000),
        ("no_answer", 0),
    ]


@st.composite
def stories(draw):
    """Calls of a rep with one customer, close together, told by three systems in several events each."""
    random = Random(draw(st.integers(0, 2**32)))
    events = []
    for number in range(draw(st.integers(1, 5))):
        began = random.choice((0, 30, 60, 90, 119, 120, 121, 240, 300))
        talk = random.choice((0, 12, 56))
        outcome = "connected" if talk else random.choice(("no_answer", "busy"))
        for source in random.sample((PBX, CRM, GONG), random.randint(1, 3)):
            name, start = f"{number}", began + random.choice((0, 1, 4))
            told = {"talk": talk, "outcome": outcome, "rep": random.choice(("sara", "sara", "reza"))}
            if random.random() < 0.4:
                events.append(call(source, name, start, type_="call.recorded", id_=f"{name}-rings", **told))
            if random.random() < 0.3:
                link = f"https://{source}.example/{name}"
                events.append(call(source, name, start, type_="call.recorded", id_=f"{name}-r", recording=link, **told))
            if random.random() < 0.9:
                events.append(call(source, name, start, ended=random.choice((None, 500)), **told))
            if random.random() < 0.1:
                events.append(call(source, name, start, type_="call.deleted", id_=f"{name}-x", ended=900, **told))
    return events, random


@settings(max_examples=300)
@given(stories())
def test_the_order_and_the_repetition_of_what_is_told_are_nothing(story):
    events, random = story
    worlds = []
    for _ in range(3):
        world = World(RULES)
        order = random.sample(events, len(events)) + random.choices(events, k=3 if events else 0)
        for event in order:
            world.tell(event)
        worlds.append(world.figures())

    assert worlds[0] == worlds[1] == worlds[2]


@settings(max_examples=100)
@given(stories())
def test_as_many_calls_count_as_there_are_groups_with_an_end(story):
    events, _ = story
    world = World(RULES)
    for event in events:
        world.tell(event)

    expected = [group for group in groups(known(*events), RULES) if any(_counts(one) for one in group)]
    assert len(world.counted()) == len(expected)


def _counts(one: Call) -> bool:
    words = [told.type for told in one.told if told.type != "call.recorded"]
    return bool(words) and words[-1] == "call.completed"
