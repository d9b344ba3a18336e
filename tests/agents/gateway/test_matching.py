"""Calls on their way out share transactions; what cannot be noted is told to come again, and nothing is lost by it."""

from __future__ import annotations

import asyncio

import pytest
from support.one_call import CRM, PBX, US, call, counted, states

from funnelwatch.agents.errors import OperationError
from funnelwatch.agents.gateway import matching
from funnelwatch.agents.gateway.matching import Matching, memory_of, rank
from funnelwatch.agents.gateway.metrics import Metrics
from funnelwatch.agents.gateway.spool import FullError
from funnelwatch.schemas.settings import CallSettings, Settings


@pytest.fixture
async def memory(tmp_path):
    """A memory in a folder of its own."""
    found = memory_of(Settings(calls=CallSettings(country="IR")), tmp_path)
    yield found
    found.close()


def matching_of(memory):
    return Matching(memory, Metrics(), lambda: US)


async def test_many_deliveries_share_a_transaction_and_each_gets_its_own_events(memory, monkeypatch):
    batches = []
    take_all = memory.take_all
    monkeypatch.setattr(memory, "take_all", lambda told, now_us: batches.append(len(told)) or take_all(told, now_us))
    shared = matching_of(memory)
    told = [call(source, f"{number}", number * 1_000) for number in range(50) for source in (PBX, CRM)]

    said = await asyncio.gather(*(shared.published([one]) for one in told))

    assert sum(batches) == 100
    assert len(batches) <= 3
    for (event, _), events in zip(told, said, strict=True):
        assert event.source in {one.source for one in events}
    everything = [event for events in said for event in events]
    assert len([name for name, state in states(everything).items() if counted(name, state)]) == 50


async def test_what_cannot_be_noted_is_told_to_everybody_who_waits_and_taken_the_next_time(memory, monkeypatch):
    def broken(told, now_us):
        raise OperationError("The memory of calls cannot be used: disk I/O error.")

    shared = matching_of(memory)
    with monkeypatch.context() as failing:
        failing.setattr(memory, "take_all", broken)
        results = await asyncio.gather(
            *(shared.published([call(PBX, f"{number}", number)]) for number in range(3)), return_exceptions=True
        )
    assert [type(one) for one in results] == [FullError] * 3

    assert len(await shared.published([call(PBX, "0", 0)])) == 1


async def test_no_more_wait_than_there_is_room_for(memory, monkeypatch):
    monkeypatch.setattr(matching, "WAITING_EVENTS_MAX", 2)
    shared = matching_of(memory)

    with pytest.raises(FullError, match="wait to be noted"):
        await shared.published([call(PBX, f"{number}", number) for number in range(3)])
    assert await shared.published([]) == []


async def test_a_delivery_that_is_given_up_does_not_hold_up_the_next(memory):
    shared = matching_of(memory)
    given_up = asyncio.create_task(shared.published([call(PBX, "0", 0)]))
    await asyncio.sleep(0)
    given_up.cancel()

    assert len(await shared.published([call(PBX, "1", 5_000)])) == 1


def test_telephones_come_before_recorders_and_both_before_crms():
    sources = ["funnelwatch/vtiger/crm", "funnelwatch/gong/gong", "funnelwatch/asterisk/pbx", "crm", "a/b/c/d"]

    assert sorted(sources, key=rank)[:2] == ["funnelwatch/asterisk/pbx", "funnelwatch/gong/gong"]
