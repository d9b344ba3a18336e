"""Every expression of every dashboard, asked of a real Prometheus that scrapes the real board and worker."""

from __future__ import annotations

import asyncio
import json
import math
import time
from datetime import UTC, datetime
from itertools import count
from urllib.parse import quote

import msgspec
import pytest
from aiokafka import AIOKafkaProducer
from support.dashboard_linter import panels
from support.deployment import Deployment
from support.prometheus import Prometheus

from funnelwatch.agents.dashboards.files import rendered
from funnelwatch.agents.topics import input_topic
from funnelwatch.schemas.events import Kind
from funnelwatch.schemas.settings import Settings
from funnelwatch.streams.samples import samples
from funnelwatch.streams.simulator import Floor
from funnelwatch.streams.simulator.demo import TEHRAN_CALENDAR, demo_settings

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

UNTIL = 1_781_000_000_000_000
CLOCK = "2026-06-09T10:13:20Z"
REPS, DAYS = 8, 100  # so that every rep has leads of the window, and last month a figure to compare with
SCRAPED_SECONDS = 60.0
WINDOW = "30d"


@pytest.fixture(scope="module")
def served(kafka, redis_server, tmp_path_factory):
    """A floor's history folded by a worker, served by a board, scraped by Prometheus, with one message refused."""
    from conftest import settings as of_test

    folder = tmp_path_factory.mktemp("dashboards")
    base = of_test.__wrapped__(kafka, redis_server, "dash.", folder)
    organisation = msgspec.structs.replace(
        demo_settings(TEHRAN_CALENDAR),
        clock=CLOCK,
        kafka=base.kafka,
        redis=base.redis,
        worker=base.worker,
        board=base.board,
    )
    _, events = Floor.with_history(5, UNTIL, organisation, reps=REPS, days=DAYS)
    path = folder / "events.ndjson"
    path.write_bytes(b"".join(event.value + b"\n" for event in events))
    jobs = {
        "funnelwatch-board": f"127.0.0.1:{organisation.board.port}",
        "funnelwatch-worker": f"127.0.0.1:{organisation.worker.port}",
    }
    with Deployment(organisation, folder / "run") as deployment, Prometheus(folder / "prometheus", jobs) as prometheus:
        deployment.start("board")
        deployment.start("worker")
        assert deployment.run("replay", str(path), "--config", str(deployment.config)).returncode == 0
        deployment.settle(len(events))
        deployment.wait("judged", lambda: bool(prometheus.query("sales_rep_evidence")), SCRAPED_SECONDS)
        numbers = count(1)
        deployment.wait(
            "rates are scraped", lambda: trickle(organisation, next(numbers)) or rates(prometheus) > 0, SCRAPED_SECONDS
        )
        yield deployment, prometheus


def rates(prometheus: Prometheus) -> float:
    """Of what was refused and of what became visible, whichever is lower."""
    names = ("funnelwatch_refused_total", "funnelwatch_event_age_seconds_count")
    return min(sum(value for _, value in prometheus.query(f"sum(rate({name}[1m]))")) for name in names)


def trickle(settings: Settings, number: int) -> None:
    """Something refused and something new, once more: a rate over a minute is none of what happened before it."""
    asyncio.run(published(settings, number))


async def published(settings: Settings, number: int) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka.bootstrap[0])
    await producer.start()
    at = datetime.fromtimestamp(UNTIL // 1_000_000 + number, UTC).isoformat()
    email = {"specversion": "1.0", "id": f"late-{number}", "source": "test", "type": "email.sent", "time": at}
    value = json.dumps({**email, "subject": "late", "data": {"cold": False}}).encode()
    await producer.send_and_wait(input_topic(settings, Kind.DEAL), b"no event", key=b"k")
    await producer.send_and_wait(input_topic(settings, Kind.EMAIL), value, key=b"late")
    await producer.stop()


def filled(expression: str, currency: str) -> str:
    for name, value in {
        "$__rate_interval": "1m",
        "$instance": ".+",
        "$job": ".+",
        "$team": ".+",
        "$rep": ".+",
        "$pipeline": ".+",
        "$window": WINDOW,
        "$currency": currency,
    }.items():
        expression = expression.replace(name, value)
    return expression


def test_every_expression_of_every_dashboard_gives_figures(served):
    deployment, prometheus = served
    currency = deployment.settings.currency
    silent = []
    for name, content in rendered().items():
        for panel in panels(json.loads(content)):
            for target in panel.get("targets", ()):
                found = prometheus.query(filled(target["expr"], currency))
                if not found or any(math.isnan(value) for _, value in found):
                    silent.append(f"{name}: {panel['title']}: {target['expr']} gives {found[:2]}")

    assert silent == []


def test_what_prometheus_has_is_what_the_api_says(served):
    """Every rep and team, every figure of their documents that is a series; idle clocks stand since the clock does."""
    deployment, prometheus = served
    time.sleep(2.5)  # a scrape after the last change
    windows = deployment.settings.board.metric_windows
    compared = 0
    for level, ids in (("reps", deployment.json("/api/v1/reps")), ("teams", deployment.json("/api/v1/teams"))):
        for row in ids["rows"]:
            document = deployment.document(f"/api/v1/{level}/{quote(row['id'], safe='')}")
            level_name = level.removesuffix("s")
            matcher = f'{{__name__=~"sales_{level_name}_.+", {level_name}="{row["id"]}"}}'
            scraped = sorted(
                (labels["__name__"], value)
                for labels, value in prometheus.query(matcher)
                if "_evidence" not in labels["__name__"]
            )
            wanted = sorted((name, float(value)) for name, _, value in samples(document, windows))

            assert [name for name, _ in scraped] == [name for name, _ in wanted]
            assert [value for _, value in scraped] == pytest.approx([value for _, value in wanted])
            compared += len(wanted)
    assert compared > 1_000


def test_the_worst_stand_first_and_carry_their_names(served):
    deployment, prometheus = served
    wall = json.loads(rendered()["en/wall.json"])
    behind = next(panel for panel in panels(wall) if panel["title"] == "Furthest behind quota")
    found = prometheus.query(filled(behind["targets"][0]["expr"], deployment.settings.currency))
    paces = {row["name"]: row["pace"] for row in deployment.json("/api/v1/reps")["rows"]}
    lowest = sorted((pace[deployment.settings.currency], name) for name, pace in paces.items() if pace)

    assert [(pytest.approx(value), labels["name"]) for labels, value in found] == lowest[: len(found)]
    assert len(found) > 1
