"""A call that the exchange tells on its manager interface and the CRM by a webhook: one call on the board."""

from __future__ import annotations

import asyncio
import json
import threading
import urllib.request
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec
import pytest
from support.deployment import Deployment
from support.manager import FakeManager
from support.samples_phones import AMI

from funnelwatch.agents.clock import now_us
from funnelwatch.agents.embedded import free_ports
from funnelwatch.schemas.settings import CallSettings, GatewaySettings, SourceSettings

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

SECRET = "s3cret"
ZONE = "Asia/Tehran"
PEOPLE = """
[[people]]
rep = "sara"
ids = ["ext:101", "vtiger:19x1"]
[[people]]
rep = "reza"
ids = ["ext:102", "vtiger:19x2"]
"""
HOUR_SECONDS = 3_600


@pytest.fixture
def manager():
    """A manager in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = FakeManager(secret=SECRET)

    def do(work):
        return asyncio.run_coroutine_threadsafe(work, loop).result(100)

    do(server.__aenter__())
    yield server, do
    do(server.__aexit__())
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)


def heard(extension: str, began: int) -> bytes:
    """A call of nine seconds as the manager tells it."""
    text = AMI.replace("101", extension)
    for offset in (20, 9, 0):  # the sample's seconds before its end, which is 20 s after its begin
        text = text.replace(str(1764237600 - offset), str(began + 20 - offset))
    return text.encode() + b"\n"


def recorded(user: int, began: int) -> bytes:
    """The same call as Vtiger has it: two seconds later, a minute long, with the lead and the recording."""

    def local(at: int) -> str:
        return datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(ZONE)).strftime("%Y-%m-%d %H:%M:%S")

    return json.dumps(
        {
            "id": f"43x{user}",
            "user": f"19x{user}",
            "callstatus": "completed",
            "direction": "outbound",
            "customer": "2x9",
            "customertype": "Leads",
            "customernumber": "+98 933 111 2233",
            "starttime": local(began + 2),
            "endtime": local(began + 62),
            "billduration": "60",
            "recordingurl": f"https://voip.example/{user}",
            "CreatedTime": "2026-11-01 00:00:00",
            "modifiedtime": "2026-11-01 00:00:00",
        }
    ).encode()


def test_whichever_comes_first_it_is_one_call_with_what_both_know(settings, tmp_path, manager):
    server, do = manager
    (port,) = free_ports(1)
    secret, people = tmp_path / "secret", tmp_path / "people.toml"
    secret.write_text(SECRET)
    people.write_text(PEOPLE)
    options = {"host": "127.0.0.1", "port": server.port, "username": "wall", "cold": "all"}
    whole = msgspec.structs.replace(
        settings,
        gateway=GatewaySettings(port=port, data_dir=str(tmp_path / "gateway"), people=str(people)),
        calls=CallSettings(country="IR"),
        sources=(
            SourceSettings("pbx", "asterisk", zone=ZONE, options=options, secret_file=str(secret)),
            SourceSettings("crm", "vtiger", zone=ZONE, secret_file=str(secret)),
        ),
    )
    now = now_us() // 1_000_000
    began = {1: now - 2 * HOUR_SECONDS, 2: now - HOUR_SECONDS}

    def post(user: int) -> None:
        headers = {"content-type": "application/json", "x-funnelwatch-key": SECRET}
        url = f"http://127.0.0.1:{port}/hooks/crm"
        with urllib.request.urlopen(
            urllib.request.Request(url, recorded(user, began[user]), headers), timeout=20
        ) as answer:
            assert answer.status == 200

    with Deployment(whole, tmp_path / "run") as deployment:
        for name in ("board", "worker", "gateway"):
            deployment.start(name)
        do(server.ready(90))
        deployment.wait("the board is ready", lambda: deployment.get("/readyz")[0] == 200)
        do(server.say(heard("101", began[1])))
        deployment.wait("the exchange's call", lambda: outreach(deployment, "sara").get("call") == 1)
        post(1)
        post(2)
        deployment.wait("the CRM's call", lambda: outreach(deployment, "reza").get("outbound_calls") == 1)
        do(server.say(heard("102", began[2])))
        post(1)
        post(2)
        for rep, user in (("sara", 1), ("reza", 2)):
            wanted = {"call": 1, "outbound_calls": 1, "connected_calls": 1, "talk_seconds": 9.0}
            deployment.wait(
                f"{rep}'s one call",
                lambda rep=rep, wanted=wanted: wanted.items() <= outreach(deployment, rep).items(),
            )
            document = deployment.document(f"/api/v1/reps/{rep}")
            assert [one.url for one in document.coaching] == [f"https://voip.example/{user}"]
        listed = deployment.run("sources", "calls", "--config", str(deployment.config))
        assert listed.stdout.count("  =  vtiger:43x") == 2, listed
        assert deployment.stop("gateway") == 0


def outreach(deployment: Deployment, rep: str) -> dict[str, object]:
    document = deployment.json(f"/api/v1/reps/{rep}")
    return document["windows"]["30d"]["outreach"] if document else {}
