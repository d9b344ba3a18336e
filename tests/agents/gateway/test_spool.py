"""What is in the spool survives, comes out in its order, and never grows beyond its limit."""

from __future__ import annotations

import pytest

from funnelwatch.agents.errors import OperationError
from funnelwatch.agents.gateway.spool import FullError, Kept, Message, Spool, waiting


def message(number):
    return Message("crm.deals", f"a:{number}", b"x" * 100)


def kept(number, *person):
    return Kept("funnelwatch/hubspot/hs", str(number), person, b"{}")


@pytest.fixture
def opened(tmp_path):
    spools = []

    def reopen(bytes_max=1_000, unknown_max=3):
        for one in spools:
            one.close()
        spools[:] = [Spool(tmp_path, bytes_max, unknown_max)]
        return spools[0]

    yield reopen
    for one in spools:
        one.close()


async def test_events_come_out_in_their_order_also_after_a_restart(opened):
    await opened().append([message(1), message(2)])
    spool = opened()
    await spool.append([message(3)])

    assert (spool.events, spool.bytes) == (3, 300)
    through, messages = await spool.oldest(2)
    assert messages == [message(1), message(2)]
    await spool.remove(through, messages)
    assert (await spool.oldest(9))[1] == [message(3)]
    assert (spool.events, spool.bytes) == (1, 100)


async def test_what_does_not_fit_is_not_written(opened):
    spool = opened()
    await spool.append([message(number) for number in range(9)])

    with pytest.raises(FullError):
        await spool.append([message(10), message(11)])

    assert spool.events == len((await spool.oldest(99))[1]) == 9


async def test_kept_events_are_kept_once_and_only_so_many(opened):
    spool = opened()
    await spool.keep([kept(1, "hs:7", "a b@x.example"), kept(1, "hs:7")])
    await spool.keep([kept(2, "hs:8")])

    assert spool.unknown == 2
    with pytest.raises(FullError):
        await spool.keep([kept(3, "hs:8"), kept(4, "hs:8")])
    assert await opened().people() == [(("hs:7", "a b@x.example"), 1), (("hs:8",), 1)]


async def test_kept_events_of_a_person_are_released(opened):
    spool = opened()
    await spool.keep([kept(1, "hs:7"), kept(2, "hs:8"), kept(3, "hs:7")])

    found = await spool.kept_of(("hs:7",), 10)
    await spool.release(number for number, _ in found)

    assert (len(found), spool.unknown) == (2, 1)
    assert await spool.people() == [(("hs:8",), 1)]


async def test_a_running_gateway_can_be_asked_who_is_unknown(opened, tmp_path):
    await opened().keep([kept(1, "hs:7")])

    assert waiting(tmp_path) == [(("hs:7",), 1)]
    assert waiting(tmp_path / "nothing") == []


async def test_objects_to_fetch_notes_and_when_sources_were_heard_are_remembered(opened):
    spool = opened()
    await spool.want("qbo", [b"1", b"2", b"1"])
    await spool.note("vtiger", "modified", "5")
    await spool.note("vtiger", "modified", "6")
    await spool.saw({"qbo": 77})
    spool = opened()

    assert [what for _, what in await spool.wanted("qbo", 9)] == [b"1", b"2"]
    await spool.fetched([(await spool.wanted("qbo", 1))[0][0]])
    assert spool.wanting == 1
    assert await spool.noted("vtiger", "modified") == "6"
    assert await spool.noted("vtiger", "other") is None
    assert spool.seen() == {"qbo": 77}


def test_two_gateways_do_not_share_a_folder(opened, tmp_path):
    opened()

    with pytest.raises(OperationError, match="data_dir"):
        Spool(tmp_path, 1, 1)
