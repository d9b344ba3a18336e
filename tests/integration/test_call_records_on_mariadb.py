"""Call records where FreePBX and Issabel keep them, on a real server: each call is told, over restarts of both."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from support.gateway import SECRET, gateway_settings, running, spooled
from support.mariadb import INSTALL, SERVER, MariaDb
from support.samples_phones import options, posted

from funnelwatch.agents.errors import OperationError
from funnelwatch.agents.gateway import polling
from funnelwatch.agents.sources import asterisk, cdr_mysql
from funnelwatch.agents.sources.cdr_mysql import Account, Table
from funnelwatch.schemas.settings import SourceSettings
from funnelwatch.schemas.sources.phones.asterisk import SYSTEM

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(SERVER is None or INSTALL is None, reason="neither MariaDB nor MySQL is installed here"),
]

BEGAN = datetime.fromisoformat("2026-11-02T09:00:00")
OLDEST = "2024-01-01 00:00:00"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with MariaDb(tmp_path_factory.mktemp("mariadb"), SECRET) as found:
        yield found


@pytest.fixture
def database(server, monkeypatch):
    """The server with an empty table. Nobody waits here for seconds."""
    monkeypatch.setattr(asterisk, "SERVER_LOOK_SECONDS", 0.05)
    monkeypatch.setattr(polling, "RETRY_SECONDS", 0.02)
    server.do("TRUNCATE asteriskcdrdb.cdr")
    return server


def row(unique, *, at=0, seconds=20, **members):
    """A row of a call that began so many seconds after `BEGAN`."""
    found = {
        "calldate": BEGAN + timedelta(seconds=at),
        "src": "101",
        "dst": "09331112233",
        "channel": "PJSIP/101-0000002a",
        "dstchannel": "PJSIP/trunk-0000002b",
        "lastapp": "Dial",
        "duration": seconds,
        "billsec": 9,
        "disposition": "ANSWERED",
        "uniqueid": unique,
        "linkedid": unique,
    }
    return found | members


def table(database, since=OLDEST, name="cdr"):
    return Table(Account.of(database.address, SECRET, tls=False), name, since)


def told(reader):
    """The names of all calls that are told until there is nothing new."""
    found = []
    while True:
        rows, _ = reader.read()
        if not rows:
            return found
        found += [one.id for one in SYSTEM.translate(posted(rows), options("asterisk"))]


def source(database, **own):
    found = {"cdr_server": database.address} | own
    return SourceSettings(name="pbx", system="asterisk", zone="Asia/Tehran", options=found)


async def published(gateway, count):
    async def so_many():
        return await gateway.metric("funnelwatch_source_events_total", result="published") >= count

    await gateway.until(f"{count} events", so_many)


async def test_a_table_on_a_server_is_followed_over_restarts_of_gateway_and_server(tmp_path, database):
    settings = gateway_settings(tmp_path, source(database, recordings="https://pbx.example/{year}/{file}"))
    database.insert(row("1.1", recordingfile="out-1.wav", clid='"سارا" <101>'))
    async with running(settings) as gateway:
        await published(gateway, 1)
        database.insert(row("2.1", at=60))
        await published(gateway, 2)
    database.insert(row("3.1", at=120))
    async with running(settings) as gateway:
        await published(gateway, 3)  # those of the last two hours again: repeats
        database.stop()

        async def missed():
            return await gateway.metric("funnelwatch_deliveries_refused_total", reason="poll_failed") >= 1

        await gateway.until("the server is missed", missed)
        database.start()
        database.insert(row("4.1", at=180))
        await published(gateway, 7)

    events = {event["id"]: event for event in spooled(settings)}
    assert set(events) == {"1.1/0001", "2.1/0001", "3.1/0001", "4.1/0001"}
    assert events["1.1/0001"]["time"] == "2026-11-02T05:30:20Z"
    assert events["1.1/0001"]["data"] == {
        "rep_id": "asterisk:101",
        "direction": "outbound",
        "outcome": "connected",
        "started_at": "2026-11-02T05:30:00Z",
        "talk_seconds": 9,
        "recording_url": "https://pbx.example/2026/out-1.wav",
    }


def test_a_long_call_is_told_though_its_row_comes_after_those_that_began_later(database):
    reader = table(database)
    database.insert(*(row(f"{number}.1", at=4_000 + number) for number in range(5)))
    assert len(told(reader)) == 5
    database.insert(row("9.1", at=-70_000, seconds=74_100))

    assert told(reader) == ["9.1/0001"]


def test_a_call_is_told_again_whole_when_it_gets_another_row(database):
    reader = table(database)
    database.insert(row("1.1"))
    assert told(reader) == ["1.1/0001"]
    database.insert(row("1.2", at=30, linkedid="1.1", src="09331112233", dst="102", sequence=1), row("2.1", at=31))

    assert sorted(told(reader)) == ["1.1/0002", "2.1/0001"]
    database.insert(row("1.3", at=35, seconds=1, linkedid="1.1", src="09331112233", dst="103"))  # ended before the last

    assert told(reader) == ["1.1/0003"]


def test_clocks_that_are_put_back_cost_no_call(database):
    reader = table(database)
    database.insert(row("1.1", at=3_590))
    assert told(reader) == ["1.1/0001"]
    database.insert(row("2.1", at=10))  # an hour is told again

    assert told(reader) == ["2.1/0001"]


def test_history_is_read_from_the_beginning_through_years_without_calls(database, monkeypatch):
    monkeypatch.setattr(cdr_mysql, "CALLS_MAX", 7)
    monkeypatch.setattr(cdr_mysql, "PORTION", 3)
    for year in range(3):
        database.insert(*(row(f"{year}{number:02}.1", at=year * 31_000_000 + 50 * number) for number in range(20)))
    database.insert(row("first", calldate="2023-12-01 00:00:00"), row("never", calldate="0000-00-00 00:00:00"))

    found = told(table(database))

    assert sorted(found) == sorted(f"{year}{number:02}.1/0001" for year in range(3) for number in range(20))
    assert len(set(found)) == len(found)


def test_more_calls_in_a_second_than_are_looked_at_is_told(database, monkeypatch):
    monkeypatch.setattr(cdr_mysql, "CALLS_MAX", 7)
    database.insert(*(row(f"{number}.1") for number in range(9)))
    reader = table(database)

    with pytest.raises(OperationError, match="More than 7 calls of cdr ended within one second"):
        told(reader)


def test_rows_without_a_linkedid_are_calls_by_their_uniqueid(database):
    database.insert(row("1.1", linkedid=""), row("2.1", linkedid="", at=5))
    assert told(table(database)) == ["1.1/0001", "2.1/0001"]


@pytest.mark.parametrize(
    ("account", "name", "why"),
    [
        ({"password": "another password"}, "cdr", "asteriskcdrdb at 127.0.0.1:[0-9]+ cannot be read: Access denied"),
        ({"port": 1}, "cdr", "asteriskcdrdb at 127.0.0.1:1 cannot be read: Can't connect"),
        ({}, "nothing", "asteriskcdrdb at .* cannot be read: .*(doesn't exist|denied)"),
        ({}, "cdr; DROP TABLE cdr", "is no name of a table"),
    ],
)
def test_what_cannot_be_read_is_told_without_the_password(database, account, name, why):
    known = Account.of(database.address, SECRET, tls=False)
    known = Account(**{field: getattr(known, field) for field in known.__struct_fields__} | account)

    with pytest.raises(OperationError, match=why) as refused:
        Table(known, name, OLDEST)

    assert known.password not in f"{refused.value} {known!r}"


def test_a_table_of_something_else_is_told(database):
    database.do("CREATE OR REPLACE TABLE asteriskcdrdb.other (a INT)")
    database.do("GRANT SELECT ON asteriskcdrdb.other TO funnelwatch@127.0.0.1")

    with pytest.raises(OperationError, match="has not the columns calldate"):
        table(database, name="other")
