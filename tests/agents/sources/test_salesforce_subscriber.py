"""Salesforce's change events by CometD: none lost over restarts, expired tokens and a server that forgets us."""

from __future__ import annotations

import json
import logging
import sqlite3
from pathlib import Path

import pytest
from support.gateway import gateway_settings, running, spooled
from support.samples import PAYLOADS, payload
from support.vendors import Salesforce, busy, serving

from funnelwatch.agents.gateway import polling
from funnelwatch.agents.sources import salesforce
from funnelwatch.schemas.settings import SourceSettings

AT_MS = 1_772_611_200_000


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Nobody waits here for seconds."""
    monkeypatch.setattr(polling, "RETRY_SECONDS", 0.02)
    monkeypatch.setattr(salesforce, "AGAIN_SECONDS", 0.02)


@pytest.fixture
async def vendor():
    async with serving(Salesforce()) as found:
        yield found


def settings_of(folder, vendor, secret="cs", **own):
    (folder / "secret.api").write_text(secret, encoding="utf-8")
    options = {"address": vendor.address, "client_id": "app", "pause_seconds": "0.01"} | own
    return gateway_settings(folder, SourceSettings(name="crm", system="salesforce", currency="EUR", options=options))


def change(entity, name, number=0, type_="UPDATE", **fields):
    header = {"entityName": entity, "recordIds": [name], "changeType": type_, "commitTimestamp": AT_MS + number}
    return fields | {"ChangeEventHeader": header | {"sequenceNumber": 1, "transactionKey": f"t{number}"}}


def won(name, number=0):
    return change("Opportunity", name, number, StageName="Closed Won", Amount=1200, OwnerId="0057")


async def of_metric(gateway, count, name, **labels):
    async def so_many():
        return await gateway.metric(name, **labels) >= count

    await gateway.until(f"{count} of {name} {labels}", so_many)


async def published(gateway, count):
    await of_metric(gateway, count, "funnelwatch_source_events_total", result="published")


def deals(settings):
    """The won deals, each as often as it was told."""
    return [one["subject"] for one in spooled(settings) if one["type"] == "deal.won"]


async def test_what_is_kept_is_heard_first_and_then_what_happens(tmp_path, vendor, caplog):
    caplog.set_level(logging.INFO)
    vendor.happens(won("006A"))
    settings = settings_of(tmp_path, vendor)
    async with running(settings) as gateway:
        await published(gateway, 2)
        vendor.happens(won("006B", 1))
        vendor.happens(change("Account", "001A"))
        await published(gateway, 4)
        await of_metric(gateway, 1, "funnelwatch_source_passed_total", reason="not_counted")
        assert await gateway.metric("funnelwatch_source_silent", source="crm") == 0

    assert deals(settings) == ["salesforce:006A", "salesforce:006B"]
    assert vendor.subscribed == [-2]
    assert vendor.handshakes == 1
    assert "the source crm hears /data/ChangeEvents" in caplog.text


async def test_a_restart_goes_on_behind_the_last_event_that_was_safe(tmp_path, vendor):
    vendor.happens(won("006A"))
    settings = settings_of(tmp_path, vendor)
    async with running(settings) as gateway:
        await published(gateway, 2)
        await gateway.until("its number is noted", lambda: connected(vendor, 2))
    first = vendor.kept[-1][0]
    vendor.happens(won("006B", 1))
    async with running(settings) as gateway:
        await published(gateway, 2)

    assert deals(settings) == ["salesforce:006A", "salesforce:006B"]
    assert vendor.subscribed == [-2, first]


async def connected(vendor, count):
    return vendor.asked.count("/meta/connect") >= count


async def test_a_server_that_has_forgotten_us_is_subscribed_to_again_and_nothing_is_lost(tmp_path, vendor):
    settings = settings_of(tmp_path, vendor)
    vendor.happens(won("006A"))
    async with running(settings) as gateway:
        await published(gateway, 2)
        vendor.clients.clear()
        vendor.happens(won("006B", 1))
        await published(gateway, 4)
        assert await gateway.metric("funnelwatch_deliveries_refused_total", reason="poll_failed") == 0

    assert deals(settings) == ["salesforce:006A", "salesforce:006B"]
    assert vendor.subscribed == [-2, vendor.kept[0][0]]


async def test_an_expired_token_is_renewed(tmp_path, vendor):
    settings = settings_of(tmp_path, vendor)
    vendor.happens(won("006A"))
    async with running(settings) as gateway:
        await published(gateway, 2)
        vendor.tokens.clear()
        vendor.happens(won("006B", 1))
        await published(gateway, 4)
        assert await gateway.metric("funnelwatch_deliveries_refused_total", reason="poll_failed") == 0

    assert deals(settings) == ["salesforce:006A", "salesforce:006B"]
    assert vendor.logins == 2


async def test_a_server_that_is_busy_is_tried_again(tmp_path, vendor):
    settings = settings_of(tmp_path, vendor)
    async with running(settings) as gateway:
        await gateway.until("it listens", lambda: connected(vendor, 1))
        vendor.before = [busy(status=503), busy(status=503)]
        await of_metric(gateway, 1, "funnelwatch_deliveries_refused_total", reason="poll_failed")
        vendor.happens(won("006A"))
        await published(gateway, 2)

    assert deals(settings) == ["salesforce:006A"]


async def test_events_that_are_not_kept_any_more_are_said_to_be_lost(tmp_path, vendor, caplog):
    settings = settings_of(tmp_path, vendor)
    vendor.happens(won("006A"))
    async with running(settings) as gateway:
        await published(gateway, 2)
        await gateway.until("its number is noted", lambda: connected(vendor, 2))
    vendor.happens(won("006B", 1))
    vendor.oldest = vendor.kept[-1][0]
    vendor.happens(won("006C", 2))
    async with running(settings) as gateway:
        await published(gateway, 2)
        assert await gateway.metric("funnelwatch_source_passed_total", reason="replay_lost") == 1

    assert deals(settings) == ["salesforce:006A", "salesforce:006C"]
    assert "was away for longer than Salesforce keeps events" in caplog.text


async def test_an_event_that_cannot_be_read_is_kept_and_costs_no_other(tmp_path, vendor):
    settings = settings_of(tmp_path, vendor)
    vendor.happens(change("Opportunity", "006A", Amount="much"))
    vendor.happens(won("006B", 1))
    async with running(settings) as gateway:
        await published(gateway, 2)
        assert await gateway.metric("funnelwatch_refused_deliveries") == 1

    assert deals(settings) == ["salesforce:006B"]


async def test_a_record_that_an_event_only_names_is_fetched(tmp_path, vendor):
    call = {"attributes": {"type": "Task"}, "Id": "00TA", "TaskSubtype": "Call", "Status": "Completed"}
    vendor.records["Task/00TA"] = call | {"CallType": "Outbound", "CallDurationInSeconds": 61, "OwnerId": "0057"}
    vendor.records["Task/00TB"] = {"Id": "00TB", "TaskSubtype": "Task", "Status": "Completed", "OwnerId": "0057"}
    vendor.records["Opportunity/006A"] = {"Id": "006A", "StageName": "Closed Won", "IsClosed": True, "IsWon": True}
    vendor.happens(change("Task", "00TA", 0, Status="Completed"))
    vendor.happens(change("Task", "00TB", 1, Status="Completed"))
    vendor.happens(change("Task", "00TC", 2, Status="Completed"))
    vendor.happens(change("Opportunity", "006A", 3, "GAP_UPDATE"))
    settings = settings_of(tmp_path, vendor)
    async with running(settings) as gateway:
        await published(gateway, 2)
        await of_metric(gateway, 1, "funnelwatch_source_passed_total", reason="other_activity")
        await gateway.until("nothing waits to be fetched", lambda: none_waits(settings))

    found = {one["type"]: one for one in spooled(settings)}
    assert found["call.completed"]["data"]["talk_seconds"] == 61
    assert found["deal.won"]["time"] == "2026-03-04T08:00:00.003001Z"
    assert [one for one in vendor.asked if "sobjects/Task/00TB" in one] == [
        "GET /services/data/v62.0/sobjects/Task/00TB"
    ]


async def none_waits(settings):
    with sqlite3.connect(Path(settings.gateway.data_dir) / "gateway.sqlite") as opened:
        return opened.execute("SELECT count(*) FROM wanted").fetchone() == (0,)


@pytest.mark.parametrize("own", [{"secret": "other"}, {"client_id": "other"}])
async def test_an_app_that_is_not_let_in_is_told_without_its_secret(tmp_path, vendor, caplog, own):
    async with running(settings_of(tmp_path, vendor, **{"secret": "a consumer secret"} | own)) as gateway:
        await of_metric(gateway, 1, "funnelwatch_deliveries_refused_total", reason="poll_failed")

    assert "answers 400 to POST /services/oauth2/token" in caplog.text
    assert "a consumer secret" not in caplog.text


@pytest.mark.skipif(not PAYLOADS.exists(), reason="the payloads are not beside this checkout")
async def test_the_real_conversion_comes_by_cometd(tmp_path, vendor):
    settings = settings_of(tmp_path, vendor)
    for name in ("3_opportunity_create", "4_lead_update"):
        event = json.loads(payload(f"salesforce/cdc_lead_conversion_{name}.json"))
        event["ChangeEventHeader"]["commitTimestamp"] = AT_MS  # else it is too old
        vendor.happens(event)
    async with running(settings) as gateway:
        await of_metric(gateway, 5, "funnelwatch_source_events_total")

    assert {"lead.accepted", "deal.created"} <= {one["type"] for one in spooled(settings)}
