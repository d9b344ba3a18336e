"""A gateway that hears an Asterisk, from its socket or its records to events on disk; and one call told by two."""

from __future__ import annotations

import base64
import sqlite3

import msgspec
import pytest
from support.gateway import SECRET, gateway_settings, running, spooled
from support.manager import FakeManager
from support.samples import PAYLOADS, payload
from support.samples_phones import AMI, CDR, MASTER, SIMOTEL

from funnelwatch.agents.gateway import polling
from funnelwatch.agents.sources import asterisk
from funnelwatch.schemas.settings import CallSettings, SourceSettings

CAPTURE = "asterisk/ami_capture_originate_with_events.txt"
ZONE = "Asia/Tehran"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Nobody waits here for seconds."""
    monkeypatch.setattr(asterisk, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(polling, "RETRY_SECONDS", 0.02)


def source(**options):
    return SourceSettings(name="pbx", system="asterisk", zone=ZONE, options=options)


def listening(server, **own):
    return source(host="127.0.0.1", port=server.port, username="wall", **own)


async def published(gateway, count):
    async def so_many():
        return await gateway.metric("funnelwatch_source_events_total", result="published") >= count

    await gateway.until(f"{count} events", so_many)


@pytest.fixture
def manager():
    """A manager that knows the secret of the gateway's sources."""
    return FakeManager(secret=SECRET)


async def test_a_call_on_the_manager_interface_is_published(tmp_path, manager):
    async with manager as server:
        settings = gateway_settings(tmp_path, listening(server))
        async with running(settings) as gateway:
            await server.ready()
            await server.say(AMI.encode() + b"\n")
            await published(gateway, 1)
            assert await gateway.metric("funnelwatch_source_silent", source="pbx") == 0

    (event,) = spooled(settings)
    assert event["subject"] == "asterisk:1764237580.378"
    assert event["data"] == {
        "rep_id": "asterisk:101",
        "direction": "outbound",
        "outcome": "connected",
        "started_at": "2025-11-27T09:59:40.100000Z",
        "talk_seconds": 9,
    }


@pytest.mark.skipif(not (PAYLOADS / CAPTURE).exists(), reason="the payloads are not beside this checkout")
async def test_a_real_capture_becomes_one_call(tmp_path, manager):
    async with manager as server:
        settings = gateway_settings(tmp_path, listening(server, extensions="259"))
        async with running(settings) as gateway:
            await server.ready()
            await server.say(payload(CAPTURE).strip() + b"\n\n")
            await published(gateway, 1)

    (event,) = spooled(settings)
    assert (event["subject"], event["data"]["rep_id"], event["data"]["outcome"]) == (
        "asterisk:1414510600.0",
        "asterisk:259",
        "connected",
    )


async def test_a_connection_that_breaks_during_a_call_loses_nothing(tmp_path, manager):
    begun, _, ended = AMI.partition("Event: Hangup")
    async with manager as server:
        settings = gateway_settings(tmp_path, listening(server))
        async with running(settings) as gateway:
            await server.ready()
            await server.say(begun.encode())
            server.channels = ["1764237580.378", "1764237580.379"]
            await server.drop()
            await server.ready()
            await server.say(f"Event: Hangup{ended}\n".encode())
            await published(gateway, 1)
            assert server.logins == 2

    (event,) = spooled(settings)
    assert event["data"]["talk_seconds"] == 9


async def test_a_call_that_ended_while_nobody_listened_ends_when_that_began(tmp_path, manager):
    begun, _, _ = AMI.partition("Event: Hangup")
    async with manager as server:
        settings = gateway_settings(tmp_path, listening(server))
        async with running(settings) as gateway:
            await server.ready()
            await server.say(begun.encode())
            await server.drop()
            await published(gateway, 1)

    (event,) = spooled(settings)
    assert (event["subject"], event["data"]["outcome"]) == ("asterisk:1764237580.378", "connected")


async def test_a_refused_login_is_counted_and_tried_again(tmp_path, manager, caplog):
    async with manager as server:
        refused = msgspec.structs.replace(listening(server), options=listening(server).options | {"username": "other"})
        async with running(gateway_settings(tmp_path, refused)) as gateway:

            async def twice():
                return await gateway.metric("funnelwatch_deliveries_refused_total", reason="poll_failed") >= 2

            await gateway.until("two refusals", twice)

    assert "does not let us in as Account(other@127.0.0.1" in caplog.text
    assert SECRET not in caplog.text


