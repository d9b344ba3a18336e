"""The Vtiger poller against a web service that behaves like Vtiger's, in a gateway whose events stay on disk."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from support.gateway import gateway_settings, running, spooled
from support.vendors import Vtiger, busy, serving

from funnelwatch.schemas.settings import SourceSettings


def settings_of(folder: Path, vendor: Vtiger, **options: str):
    """A gateway that polls the vendor as often as it can."""
    (folder / "secret.api").write_text("key", encoding="utf-8")
    fast = {"poll_seconds": "0.05", "pause_seconds": "0.01", "modules": "Users,Leads,Potentials,PhoneCalls"}
    crm = SourceSettings(
        name="crm",
        system="vtiger",
        currency="EUR",
        options={"address": vendor.address, "user": "funnelwatch", **fast, **options},
    )
    return gateway_settings(folder, crm)


def deal(number: int, modified: str, stage: str = "Demo", **fields: str):
    return {
        "id": f"5x{number}",
        "potentialname": f"deal {number}",
        "sales_stage": stage,
        "amount": "10.00000000",
        "assigned_user_id": "19x5",
        "createdtime": "2026-03-01 08:00:00",
        "modifiedtime": modified,
        **fields,
    }


def events_of(settings, type_: str = ""):
    return [one for one in spooled(settings) if type_ in {"", one["type"]}]


async def events(gateway, count: int) -> None:
    async def there() -> bool:
        return await gateway.metric("funnelwatch_spool_events") >= count

    await gateway.until(f"{count} events", there)


async def rounds(gateway, vendor: Vtiger, count: int = 2) -> None:
    """Until so many more rounds have begun and ended."""
    seen = len([one for one in vendor.asked if "FROM+Potentials" in one or "FROM%20Potentials" in one])

    async def turned() -> bool:
        return len([one for one in vendor.asked if "Potentials" in one and "query" in one]) >= seen + 2 * count

    await gateway.until("another round", turned)


async def test_the_whole_history_is_read_page_by_page_and_told(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    vendor = Vtiger()
    vendor.modules["Potentials"] = [deal(n, f"2026-03-02 10:{n // 60:02}:{n % 60:02}") for n in range(250)]
    async with serving(vendor):
        settings = settings_of(tmp_path, vendor)
        async with running(settings) as gateway:
            await events(gateway, 500)

            async def told() -> bool:
                return "Potentials of the source crm: 250 of 250 read" in caplog.text

            await gateway.until("the log says that all is read", told)

    assert {f"vtiger:5x{n}" for n in range(250)} == {one["subject"] for one in events_of(settings)}


async def test_records_of_one_second_may_be_more_than_a_page(tmp_path):
    vendor = Vtiger()
    vendor.modules["Potentials"] = [deal(n, "2026-03-02 10:00:00") for n in range(150)]
    vendor.modules["Potentials"] += [deal(999, "2026-03-02 10:00:01")]
    async with serving(vendor):
        settings = settings_of(tmp_path, vendor)
        async with running(settings) as gateway:
            await events(gateway, 302)

    assert len({one["subject"] for one in events_of(settings)}) == 151


async def test_what_was_read_is_not_read_again(tmp_path):
    vendor = Vtiger()
    vendor.modules["Potentials"] = [deal(n, "2026-03-02 10:00:00") for n in range(3)]
    async with serving(vendor):
        settings = settings_of(tmp_path, vendor)
        async with running(settings) as gateway:
            await rounds(gateway, vendor, 4)

    assert len(spooled(settings)) == 6


async def test_a_restart_goes_on_where_it_was(tmp_path):
    vendor = Vtiger()
    vendor.modules["Potentials"] = [deal(n, f"2026-03-02 10:{n:02}:00") for n in range(50)]
    async with serving(vendor):
        settings = settings_of(tmp_path, vendor)
        async with running(settings) as gateway:
            await events(gateway, 100)
            await rounds(gateway, vendor)  # how far it came is noted once the events are safe
        vendor.asked.clear()
        vendor.modules["Potentials"].append(deal(77, "2026-03-02 12:00:00"))
        async with running(settings) as gateway:
            await events(gateway, 102)

    assert not any("1970-01-01" in one and "Potentials" in one for one in vendor.asked)
    assert "vtiger:5x77" in {one["subject"] for one in events_of(settings)}


async def test_a_stage_is_dated_by_the_look_that_first_showed_it(tmp_path):
    vendor = Vtiger()
    vendor.modules["Potentials"] = [deal(1, "2026-03-02 10:00:00")]
    async with serving(vendor):
        settings = settings_of(tmp_path, vendor)
        async with running(settings) as gateway:
            await events(gateway, 2)
            vendor.modules["Potentials"] = [deal(1, "2026-03-04 09:00:00", "Closed Won", closingdate="2026-06-01")]
            await events(gateway, 4)
            vendor.modules["Potentials"] = [deal(1, "2026-03-09 09:00:00", "Closed Won", amount="12")]
            await events(gateway, 5)
            await rounds(gateway, vendor)

    assert {"2026-03-04T09:00:00Z"} == {one["time"] for one in events_of(settings, "deal.won")}


async def test_a_deal_that_was_closed_before_the_first_run_is_dated_by_its_closing_date(tmp_path):
    vendor = Vtiger()
    vendor.modules["Potentials"] = [deal(1, "2026-03-09 09:00:00", "Closed Lost", closingdate="2026-03-05")]
    async with serving(vendor):
        settings = settings_of(tmp_path, vendor)
        async with running(settings) as gateway:
            await events(gateway, 3)

    assert [one["time"] for one in events_of(settings, "deal.lost")] == ["2026-03-05T23:59:59Z"]


async def test_a_session_that_has_expired_is_renewed(tmp_path):
    vendor = Vtiger()
    async with serving(vendor):
        settings = settings_of(tmp_path, vendor)
        async with running(settings) as gateway:
            await rounds(gateway, vendor)
            vendor.sessions.clear()
            vendor.modules["Potentials"] = [deal(1, "2026-03-02 10:00:00")]
            await events(gateway, 2)
            assert await gateway.metric("funnelwatch_deliveries_refused_total", reason="poll_failed") == 0

    assert vendor.logins == 2


async def test_a_busy_vtiger_is_asked_again_and_nonsense_is_no_end(tmp_path):
    vendor = Vtiger()
    vendor.modules["Potentials"] = [deal(1, "2026-03-02 10:00:00")]
    vendor.before = [busy(), busy(status=500), busy(status=429)]
    async with serving(vendor):
        settings = settings_of(tmp_path, vendor)
        async with running(settings) as gateway:
            await events(gateway, 2)

    assert len(spooled(settings)) == 2


async def test_a_record_that_cannot_be_read_does_not_hold_up_its_page(tmp_path, caplog):
    vendor = Vtiger()
    vendor.modules["Potentials"] = [deal(1, "2026-03-02 10:00:00"), deal(2, "2026-03-02 10:00:00", amount="much")]
    async with serving(vendor):
        settings = settings_of(tmp_path, vendor)
        async with running(settings) as gateway:
            await events(gateway, 2)

            async def counted() -> bool:
                return await gateway.metric("funnelwatch_source_passed_total", reason="unreadable") == 1

            await gateway.until("it is counted", counted)

    assert {"vtiger:5x1"} == {one["subject"] for one in spooled(settings)}
    assert "a record of a page of Potentials of the source crm cannot be read" in caplog.text


async def test_deletions_are_told_by_sync(tmp_path):
    vendor = Vtiger()
    vendor.modules["Potentials"] = [deal(1, "2026-03-02 10:00:00")]
    async with serving(vendor):
        settings = settings_of(tmp_path, vendor)
        async with running(settings) as gateway:
            await events(gateway, 2)
            await rounds(gateway, vendor)
            vendor.deleted["Potentials"] = [(4_000_000_000, "5x1")]
            await events(gateway, 3)
            await rounds(gateway, vendor)

    assert [one["subject"] for one in events_of(settings, "deal.deleted")] == ["vtiger:5x1"]


async def test_users_are_reps_and_told_once(tmp_path):
    vendor = Vtiger()
    vendor.modules["Users"] = [{"id": "19x5", "user_name": "sara", "first_name": "Sara", "status": "Active"}]
    async with serving(vendor):
        settings = settings_of(tmp_path, vendor)
        async with running(settings) as gateway:
            await events(gateway, 1)
            await rounds(gateway, vendor)

    assert [(one["subject"], one["data"]) for one in events_of(settings)] == [
        ("vtiger:19x5", {"name": "Sara", "active": True})
    ]


async def test_a_module_that_is_not_there_leaves_the_others(tmp_path, caplog):
    vendor = Vtiger()
    del vendor.modules["PhoneCalls"]
    vendor.modules["Potentials"] = [deal(1, "2026-03-02 10:00:00")]
    async with serving(vendor):
        settings = settings_of(tmp_path, vendor, modules="PhoneCalls,Potentials")
        async with running(settings) as gateway:
            await events(gateway, 2)

    assert "reads no PhoneCalls" in caplog.text


async def test_a_wrong_access_key_is_told_and_nothing_of_it(tmp_path, caplog):
    vendor = Vtiger(access_key="another")
    async with serving(vendor):
        settings = settings_of(tmp_path, vendor)
        async with running(settings) as gateway:

            async def told() -> bool:
                return "INVALID_USER_CREDENTIALS" in caplog.text

            await gateway.until("the log says so", told)
            assert await gateway.metric("funnelwatch_deliveries_refused_total", source="crm", reason="poll_failed") > 0

    assert "key" not in caplog.text.replace("access key", "").replace("accessKey", "")


@pytest.mark.parametrize("modules", ["Leads; DROP TABLE", "Leads'"])
def test_a_module_that_is_no_name_is_a_mistake_in_the_configuration(modules):
    from support.sources import options

    from funnelwatch.schemas.sources.registry import SYSTEMS

    assert SYSTEMS["vtiger"].check(options("vtiger", options={"modules": modules}))
