"""Zoho's notifications are kept on, in a gateway, by an API that behaves like Zoho's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace
from support.gateway import SECRET, gateway_settings, running
from support.vendors import Zoho, serving

from funnelwatch.agents.gateway import polling
from funnelwatch.schemas.settings import SourceSettings
from funnelwatch.schemas.sources.contract import SourceOptions
from funnelwatch.schemas.sources.crm.zoho import SYSTEM


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Nobody waits here for seconds."""
    monkeypatch.setattr(polling, "RETRY_SECONDS", 0.02)


@pytest.fixture
async def vendor():
    async with serving(Zoho()) as found:
        yield found


def settings_of(folder, vendor, secret="cs:r", public_url="https://hooks.firm.example/"):
    (folder / "secret.api").write_text(secret, encoding="utf-8")
    options = {"address": vendor.address, "log_in_address": vendor.address, "client_id": "app", "channel_id": "17"}
    crm = SourceSettings(
        name="crm", system="zoho", options=options | {"renewal_seconds": "0.05", "pause_seconds": "0.01"}
    )
    found = gateway_settings(folder, crm)
    return replace(found, gateway=replace(found.gateway, public_url=public_url))


async def failed(gateway):
    async def once():
        return await gateway.metric("funnelwatch_deliveries_refused_total", reason="poll_failed") >= 1

    await gateway.until("a failure", once)


async def changed(gateway, vendor, count):
    async def so_often():
        return len(vendor.changes) >= count

    await gateway.until(f"{count} changes", so_often)


async def test_the_channel_is_made_and_then_kept_for_most_of_a_day_each_time(tmp_path, vendor):
    async with running(settings_of(tmp_path, vendor)) as gateway:
        await changed(gateway, vendor, 3)
        assert await gateway.metric("funnelwatch_deliveries_refused_total", reason="poll_failed") == 0

    expiry = datetime.fromisoformat(vendor.channels["17"].pop("channel_expiry"))
    assert timedelta(hours=22) < expiry - datetime.now(UTC) < timedelta(hours=24)
    assert vendor.channels["17"] == {
        "channel_id": "17",
        "events": ["Leads.all", "Deals.all"],
        "notify_url": "https://hooks.firm.example/hooks/crm",
        "token": SECRET,
        "return_affected_field_values": True,
    }
    assert vendor.changes[:3] == ["POST", "PUT", "PUT"]
    assert vendor.logins == 1


async def test_a_token_that_expired_is_renewed(tmp_path, vendor):
    async with running(settings_of(tmp_path, vendor)) as gateway:
        await changed(gateway, vendor, 1)
        vendor.tokens.clear()
        await changed(gateway, vendor, 3)

    assert vendor.logins == 2


async def test_a_refresh_token_that_is_not_good_is_told_and_not_shown(tmp_path, vendor, caplog):
    async with running(settings_of(tmp_path, vendor, "cs:another secret")) as gateway:
        await failed(gateway)

    assert "Zoho gives no access_token (invalid_code)" in caplog.text
    assert "another secret" not in caplog.text


async def test_without_the_gateways_address_nothing_can_be_asked_for(tmp_path, vendor, caplog):
    async with running(settings_of(tmp_path, vendor, public_url="")) as gateway:
        await failed(gateway)

    assert "set gateway.public_url" in caplog.text
    assert vendor.asked == []


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"client_id": "app"}, "channel_id: is needed with client_id: a number you make up"),
        ({"channel_id": "leads"}, "channel_id: must be a number of at most 19 digits"),
    ],
)
def test_a_channel_is_a_number(options, problem):
    assert SYSTEM.check(SourceOptions(name="crm", system="zoho", options=options)) == [problem]
