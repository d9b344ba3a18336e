"""RingCentral's call log, from an API that behaves like the real one to events on disk."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import pytest
from support.gateway import gateway_settings, running, spooled
from support.samples import PAYLOADS, payload
from support.vendors import RingCentral, busy, serving

from funnelwatch.agents.gateway import polling
from funnelwatch.schemas.settings import SourceSettings
from funnelwatch.schemas.sources import reading

RECORD = "ringcentral/call_log_record_with_recording.json"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Nobody waits here for seconds."""
    monkeypatch.setattr(polling, "RETRY_SECONDS", 0.02)


@pytest.fixture
async def vendor():
    async with serving(RingCentral()) as found:
        yield found


def settings_of(folder, vendor, secret="cs:jwt", **own):
    (folder / "secret.api").write_text(secret, encoding="utf-8")
    fast = {"poll_seconds": "0.05", "pause_seconds": "0.01"}
    options = {"address": vendor.address, "client_id": "app", "cold": "all"} | fast | own
    return gateway_settings(folder, SourceSettings(name="calls", system="ringcentral", options=options))


def record(name, *, days=0.0, minutes=10.0, **members):
    began = datetime.now(UTC) - timedelta(days=days, minutes=minutes)
    return {
        "id": name,
        "sessionId": f"s-{name}",
        "startTime": began.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "duration": 55,
        "type": "Voice",
        "direction": "Outbound",
        "result": "Call connected",
        "from": {"extensionId": "7"},
        "to": {"phoneNumber": "+14083388064"},
    } | members


async def published(gateway, count):
    async def so_many():
        return await gateway.metric("funnelwatch_source_events_total", result="published") >= count

    await gateway.until(f"{count} events", so_many)


async def looks(gateway, vendor, count):
    seen = len(vendor.asked)

    async def so_many():
        return len(vendor.asked) >= seen + count

    await gateway.until(f"{count} looks", so_many)


async def test_the_log_is_read_from_its_history_on_page_by_page(tmp_path, vendor, caplog):
    caplog.set_level(logging.INFO)
    vendor.page_max = 2
    vendor.records = [record(f"R{number}", days=number) for number in range(25)] + [record("older", days=40)]
    settings = settings_of(tmp_path, vendor)
    async with running(settings) as gateway:
        await published(gateway, 25)
        await looks(gateway, vendor, 3)

    events = spooled(settings)
    assert {one["subject"] for one in events} == {f"ringcentral:s-R{number}" for number in range(25)}
    assert len(events) == 25
    assert events[0]["data"]["talk_seconds"] == 55
    assert "the call log of the source calls: 2 records before" in caplog.text
    assert vendor.logins == 1


async def test_a_recording_that_comes_later_is_told(tmp_path, vendor):
    vendor.records = [record("R1")]
    settings = settings_of(tmp_path, vendor)
    async with running(settings) as gateway:
        await published(gateway, 1)
        vendor.records[0] |= {"recording": {"contentUri": "https://media.ringcentral.example/1/content"}}
        await published(gateway, 2)

    assert {one["id"]: one["data"].get("recording_url") for one in spooled(settings)} == {
        "s-R1/R1": None,
        "s-R1/R1/recording": "https://media.ringcentral.example/1/content",
    }


async def test_a_call_that_began_hours_before_its_record_is_told(tmp_path, vendor):
    vendor.records = [record("R1")]
    settings = settings_of(tmp_path, vendor)
    async with running(settings) as gateway:
        await published(gateway, 1)
        vendor.records.append(record("R2", minutes=170, duration=10_000))
        await published(gateway, 2)

    assert [one["id"] for one in spooled(settings)] == ["s-R1/R1", "s-R2/R2"]


async def test_a_restart_goes_on_where_it_was(tmp_path, vendor):
    vendor.records = [record("R1", days=2), record("R2", days=1)]
    settings = settings_of(tmp_path, vendor)
    async with running(settings) as gateway:
        await published(gateway, 2)
        await looks(gateway, vendor, 2)
    vendor.records.append(record("R3"))
    async with running(settings) as gateway:
        await published(gateway, 1)

    assert [one["id"].partition("/")[2] for one in spooled(settings)] == ["R1", "R2", "R3"]


async def test_a_token_that_expired_is_renewed_and_a_busy_answer_waited_for(tmp_path, vendor):
    vendor.records = [record("R1")]
    settings = settings_of(tmp_path, vendor)
    async with running(settings) as gateway:
        await published(gateway, 1)
        vendor.tokens.clear()
        vendor.before = [busy(status=429)]
        vendor.records.append(record("R2"))
        await published(gateway, 2)
        assert await gateway.metric("funnelwatch_deliveries_refused_total", reason="poll_failed") == 0

    assert vendor.logins == 2


async def test_a_record_that_cannot_be_read_costs_no_other(tmp_path, vendor, caplog):
    vendor.records = [record("R1"), record("R2", duration="long"), record("R3")]
    async with running(settings_of(tmp_path, vendor)) as gateway:
        await published(gateway, 2)
        assert await gateway.metric("funnelwatch_source_passed_total", reason="unreadable") == 1

    assert "a record of a page of the call log of the source calls cannot be read: bad_number" in caplog.text


@pytest.mark.parametrize("secret", ["cs:other", "other:jwt", "cs"])
async def test_a_wrong_secret_is_told_and_not_shown(tmp_path, vendor, caplog, secret):
    async with running(settings_of(tmp_path, vendor, secret)) as gateway:

        async def refused():
            return await gateway.metric("funnelwatch_deliveries_refused_total", reason="poll_failed") >= 1

        await gateway.until("a refusal", refused)

    assert "answers 400 to POST /restapi/oauth/token" in caplog.text
    assert secret not in caplog.text.replace("https", "")


@pytest.mark.skipif(not PAYLOADS.exists(), reason="the payloads are not beside this checkout")
async def test_the_real_record_comes_from_the_log(tmp_path, vendor):
    real = reading.json_object(payload(RECORD))
    vendor.records = [real | {"startTime": record("R1")["startTime"]}]
    settings = settings_of(tmp_path, vendor)
    async with running(settings) as gateway:
        await gateway.until("it is kept", lambda: seen(gateway))


async def seen(gateway):
    return await gateway.metric("funnelwatch_source_events_total") >= 1
