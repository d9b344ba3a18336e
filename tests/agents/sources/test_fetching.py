"""What notifications only name is fetched, from APIs that behave like HubSpot's, QuickBooks' and SuiteCRM's."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from support.gateway import SECRET, gateway_settings, running, spooled
from support.vendors import HubSpot, QuickBooks, SuiteCrm, busy, serving

from funnelwatch.agents.clock import now_us
from funnelwatch.agents.errors import OperationError
from funnelwatch.agents.sources.api import Api, DeniedError, RejectedError
from funnelwatch.schemas.settings import SourceSettings
from funnelwatch.schemas.sources.crm.hubspot_proof import v3
from funnelwatch.schemas.sources.proofs import hmac_base64


def settings_of(folder: Path, system: str, secret: str, **options: Any):
    (folder / "secret.api").write_text(secret, encoding="utf-8")
    crm = SourceSettings(
        name="crm", system=system, currency="EUR", options={"pause_seconds": "0.01", "poll_seconds": "0.05"} | options
    )
    return gateway_settings(folder, crm)


async def none_waits(gateway) -> None:
    """An object waits until its events are safe, so a moment longer than they are seen."""

    async def fetched() -> bool:
        return waiting(gateway.settings) == 0

    await gateway.until("nothing waits to be fetched", fetched)


async def events(gateway, count: int) -> None:
    async def there() -> bool:
        return await gateway.metric("funnelwatch_spool_events") >= count

    await gateway.until(f"{count} events", there)


def notes(settings, like: str) -> dict[str, str]:
    with sqlite3.connect(Path(settings.gateway.data_dir) / "gateway.sqlite") as opened:
        return dict(opened.execute("SELECT key, text FROM note WHERE key LIKE ?", (like,)).fetchall())


def waiting(settings) -> int:
    with sqlite3.connect(Path(settings.gateway.data_dir) / "gateway.sqlite") as opened:
        return opened.execute("SELECT count(*) FROM wanted").fetchone()[0]


DEAL = {
    "id": "42",
    "createdAt": "2026-03-01T09:00:00Z",
    "updatedAt": "2026-03-04T09:00:00Z",
    "properties": {"dealstage": "closedwon", "amount": "1200", "hubspot_owner_id": "7"},
    "propertiesWithHistory": {
        "dealstage": [
            {"value": "closedwon", "timestamp": "2026-03-04T09:00:00Z"},
            {"value": "demo", "timestamp": "2026-03-01T09:00:00Z"},
        ],
        "amount": [{"value": "1200", "timestamp": "2026-03-01T09:00:00Z"}],
        "hubspot_owner_id": [{"value": "7", "timestamp": "2026-03-02T09:00:00Z"}],
    },
}


class TestHubSpot:
    async def notify(self, gateway, *changes: dict[str, Any]) -> int:
        body = json.dumps([{"portalId": 1, "occurredAt": now_us() // 1_000, **change} for change in changes]).encode()
        stamp = str(now_us() // 1_000)
        url = f"{gateway.base}/hooks/crm"
        headers = {"x-hubspot-signature-v3": v3(SECRET, "POST", url, body, stamp), "x-hubspot-request-timestamp": stamp}
        return (await gateway.post(body, name="crm", headers=headers))[0]

    async def test_a_deal_comes_with_its_history(self, tmp_path):
        vendor = HubSpot()
        vendor.objects["deals/42"] = DEAL
        async with serving(vendor):
            settings = settings_of(tmp_path, "hubspot", "key", fetch=True, address=vendor.address)
            async with running(settings) as gateway:
                assert await self.notify(gateway, {"subscriptionType": "deal.creation", "objectId": 42}) == 200
                await events(gateway, 5)
                await none_waits(gateway)

        found = spooled(settings)
        assert [one["time"] for one in found if one["type"] == "deal.won"] == ["2026-03-04T09:00:00Z"]
        assert {"hubspot:7"} == {one["data"]["rep_id"] for one in found if "rep_id" in one["data"]}

    async def test_what_waits_survives_a_restart_and_a_vendor_that_is_away(self, tmp_path):
        vendor = HubSpot()
        async with serving(vendor):
            settings = settings_of(tmp_path, "hubspot", "key", fetch=True, address=vendor.address)
            vendor.before = [busy() for _ in range(5)]
            async with running(settings) as gateway:
                assert await self.notify(gateway, {"subscriptionType": "deal.creation", "objectId": 42}) == 200

                async def failed() -> bool:
                    return await gateway.metric("funnelwatch_deliveries_refused_total", reason="poll_failed") > 0

                await gateway.until("it gave up for a while", failed)
            assert waiting(settings) == 1
            vendor.objects["deals/42"] = DEAL
            async with running(settings) as gateway:
                await events(gateway, 5)
                await none_waits(gateway)

    async def test_what_is_gone_waits_no_more(self, tmp_path):
        vendor = HubSpot()
        async with serving(vendor):
            settings = settings_of(tmp_path, "hubspot", "key", fetch=True, address=vendor.address)
            async with running(settings) as gateway:
                await self.notify(gateway, {"subscriptionType": "contact.creation", "objectId": 1})

                async def asked() -> bool:
                    return bool(vendor.asked)

                await gateway.until("it was asked for", asked)
                await none_waits(gateway)

    async def test_a_call_counts_once_it_is_fetched(self, tmp_path):
        vendor = HubSpot()
        properties = {
            "hs_timestamp": "2026-03-04T09:00:00Z",
            "hs_call_duration": "61000",
            "hubspot_owner_id": "7",
            "hs_call_direction": "OUTBOUND",
            "hs_call_disposition": "f240bbac-87c9-4f6e-bf70-924b57d47db7",
        }
        vendor.objects["calls/5"] = {"id": "5", "updatedAt": "2026-03-04T10:00:00Z", "properties": properties}
        async with serving(vendor):
            settings = settings_of(tmp_path, "hubspot", "key", fetch=True, address=vendor.address)
            async with running(settings) as gateway:
                change = {"subscriptionType": "object.creation", "objectTypeId": "0-48", "objectId": 5}
                await self.notify(gateway, change)
                await events(gateway, 1)

        (call,) = spooled(settings)
        assert tuple(call["data"][name] for name in ("outcome", "talk_seconds", "direction")) == (
            "connected",
            61,
            "outbound",
        )


class TestQuickBooks:
    def invoice(self, balance: str = "0", deal: str = "42") -> dict[str, Any]:
        return {
            "Invoice": {
                "Id": "145",
                "TotalAmt": 1200.5,
                "Balance": float(balance),
                "CurrencyRef": {"value": "USD"},
                "MetaData": {"LastUpdatedTime": "2026-03-04T14:42:19-08:00"},
                "CustomField": [{"Name": "Deal", "StringValue": deal}],
            }
        }

    async def notify(self, gateway, name: str, id_: str, operation: str = "Create") -> int:
        entity = {"name": name, "id": id_, "operation": operation, "lastUpdated": "2026-03-04T14:42:19-0700"}
        body = json.dumps(
            {"eventNotifications": [{"realmId": "1185", "dataChangeEvent": {"entities": [entity]}}]}
        ).encode()
        return (await gateway.post(body, name="crm", headers={"intuit-signature": hmac_base64(SECRET, body)}))[0]

    def settings(self, folder: Path, vendor: QuickBooks):
        addresses = {"address": vendor.address, "log_in_address": vendor.address}
        return settings_of(
            folder, "quickbooks", "cs:r0", fetch=True, client_id="app", deal_prefix="hubspot", **addresses
        )

    async def noted(self, gateway, settings, like: str, holds) -> None:
        async def there() -> bool:
            return holds(notes(settings, like))

        await gateway.until("the note", there)

    async def test_an_invoice_is_money_of_its_deal(self, tmp_path):
        vendor = QuickBooks()
        vendor.objects["1185/invoice/145"] = self.invoice(balance="200.5")
        async with serving(vendor):
            settings = self.settings(tmp_path, vendor)
            async with running(settings) as gateway:
                assert await self.notify(gateway, "Invoice", "145") == 200
                await self.noted(gateway, settings, "invoice/%", bool)

        (text,) = notes(settings, "invoice/%").values()
        invoice = json.loads(text)
        assert tuple(invoice[name] for name in ("deal", "currency", "total", "open")) == (
            "hubspot:42",
            "USD",
            12_005_000,
            2_005_000,
        )

    async def test_a_payment_looks_at_its_invoice_again(self, tmp_path):
        vendor = QuickBooks()
        vendor.objects["1185/invoice/145"] = self.invoice(balance="0")
        vendor.objects["1185/payment/5"] = {
            "Payment": {
                "Id": "5",
                "MetaData": {"LastUpdatedTime": "2026-03-05T10:00:00-08:00"},
                "Line": [{"LinkedTxn": [{"TxnId": "145", "TxnType": "Invoice"}]}],
            }
        }
        async with serving(vendor):
            settings = self.settings(tmp_path, vendor)
            async with running(settings) as gateway:
                await self.notify(gateway, "Payment", "5")
                await self.noted(gateway, settings, "invoice/1185/%", bool)

        (text,) = notes(settings, "invoice/%").values()
        assert json.loads(text)["open"] == 0

    async def test_a_deleted_invoice_is_no_money(self, tmp_path):
        vendor = QuickBooks()
        vendor.objects["1185/invoice/145"] = self.invoice()
        async with serving(vendor):
            settings = self.settings(tmp_path, vendor)
            async with running(settings) as gateway:
                await self.notify(gateway, "Invoice", "145")
                await self.noted(gateway, settings, "invoice/%", lambda found: any(found.values()))
                await self.notify(gateway, "Invoice", "145", "Delete")
                await self.noted(gateway, settings, "invoice/%", lambda found: not any(found.values()))

    async def test_the_newest_refresh_token_is_used_after_a_restart(self, tmp_path):
        vendor = QuickBooks()
        vendor.objects["1185/invoice/145"] = self.invoice()
        vendor.objects["1185/invoice/146"] = self.invoice(deal="43")
        async with serving(vendor):
            settings = self.settings(tmp_path, vendor)
            for number in ("145", "146"):
                async with running(settings) as gateway:
                    await self.notify(gateway, "Invoice", number)
                    await self.noted(gateway, settings, f"invoice/1185/Invoice/{number}", bool)

        assert vendor.logins == 2


class TestSuiteCrm:
    def deal(self, number: int, modified: str, stage: str = "Prospecting") -> dict[str, Any]:
        return {
            "type": "Opportunity",
            "id": f"id{number}",
            "attributes": {
                "sales_stage": stage,
                "amount": "900",
                "assigned_user_id": "1",
                "date_closed": "2026-06-01",
                "date_entered": "2026-03-01T08:00:00+00:00",
                "date_modified": f"{modified}+00:00",
            },
        }

    async def test_history_and_changes_are_read_and_stages_dated(self, tmp_path):
        vendor = SuiteCrm()
        vendor.modules["Opportunities"] = [self.deal(n, f"2026-03-02T10:{n // 60:02}:{n % 60:02}") for n in range(120)]
        async with serving(vendor):
            settings = settings_of(tmp_path, "suitecrm", "key", address=vendor.address, client_id="client")
            async with running(settings) as gateway:
                await events(gateway, 240)
                vendor.tokens.clear()
                vendor.modules["Opportunities"].append(self.deal(5, "2026-03-04T09:00:00", "Closed Won"))
                await events(gateway, 242)

        found = spooled(settings)
        assert len({one["subject"] for one in found}) == 120
        assert {"2026-03-04T09:00:00Z"} == {one["time"] for one in found if one["type"] == "deal.won"}
        assert vendor.logins == 2


class TestApi:
    async def test_a_vendor_that_is_busy_is_asked_again_until_it_answers(self):
        vendor = HubSpot()
        vendor.objects["deals/1"] = {"id": "1"}
        vendor.before = [busy(), busy(status=500), busy(status=429)]
        async with serving(vendor), Api(vendor.address, pause_seconds=0.001) as api:
            answer = await api.get("/crm/v3/objects/deals/1", headers={"authorization": "Bearer key"})

        assert (answer.status, len(vendor.asked)) == (200, 4)

    async def test_it_is_not_asked_for_ever(self):
        vendor = HubSpot()
        vendor.before = [busy() for _ in range(50)]
        async with serving(vendor), Api(vendor.address, pause_seconds=0.001) as api:
            with pytest.raises(OperationError, match="503 to GET /x, after 5 tries"):
                await api.get("/x")

        assert len(vendor.asked) == 5

    async def test_more_patience_than_we_have_is_an_error_at_once(self):
        vendor = HubSpot()
        vendor.before = [busy(seconds=3_600)]
        async with serving(vendor), Api(vendor.address, pause_seconds=0.001) as api:
            with pytest.raises(OperationError, match="after 1 tries"):
                await api.get("/x")

    async def test_refusals_are_told_apart_from_trouble(self):
        vendor = HubSpot()
        vendor.before = [busy(status=401), busy(status=400)]
        async with serving(vendor), Api(vendor.address, pause_seconds=0.001) as api:
            with pytest.raises(DeniedError):
                await api.get("/x")
            with pytest.raises(RejectedError):
                await api.get("/x")

    @pytest.mark.parametrize("address", ["", "crm.example", "ftp://crm.example"])
    def test_an_address_that_is_none_is_told(self, address):
        with pytest.raises(OperationError, match="no address"):
            Api(address)
