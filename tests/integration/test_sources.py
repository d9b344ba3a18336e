"""From a signed HTTP request to the figure in the board's API, for every system that can be a source, all at once."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from support.deployment import Deployment
from support.source_cases import Case, Request, cases
from support.vendors import Vendor, serving

from funnelwatch.agents.clock import now_us
from funnelwatch.agents.embedded import free_ports
from funnelwatch.schemas.settings import GatewaySettings, PipelineSettings, Settings, SourceSettings, StageSettings
from funnelwatch.schemas.sources import crm, phones
from funnelwatch.schemas.sources.registry import SYSTEMS

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

STAGES = tuple(StageSettings(name) for name in ("Lead in", "Demo", "Offer"))
VISIBLE_SECONDS = 60.0


@pytest.fixture
def vendors():
    """The APIs of vendors that are polled, in a thread of their own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    open_: list[Any] = []

    def start(vendor: Vendor) -> str:
        context = serving(vendor)
        asyncio.run_coroutine_threadsafe(context.__aenter__(), loop).result(10)
        open_.append(context)
        return vendor.address

    yield start
    for context in open_:
        asyncio.run_coroutine_threadsafe(context.__aexit__(None, None, None), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)


def source_of(case: Case, folder: Path, address: str) -> SourceSettings:
    """The configured source, its secrets in files."""
    secret = folder / f"{case.name}.secret"
    secret.write_text(case.secret, encoding="utf-8")
    if case.api_secret:
        Path(f"{secret}.api").write_text(case.api_secret, encoding="utf-8")
    settings = dict(case.settings)
    if address:
        settings["options"] = {**settings.get("options", {}), "address": address}
        if "log_in_address" in SYSTEMS[case.system].options:
            settings["options"]["log_in_address"] = address
    return SourceSettings(name=case.name, system=case.system, prefix=case.name, secret_file=str(secret), **settings)


def organisation(settings: Settings, folder: Path, found: list[SourceSettings], people: Path) -> Settings:
    (port,) = free_ports(1)
    return msgspec.structs.replace(
        settings,
        currency="EUR",
        pipelines=(PipelineSettings("default", STAGES),),
        sources=tuple(found),
        gateway=GatewaySettings(port=port, data_dir=str(folder / "gateway"), people=str(people)),
    )


def send(url: str, request: Request) -> int:
    asked = urllib.request.Request(
        url + request.query, data=request.body or None, headers=dict(request.headers), method=request.method
    )
    try:
        with urllib.request.urlopen(asked, timeout=20) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{url} answers {error.code}: {error.read()[:500]!r}") from error


def at(document: Any, path: str) -> Any:
    """What stands at a dotted path of a document; a number is a place in a list."""
    for name in path.split("."):
        if isinstance(document, list):
            document = dict(enumerate(document)).get(int(name))
        else:
            document = document.get(name) if isinstance(document, dict) else None
    return document


def wrong(deployment: Deployment, case: Case) -> str:
    """What is not as it should be; empty if all is."""
    document = deployment.json(f"/api/v1/reps/{quote(case.rep, safe='')}")
    if document is None:
        return f"{case.name}: the board has no {case.rep!r}"
    found = {path: at(document, path) for path in case.figures}
    return "" if found == case.figures else f"{case.name}: {found} is not {case.figures}"


def test_every_system_has_a_case():
    """All but the open formats, of which the webhook by a mapping stands for the others."""
    needed = {system.name for system in (*crm.SYSTEMS, *phones.SYSTEMS)} | {"webhook"}

    assert needed <= {case.system for case in cases()}


def test_signed_requests_of_every_system_become_figures(settings, tmp_path, vendors, capsys):
    known = cases()
    people = tmp_path / "people.toml"
    people.write_text(
        "\n".join(f"[[people]]\nrep = {json.dumps(case.rep)}\nids = [{json.dumps(case.id)}]" for case in known)
    )
    found = [source_of(case, tmp_path, vendors(case.vendor) if case.vendor else "") for case in known]
    for case in known:
        if case.vendor is not None:
            case.requests("", now_us())  # what is polled is there from the beginning
    whole = organisation(settings, tmp_path, found, people)
    base = f"http://127.0.0.1:{whole.gateway.port}"
    with Deployment(whole, tmp_path / "run") as deployment:
        for name in ("board", "worker", "gateway"):
            deployment.start(name)
        deployment.wait("the gateway answers", lambda: _answers(f"{base}/readyz"))
        deployment.wait("the board is ready", lambda: deployment.get("/readyz")[0] == 200)
        sent = 0
        for case in known:
            for request in case.requests(f"{base}/hooks/{case.name}", now_us()):
                assert send(f"{base}/hooks/{case.name}", request) < 300
                sent += 1
        since = time.monotonic()
        last: list[str] = []

        def visible() -> bool:
            last[:] = [problem for case in known if (problem := wrong(deployment, case))]
            return not last

        try:
            deployment.wait("every figure", visible, VISIBLE_SECONDS)
        except AssertionError as failed:
            raise AssertionError("\n".join(last) + f"\n{failed}") from failed
        with capsys.disabled():
            seconds = time.monotonic() - since
            sys.stdout.write(f"\n{len(known)} sources, {sent} requests: all figures {seconds:.2f} s after the last\n")
        assert known[0].rep in never_invoiced(deployment)
        assert deployment.stop("gateway") == 0


def never_invoiced(deployment: Deployment) -> set[str]:
    """The reps of won deals without an invoice, by the command that reads them from Kafka while all is running."""
    done = deployment.run("reconcile", "--json", "--config", str(deployment.config))
    assert done.returncode == 1, done.stderr
    return {one["rep"] for one in json.loads(done.stdout)["reps"] if one["without_invoice"]}


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False
