"""The generated routing on a real Alertmanager: who hears what, what is muted, and what is new."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
import urllib.request

import pytest
from msgspec.structs import replace
from support.webhook import Receiver

from funnelwatch.agents import clock
from funnelwatch.agents.board.acknowledging import Acknowledgement, acknowledge
from funnelwatch.agents.deploy import alertmanager as shell
from funnelwatch.agents.embedded import free_ports
from funnelwatch.agents.embedded.alerting import ALERTMANAGER, alertmanager, executable
from funnelwatch.schemas.alerting import AlertingSettings, Contact, MailSettings
from funnelwatch.schemas.settings import Settings
from funnelwatch.streams.alerting.routing import People
from funnelwatch.streams.exposition import label_text

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(executable(ALERTMANAGER) is None, reason="Alertmanager is not installed"),
]

HOSTILE = 'No"r\\th\nx, y{=~"\ud800'
MANAGER_HOSTILE = label_text(f"manager {HOSTILE}")
QUIET_SECONDS = 1.5
"""Long after all waits and intervals of these settings: what has not come then does not come."""


@pytest.fixture
def receiver():
    with Receiver() as found:
        yield found


@pytest.fixture
def settings(receiver) -> Settings:
    return Settings(
        alerting=AlertingSettings(
            group_wait_seconds=0.0,
            group_interval_seconds=0.25,
            watchdog_webhook=f"{receiver.url}/watchdog",
            everybody=Contact(webhook=f"{receiver.url}/everybody"),
            operators=Contact(webhook=f"{receiver.url}/operators"),
            managers={
                "m-1": Contact(webhook=f"{receiver.url}/m-1"),
                HOSTILE: Contact(webhook=f"{receiver.url}/hostile"),
            },
            teams={"North": Contact(webhook=f"{receiver.url}/north")},
        )
    )


@pytest.fixture
def running(settings, tmp_path):
    shell.write(tmp_path, shell.configuration(settings, People(("m-1", HOSTILE), ("North",))))
    with alertmanager(tmp_path, *free_ports(1)) as found:
        yield found


def tell(server, *alerts: dict[str, str], ended: bool = False) -> None:
    """As Prometheus tells what fires."""
    now = time.time()
    stamp = lambda at: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))  # noqa: E731  (twice)
    body = [
        {
            "labels": labels,
            "annotations": {"summary": "s", "description": "d"},
            "startsAt": stamp(now - 60),
            "endsAt": stamp(now - 1 if ended else now + 300),
        }
        for labels in alerts
    ]
    request = urllib.request.Request(
        f"{server.url}/api/v2/alerts", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    assert urllib.request.urlopen(request, timeout=5).status == 200


def page(rep: str, severity: str = "critical", **more: str) -> dict[str, str]:
    return {
        "alertname": "RepLossSpike",
        "audience": "manager",
        "severity": severity,
        "rep": rep,
        "team": "South",
        "manager": "m-1",
    } | more


STALE = {
    "alertname": "FunnelwatchKpisStale",
    "audience": "operator",
    "severity": "critical",
    "blinds": "managers",
    "topic": "crm.deals",
}


def reps(receiver, path: str, status: str = "firing") -> list[str]:
    return [alert["labels"]["rep"] for alert in receiver.alerts(path, status)]


def test_a_page_reaches_manager_and_team_and_a_warning_reaches_neither(receiver, running):
    tell(running, page("r1"), page("r2", team="North"), page("r3", "warning"))
    assert receiver.wait(lambda: len(reps(receiver, "/m-1")) == 2)
    time.sleep(QUIET_SECONDS)

    assert sorted(reps(receiver, "/m-1")) == ["r1", "r2"]
    assert reps(receiver, "/north") == ["r2"]
    assert receiver.alerts("/everybody") == []


def test_managers_hear_nothing_new_while_figures_are_stale_and_hear_it_afterwards(receiver, running):
    tell(running, page("before"))
    assert receiver.wait(lambda: reps(receiver, "/m-1") == ["before"])
    tell(running, STALE)
    assert receiver.wait(lambda: receiver.names("/operators") == {"FunnelwatchKpisStale"})
    tell(running, page("during", team="North"))
    time.sleep(QUIET_SECONDS)
    muted = reps(receiver, "/m-1"), reps(receiver, "/north")
    tell(running, STALE, ended=True)

    assert muted == (["before"], [])
    assert receiver.wait(lambda: "during" in reps(receiver, "/north"))
    assert receiver.wait(lambda: "during" in reps(receiver, "/m-1"))
    assert reps(receiver, "/m-1").count("before") == 1, "what was told before is not told again"


def test_a_page_mutes_its_own_warning_only(receiver, settings, running):
    tell(running, page("r1"), page("r1", "warning"), page("r2", "warning"))
    assert receiver.wait(lambda: reps(receiver, "/m-1") == ["r1"])
    with urllib.request.urlopen(f"{running.url}/api/v2/alerts") as answer:
        states = {
            (alert["labels"]["rep"], alert["labels"]["severity"]): alert["status"]["state"]
            for alert in json.load(answer)
        }

    assert states == {("r1", "critical"): "active", ("r1", "warning"): "suppressed", ("r2", "warning"): "active"}


def test_labels_of_any_characters_are_routed(receiver, running):
    tell(running, page("r1", manager=label_text(HOSTILE)))

    assert receiver.wait(lambda: reps(receiver, "/hostile") == ["r1"])


def test_the_watchdog_beats_for_the_dead_man_switch_alone(receiver, running):
    tell(running, {"alertname": "FunnelwatchWatchdog", "audience": "operator", "severity": "none"})

    assert receiver.wait(lambda: receiver.names("/watchdog") == {"FunnelwatchWatchdog"})
    assert receiver.alerts("/operators") == []


def test_a_new_manager_is_routed_within_seconds_and_nothing_is_restarted(settings, running, tmp_path, monkeypatch):
    """The loop of `funnelwatch alertmanager --watch`, with a board that learns of a manager."""
    known: list[People | None] = [None]

    def people(_: Settings) -> People | None:
        if not known:
            raise InterruptedError  # the loop has no other end
        return known[0]

    monkeypatch.setattr(shell, "people", people)
    mailing = replace(settings, mail=MailSettings(host="127.0.0.1", encryption="none"))
    said: list[str] = []

    def watch() -> None:
        with contextlib.suppress(InterruptedError):
            shell.keep(mailing, tmp_path, running.url, 0.1, said.append)

    loop = threading.Thread(target=watch)
    loop.start()
    try:
        time.sleep(0.5)
        before = receivers(running)
        known[0] = People(("m-1", "new@example.com"), ("East", "South"))
        assert until(lambda: "manager new@example.com" in receivers(running)), said
    finally:
        known.clear()
        loop.join(10)

    assert before == {"everybody", "operators", "digest", "watchdog", "team North", "manager m-1", MANAGER_HOSTILE}
    assert said == ["2 managers, 2 teams", f"written to {tmp_path}, read by {running.url}"]


def receivers(server) -> set[str]:
    with urllib.request.urlopen(f"{server.url}/api/v2/receivers") as answer:
        return {one["name"] for one in json.load(answer)}


def until(so, seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if so():
            return True
        time.sleep(0.05)
    return False


def test_what_ends_is_told_once(receiver, running):
    tell(running, page("r1"))
    assert receiver.wait(lambda: reps(receiver, "/m-1") == ["r1"])
    tell(running, page("r1"), ended=True)

    assert receiver.wait(lambda: reps(receiver, "/m-1", "resolved") == ["r1"])
    time.sleep(QUIET_SECONDS)
    assert (reps(receiver, "/m-1"), reps(receiver, "/m-1", "resolved")) == (["r1"], ["r1"])


async def test_what_is_acknowledged_on_the_board_is_silent_and_nothing_else_is(receiver, settings, running):
    own = replace(settings, alerting=replace(settings.alerting, alertmanager_api=running.url))
    asked = Acknowledgement("RepLossSpike", {"rep": "r1", "team": "South"}, who="Mona")
    done = await acknowledge(own, asked, clock.now_us())
    await asyncio.to_thread(tell, running, page("r1"), page("r2"))
    assert await asyncio.to_thread(receiver.wait, lambda: "r2" in reps(receiver, "/m-1"))
    await asyncio.sleep(QUIET_SECONDS)
    (silence,) = await asyncio.to_thread(silences, running)

    assert reps(receiver, "/m-1") == ["r2"]
    assert (silence["id"], silence["createdBy"]) == (done.silence, "Mona")


def silences(server) -> list[dict]:
    with urllib.request.urlopen(f"{server.url}/api/v2/silences") as answer:
        return json.load(answer)