async def test_records_are_followed_over_a_restart(tmp_path):
    path = tmp_path / "Master.csv"
    path.write_text(MASTER)
    settings = gateway_settings(tmp_path, source(cdr_file=str(path)))
    async with running(settings) as gateway:
        await published(gateway, 1)
    with path.open("a") as opened:
        opened.write(MASTER.replace("1764237580.378", "1764237580.400"))
        opened.write(MASTER.replace("2025-11-27 13:29:40", "yesterday").replace("1764237580.378", "1764237580.401"))
        opened.write(MASTER.replace("1764237580.378", "1764237580.402"))
    async with running(settings) as gateway:
        await published(gateway, 2)
        assert await gateway.metric("funnelwatch_deliveries_refused_total", reason="bad_time") == 1

    assert [event["id"] for event in spooled(settings)] == [
        "1764237580.378/0001",
        "1764237580.400/0001",
        "1764237580.402/0001",
    ]


async def test_records_from_before_the_retention_are_passed(tmp_path):
    path = tmp_path / "Master.csv"
    path.write_text(MASTER.replace("2025-11-27", "2019-11-27") + MASTER.replace("1764237580.378", "1764237580.379"))
    async with running(gateway_settings(tmp_path, source(cdr_file=str(path)))) as gateway:
        await published(gateway, 1)
        assert await gateway.metric("funnelwatch_source_passed_total", reason="too_old") == 1


async def test_a_table_is_followed_over_a_restart(tmp_path):
    path = tmp_path / "master.db"
    with sqlite3.connect(path) as opened:
        opened.execute(f"CREATE TABLE cdr ({', '.join(CDR)})")

    def inserted(**members):
        with sqlite3.connect(path) as opened:
            values = list((CDR | members).values())
            opened.execute(f"INSERT INTO cdr VALUES ({', '.join('?' * len(values))})", values)

    settings = gateway_settings(tmp_path, source(cdr_database=str(path)))
    inserted()
    async with running(settings) as gateway:
        await published(gateway, 1)
    inserted(sequence="13", uniqueid="1764237590.1")
    async with running(settings) as gateway:
        await published(gateway, 1)

    assert [event["id"] for event in spooled(settings)] == ["1764237580.378/0001", "1764237580.378/0002"]


def other():
    return SourceSettings(name="crm", system="simotel", zone=ZONE)


def basic():
    return {"authorization": f"Basic {base64.b64encode(SECRET.encode()).decode()}", "content-type": "application/json"}


@pytest.mark.parametrize("first", ["records", "webhook"])
async def test_a_call_told_by_two_sources_is_one_whichever_comes_first(tmp_path, first):
    path = tmp_path / "Master.csv"
    people = tmp_path / "people.toml"
    people.write_text('[[people]]\nrep = "sara"\nids = ["ext:101"]\n')
    settings = gateway_settings(tmp_path, source(cdr_file=str(path)), other(), people=str(people))
    settings = msgspec.structs.replace(settings, calls=CallSettings(country="IR"))
    told = SIMOTEL | {"dst": "+98 933 111 2233", "unique_id": "7.7"}
    path.write_text(MASTER if first == "records" else "")
    async with running(settings) as gateway:
        if first == "records":
            await published(gateway, 1)
        assert (await gateway.post(told, name="crm", headers=basic()))[0] == 200
    async with running(settings) as gateway:  # what was told is remembered over a restart
        if first == "webhook":
            path.write_text(MASTER)

        async def matched():
            again = await gateway.post(told, name="crm", headers=basic())  # as vendors do
            return again[0] == 200 and counted(settings) == {"asterisk:1764237580.378"}

        await gateway.until("one name", matched)

    assert counted(settings) == {"asterisk:1764237580.378"}


def counted(settings):
    """The names under which a call counts, of what is on disk now."""
    words = {}
    for event in spooled(settings):
        if event["type"] != "call.recorded":
            words.setdefault(event["subject"], []).append((event["time"], event["source"], event["id"], event["type"]))
    return {name for name, told in words.items() if max(told)[-1] == "call.completed"}


async def test_two_sources_are_two_where_matching_is_switched_off(tmp_path):
    path = tmp_path / "Master.csv"
    path.write_text(MASTER)
    settings = gateway_settings(tmp_path, source(cdr_file=str(path)), other())
    settings = msgspec.structs.replace(settings, calls=CallSettings(match=False))
    async with running(settings) as gateway:
        await gateway.post(SIMOTEL | {"unique_id": "7.7"}, name="crm", headers=basic())
        await published(gateway, 2)

    assert len(counted(settings)) == 2


async def test_how_often_calls_were_one_is_a_metric(tmp_path):
    path = tmp_path / "Master.csv"
    path.write_text(MASTER)
    people = tmp_path / "people.toml"
    people.write_text('[[people]]\nrep = "sara"\nids = ["ext:101"]\n')
    settings = gateway_settings(tmp_path, source(cdr_file=str(path)), other(), people=str(people))
    async with running(settings) as gateway:
        await published(gateway, 1)
        await gateway.post(SIMOTEL | {"unique_id": "7.7"}, name="crm", headers=basic())

        assert await gateway.metric("funnelwatch_calls_matched_total", source="crm", other="pbx") == 1
        assert await gateway.metric("funnelwatch_calls_renamed_total") == 0
