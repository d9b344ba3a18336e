"""The command: deals of a file, invoices of a gateway, a table, JSON, metrics, and an exit code with a meaning."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from funnelwatch.agents import reconcile
from funnelwatch.agents.embedded import free_ports
from funnelwatch.agents.errors import OperationError
from funnelwatch.agents.gateway.spool import Spool
from funnelwatch.agents.reconcile import run
from funnelwatch.schemas.settings import GatewaySettings, Secrets, Settings, SourceSettings
from funnelwatch.schemas.sources.crm.quickbooks_money import Invoice


def deal(number: int, amount: str, rep: str = "sara"):
    data = {"rep_id": rep, "amount": amount, "currency": "USD", "customer": "White Cross Co"}
    return {
        "specversion": "1.0",
        "id": f"{number}",
        "source": "crm",
        "type": "deal.won",
        "subject": f"hubspot:{number}",
        "time": "2026-03-04T10:00:00Z",
        "data": data,
    }


@pytest.fixture
def events(tmp_path: Path) -> Path:
    path = tmp_path / "events.ndjson"
    path.write_text("\n".join(json.dumps(one) for one in (deal(42, "1200"), deal(43, "500"))))
    return path


async def noted(folder: Path, *found: Invoice) -> None:
    spool = Spool(folder, 1 << 30, 10)
    texts = {f"invoice/1185/{one.id}": msgspec.json.encode(one).decode() for one in found}
    await spool.note_all("quickbooks", texts | {"invoice/1185/Invoice/9": ""})
    spool.close()


def settings_of(folder: Path) -> Settings:
    source = SourceSettings(name="quickbooks", system="quickbooks")
    return Settings(clock="event", gateway=GatewaySettings(data_dir=str(folder)), sources=(source,))


async def test_the_deal_without_an_invoice_is_named_and_is_the_exit_code(tmp_path, events, capsys):
    invoice = Invoice(id="Invoice/145", at=1, deal="hubspot:42", currency="USD", total=12_000_000, open=1_995_000)
    await noted(tmp_path / "gateway", invoice)
    settings, metrics = settings_of(tmp_path / "gateway"), tmp_path / "funnelwatch.prom"

    assert run(settings, Secrets(), [events], as_json=False, metrics=metrics) == 1

    said = capsys.readouterr().out
    page = (Path(__file__).parents[3] / "docs" / "sources" / "quickbooks.md").read_text("utf-8")
    assert said.splitlines()[0] in page
    assert "never invoiced: hubspot:43 (White Cross Co), 500 USD of sara, won 2026-03-04" in said
    assert said in page
    assert 'funnelwatch_won_without_invoice{currency="USD",rep="sara"} 1.0' in metrics.read_text()
    assert 'funnelwatch_won_not_invoiced_amount{currency="USD",rep="sara"} 500.0' in metrics.read_text()


async def test_all_invoiced_is_zero_and_json_says_it_for_programs(tmp_path, events, capsys):
    await noted(
        tmp_path / "gateway",
        Invoice(id="Invoice/1", at=1, deal="hubspot:42", currency="USD", total=12_000_000, open=0),
        Invoice(id="Invoice/2", at=1, deal="hubspot:43", currency="USD", total=5_000_000, open=0),
    )

    assert run(settings_of(tmp_path / "gateway"), Secrets(), [events], as_json=True) == 0

    (rep,) = json.loads(capsys.readouterr().out)["reps"]
    assert tuple(rep[name] for name in ("rep", "won", "invoiced", "paid", "short", "without_invoice")) == (
        "sara",
        "1700",
        "1700",
        "1700",
        "0",
        [],
    )


def test_without_a_gateway_there_are_no_invoices(tmp_path, events, capsys):
    assert run(settings_of(tmp_path / "none"), Secrets(), [events], as_json=False) == 1


def test_it_is_served_until_it_is_stopped_and_nothing_is_while_it_cannot_be_read(tmp_path, events, monkeypatch):
    asyncio.run(noted(tmp_path / "gateway"))
    settings, stop, (port,) = settings_of(tmp_path / "gateway"), threading.Event(), free_ports(1)
    away: list[OperationError] = []
    real = reconcile.compared

    def compared(*_):
        if away:
            raise away[0]
        return real(settings, Secrets(), [events])

    def until(*there: str, gone: str = "nothing") -> None:
        end, text = time.monotonic() + 20, ""
        while time.monotonic() < end:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
                text = answer.read().decode()
                if all(one in text for one in there) and gone not in text:
                    return
            time.sleep(0.02)
        raise AssertionError(f"{there} without {gone}: {text}")

    monkeypatch.setattr(reconcile, "compared", compared)
    with ThreadPoolExecutor() as threads:
        serving = threads.submit(
            reconcile.serve, settings, Secrets(), ("127.0.0.1", port), every_seconds=0.05, stop=stop
        )
        try:
            until('funnelwatch_won_without_invoice{currency="USD",rep="sara"} 2.0', "timestamp_seconds 1.")
            away.append(OperationError("Kafka is away."))
            until("# TYPE funnelwatch_won_without_invoice gauge", gone="sara")
            away.clear()
            until('rep="sara"')
        finally:
            stop.set()
        assert serving.result(20) == 0


def test_an_address_that_is_taken_is_told(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OperationError, match="cannot be listened on"):
            reconcile.serve(Settings(), Secrets(), taken.getsockname(), every_seconds=1, stop=threading.Event())
