"""The connection to a manager: it logs in both ways, hears everything, and says what is wrong."""

from __future__ import annotations

import asyncio

import pytest
from support.manager import SECRET, FakeManager
from support.samples import PAYLOADS, payload

from funnelwatch.agents.errors import OperationError
from funnelwatch.agents.sources import ami
from funnelwatch.agents.sources.ami import Account, Manager

CAPTURE = "asterisk/ami_capture_originate_with_events.txt"


def account(server, **own):
    return Account(**{"host": "127.0.0.1", "port": server.port, "username": "wall", "secret": SECRET} | own)


async def heard(manager, count):
    found = []
    async with asyncio.timeout(20):
        async for message in manager.messages():
            found += [message] if "event" in message else []
            if len(found) == count:
                break
    return found


@pytest.mark.parametrize("login", ["md5", "plain"])
async def test_both_logins_work_and_only_one_tells_the_secret(login):
    async with FakeManager() as server, Manager(account(server, login=login)):
        assert server.logins == 1
        sent = [action.get("secret") for action in server.actions if action["action"] == "Login"]
        assert sent == [SECRET if login == "plain" else None]


@pytest.mark.parametrize("login", ["md5", "plain"])
async def test_a_wrong_secret_is_told_without_being_shown(login):
    async with FakeManager() as server:
        with pytest.raises(
            OperationError, match=r"does not let us in as Account\(wall@127.0.0.1:\d+\): Authentication"
        ):
            async with Manager(account(server, secret="guess", login=login)):
                pass


async def test_events_are_heard_in_their_order():
    async with FakeManager() as server, Manager(account(server)) as manager:
        await server.say(
            b"Event: Newchannel\nUniqueid: 1.1\n\nResponse: Success\n\nEvent: Hangup\nUniqueid: 1.1\nx\n\n"
        )

        assert await heard(manager, 2) == [
            {"event": "Newchannel", "uniqueid": "1.1"},
            {"event": "Hangup", "uniqueid": "1.1"},
        ]


@pytest.mark.skipif(not (PAYLOADS / CAPTURE).exists(), reason="the payloads are not beside this checkout")
async def test_a_real_capture_is_heard_whole_byte_by_byte():
    body = payload(CAPTURE).strip() + b"\n\n"
    async with FakeManager() as server, Manager(account(server)) as manager:
        telling = asyncio.create_task(_slowly(server, body))
        found = await heard(manager, (b"\n" + body).count(b"\nEvent: "))
        await telling

    assert [event["event"] for event in found][:4] == ["Newchannel", "Newchannel", "Newchannel", "Dial"]
    assert found[-1]["event"] == "Hangup"


async def _slowly(server, body):
    for begin in range(0, len(body), 7):
        await server.say(body[begin : begin + 7])


async def test_the_channels_there_are():
    async with FakeManager() as server, Manager(account(server)) as manager:
        server.channels = ["1.1", "1.2"]

        assert [one["uniqueid"] for one in await manager.channels()] == ["1.1", "1.2"]


async def test_what_happens_while_the_channels_are_listed_is_heard_all_the_same():
    async with FakeManager() as server, Manager(account(server)) as manager:
        await server.say(b"Event: Hangup\nUniqueid: 1.1\n\n")
        await manager.channels()

        assert await heard(manager, 1) == [{"event": "Hangup", "uniqueid": "1.1"}]


async def test_a_silent_manager_is_asked_and_then_given_up(monkeypatch):
    monkeypatch.setattr(ami, "PING_SECONDS", 0.05)
    async with FakeManager(mute=True) as server, Manager(account(server)) as manager:
        with pytest.raises(OperationError, match="has fallen silent"):
            await heard(manager, 1)
        assert [action["action"] for action in server.actions][-1] == "Ping"


async def test_a_manager_that_answers_pings_is_alive(monkeypatch):
    monkeypatch.setattr(ami, "PING_SECONDS", 0.02)
    async with FakeManager() as server, Manager(account(server)) as manager:
        listening = asyncio.create_task(heard(manager, 1))
        await asyncio.sleep(0.2)
        await server.say(b"Event: Newchannel\nUniqueid: 1.1\n\n")

        assert len(await listening) == 1


async def test_a_broken_connection_is_told():
    async with FakeManager() as server, Manager(account(server)) as manager:
        await server.drop()

        with pytest.raises(OperationError, match="broke: closed by Asterisk"):
            await heard(manager, 1)


async def test_what_is_no_manager_is_told():
    async with FakeManager(banner=b"HTTP/1.1 400 Bad Request\r\n") as server:
        with pytest.raises(OperationError, match="is no manager of Asterisk"):
            async with Manager(account(server)):
                pass
    with pytest.raises(OperationError, match="does not answer"):
        async with Manager(account(server)):
            pass


async def test_an_endless_line_ends_the_connection():
    async with FakeManager() as server, Manager(account(server)) as manager:
        await server.say(b"Event: " + b"x" * (2 * ami.LINE_BYTES_MAX))

        with pytest.raises(OperationError, match="broke"):
            await heard(manager, 1)


async def test_a_name_in_the_configuration_is_no_second_action():
    async with FakeManager() as server:
        with pytest.raises(OperationError, match="does not let us in"):
            async with Manager(account(server, username="wall\r\nAction: Originate\r\nX: y")):
                pass
        assert {action["action"] for action in server.actions} == {"Challenge", "Login"}


def test_an_account_shows_no_secret():
    assert SECRET not in repr(Account(host="pbx", username="wall", secret=SECRET))
