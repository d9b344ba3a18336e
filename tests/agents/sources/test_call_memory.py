"""What was told of calls is on disk: two processes and a restart know the same as one that never ended."""

from __future__ import annotations

import sqlite3
from random import Random

import pytest
from support.one_call import CRM, GONG, PBX, SECOND, US, call, counted, figures, rank, states

from funnelwatch.agents.errors import OperationError
from funnelwatch.agents.sources.call_memory import CallMemory
from funnelwatch.streams.matching import Rules

RULES = Rules(120 * SECOND, rank)
DAY_US = 86_400 * SECOND


def opened(path, **own):
    return CallMemory(path / "calls.sqlite", RULES, **own)


def calls_in(published):
    return [one for name, state in states(published).items() if (one := counted(name, state)) is not None]


def told(number):
    """A rep's day: twenty calls to as many customers, all told by the exchange and the CRM, some by Gong."""
    random = Random(number)
    found = []
    for customer in range(20):
        began, talk = customer * 400, random.choice((0, 30))
        sources, number = (PBX, CRM, GONG)[: random.choice((2, 2, 3))], f"0933000{customer:04}"
        found += [
            call(source, f"{customer}", began + random.randint(0, 20), number=number, talk=talk) for source in sources
        ]
    random.shuffle(found)
    return found


def test_a_restart_between_two_tellings_changes_nothing(tmp_path):
    published, straight = [], []
    for event, number in told(1):
        with opened(tmp_path) as memory:
            published += memory.take(event, number, US)
    (tmp_path / "other").mkdir()
    with opened(tmp_path / "other") as memory:
        for event, number in told(1):
            straight += memory.take(event, number, US)

    assert published == straight
    assert len(calls_in(published)) == 20


def test_two_processes_with_one_file_agree(tmp_path):
    published = []
    with opened(tmp_path) as gateway, opened(tmp_path) as poller:
        for place, (event, number) in enumerate(told(2)):
            published += (gateway, poller)[place % 2].take(event, number, US)

    assert len(calls_in(published)) == 20


def test_any_order_gives_the_same_figures(tmp_path):
    found = []
    for order in range(3):
        path = tmp_path / str(order)
        path.mkdir()
        events = Random(order).sample(told(3), len(told(3)))
        with opened(path) as memory:
            found.append(figures([one for event, number in events for one in memory.take(event, number, US)]))

    assert found[0] == found[1] == found[2]


def test_an_event_that_comes_again_is_published_again_in_case_it_never_arrived(tmp_path):
    first, second = call(CRM, "c", 0), call(PBX, "p", 5)
    with opened(tmp_path) as memory:
        memory.take(*first, US)
        lost = memory.take(*second, US)

    with opened(tmp_path) as memory:
        again = memory.take(*second, US)

    assert {(one.subject, one.id, one.type) for one in lost} <= {(one.subject, one.id, one.type) for one in again}
    assert len(calls_in(again)) == 1


def test_a_number_is_compared_as_the_country_writes_it(tmp_path):
    with opened(tmp_path, country="IR") as memory:
        published = memory.take(call(PBX, "p", 0)[0], "09331112233", US)
        published += memory.take(call(CRM, "c", 5)[0], "+98 933 111 2233", US)

        assert len(calls_in(published)) == 1
        assert [match.calls for match in memory.matches()] == [((PBX, "pbx:p"), (CRM, "crm:c"))]


def test_how_often_what_was_matched_with_what_is_counted(tmp_path):
    with opened(tmp_path) as memory:
        for event, number in told(4):
            memory.take(event, number, US)

        assert memory.matched[PBX, CRM] == 20
        assert memory.told[PBX] == 20
        assert sum(memory.matched.values()) == len(told(4)) - 20
        assert len(memory.matches()) == 20
        assert len(memory.matches(limit=3)) == 3


def test_what_began_too_long_ago_is_forgotten_and_then_the_oldest(tmp_path):
    with opened(tmp_path, days=1, calls_max=2) as memory:
        for number in range(5):
            memory.take(*call(PBX, f"{number}", number * 3_600), US)

        assert memory.forget(US) == 3
        assert len(memory) == 2
        assert memory.forget(US + DAY_US + 3 * 3_600 * SECOND + 1) == 1
        assert len(memory) == 1


def test_a_diallers_thousand_attempts_cost_no_more_than_a_few(tmp_path):
    with opened(tmp_path) as memory:
        for number in range(300):
            assert len(memory.take(*call(PBX, f"{number}", number), US)) == 1
        (event,) = memory.take(*call(CRM, "c", 299, deal="crm:42"), US)

    assert event.subject == "pbx:299"


def test_a_file_that_is_none_is_told(tmp_path):
    (tmp_path / "calls.sqlite").write_bytes(b"this is no database" * 100)

    with pytest.raises(OperationError, match=r"calls\.sqlite cannot be used: file is not a database"):
        opened(tmp_path)


def test_what_could_not_be_noted_is_not_noted_by_half(tmp_path, monkeypatch):
    with opened(tmp_path) as memory:
        memory.take(*call(CRM, "c", 0), US)
        monkeypatch.setattr(memory, "_keep", lambda _: (_ for _ in ()).throw(sqlite3.OperationalError("disk is full")))
        with pytest.raises(OperationError, match="disk is full"):
            memory.take(*call(PBX, "p", 5), US)
        monkeypatch.undo()
        assert len(memory) == 1

        assert [one.subject for one in memory.take(*call(PBX, "p", 5), US)] == ["pbx:p", "pbx:p", "crm:c"]
