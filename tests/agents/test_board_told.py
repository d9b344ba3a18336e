"""What Alertmanager says it told people, and what the board and the demo make of it."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request

import msgspec
import pytest

from funnelwatch.agents.board import told as module
from funnelwatch.agents.board.told import Announcements
from funnelwatch.agents.demo.receiver import Receiver
from funnelwatch.agents.embedded import free_ports
from funnelwatch.schemas.document import Alert, Evidence
from funnelwatch.streams.exposition import label_text


def alert(subject: str = "r1", level: str = "rep", detector: str = "loss_spike") -> Alert:
    evidence = Evidence(detector, level, subject, "p", 5.0, 1, 20, 20, 0.5)
    return Alert(
        f"{detector}/{level}/{subject}/p", detector, level, subject, "Sara", "North", "critical", "firing", "", "",
        evidence, None, "", "",
    )  # fmt: skip


def message(*labels: dict[str, str], status: str = "firing", started: str = "t0") -> bytes:
    alerts = [
        {"status": status, "labels": own, "annotations": {"description": "d"}, "startsAt": started, "endsAt": ""}
        for own in labels
    ]
    return json.dumps({"version": "4", "status": status, "alerts": alerts, "groupLabels": {}}).encode()


REP = {"detector": "loss_spike", "rep": "r1", "team": "North", "severity": "critical", "alertname": "RepLossSpike"}
TEAM = {"detector": "loss_spike", "team": "North", "severity": "critical"}


def test_an_alert_is_told_from_its_first_message_until_it_ends():
    found = Announcements()

    assert found.take(message(REP), "09:00")
    assert not found.take(message(REP, TEAM | {"detector": ""}), "09:01"), "a repeat is no news"
    assert found.of([alert(), alert("r2")]) == {"loss_spike/rep/r1/p": "09:00"}
    assert found.take(message(REP, status="resolved"), "09:02")
    assert found.of([alert()]) == {}


def test_a_team_is_no_rep():
    found = Announcements()
    found.take(message(TEAM), "09:00")

    assert found.of([alert("North", "team")]) == {"loss_spike/team/North/p": "09:00"}
    assert found.of([alert("North")]) == {}


def test_a_subject_is_known_by_its_label():
    found, odd = Announcements(), "a\ud800\x00" + "é" * 300
    found.take(message(REP | {"rep": label_text(odd)}), "09:00")

    assert list(found.of([alert(odd)]).values()) == ["09:00"]


def test_what_is_remembered_is_bounded(monkeypatch):
    monkeypatch.setattr(module, "TOLD_MAX", 3)
    found = Announcements()
    for number in range(5):
        found.take(message(REP | {"rep": f"r{number}"}), "09:00")

    assert sorted(found.of([alert(f"r{number}") for number in range(5)])) == [
        f"loss_spike/rep/r{number}/p" for number in (2, 3, 4)
    ]


@pytest.mark.parametrize("body", [b"", b"[]", b'{"alerts":1}', b'{"alerts":[{"labels":{}}]}'])
def test_what_is_no_message_is_refused(body):
    with pytest.raises(msgspec.MsgspecError):
        Announcements().take(body, "09:00")


async def test_the_demos_receiver_has_each_page_once():
    async with Receiver(*free_ports(1)) as receiver:
        for body in (message(REP), message(REP, TEAM), message(REP, started="t1"), message(REP, status="resolved")):
            assert await asyncio.to_thread(post, receiver.url, body) == 204
        refused = await asyncio.to_thread(post, receiver.url, b"{}")
        pages = receiver.take()

    assert refused == 400
    assert [(page.level, page.subject) for page in pages] == [("rep", "r1"), ("team", "North"), ("rep", "r1")]
    assert receiver.take() == []


def post(url: str, body: bytes) -> int:
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status
    except urllib.error.HTTPError as refused:
        return refused.code
