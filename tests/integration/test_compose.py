"""The main job through every service of docker-compose.yml, each by its very command, environment and files."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.containers import Containers

from funnelwatch.agents import clock
from funnelwatch.agents.embedded import EmbeddedKafka
from funnelwatch.agents.embedded.errors import EmbeddedError

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        not all(map(shutil.which, ("prometheus", "prometheus-alertmanager", "redis-server", "redis-cli"))),
        reason="Debian's prometheus, prometheus-alertmanager and redis are not on the path",
    ),
]


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """All services, started in the order in which they depend on each other; Grafana cannot be had here."""
    folder = tmp_path_factory.mktemp("compose")
    with Containers(folder) as containers:
        properties = containers.properties("kafka", "/mnt/shared/config/server.properties")
        places = ("log.dirs", "process.roles", "node.id")
        broker = EmbeddedKafka(
            folder / "kafka-data",
            containers.ports[9092],
            containers.ports[9094],
            properties={name: value for name, value in properties.items() if name not in places},
        )
        try:
            broker.start()
        except EmbeddedError as error:
            pytest.skip(str(error))
        try:
            containers.start("redis")
            containers.await_healthy("redis")
            done = containers.run("init")
            assert done.returncode == 0, done.stdout + done.stderr
            for service in ("worker", "board", "gateway"):
                containers.start(service)
            for service in ("worker", "board", "gateway"):
                containers.await_healthy(service)
            containers.start("routing")
            containers.await_healthy("routing")
            containers.start("alertmanager")
            containers.start("prometheus")
            yield containers
        finally:
            with contextlib.ExitStack() as stack:
                stack.callback(broker.stop)
                containers.__exit__()


def get(containers: Containers, port: int, path: str):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{containers.ports[port]}{path}", timeout=5) as answer:
            return json.load(answer)
    except (urllib.error.URLError, OSError, ValueError):
        return None


def test_an_event_becomes_a_figure_a_series_and_the_alerts_reach_alertmanager(running, tmp_path: Path):
    events = tmp_path / "events.ndjson"
    now = clock.now_us() // 1_000_000
    events.write_text(event("1", "deal.created", now - 120) + event("2", "deal.won", now - 60))
    config = running.path("/etc/funnelwatch/funnelwatch.toml", "worker")
    published = running.run_ours("worker", "replay", str(events), "--config", str(config))
    assert published.returncode == 0, published.stderr

    def won() -> bool:
        document = get(running, 8080, "/api/v1/reps/crm:sara")
        return bool(document) and document["windows"]["today"]["won"] == 1

    running.wait("the figure is in the API", won)

    def scraped() -> bool:
        found = get(running, 9090, "/api/v1/query?query=sales_rep_won_amount")
        return bool(found) and any(series["metric"]["rep"] == "crm:sara" for series in found["data"]["result"])

    running.wait("the series is in Prometheus", scraped)

    def targets() -> set[str]:
        found = get(running, 9090, "/api/v1/targets?state=active") or {"data": {"activeTargets": []}}
        return {target["labels"]["job"] for target in found["data"]["activeTargets"] if target["health"] == "up"}

    jobs = {"funnelwatch-board", "funnelwatch-gateway", "funnelwatch-worker", "alertmanager"}
    running.wait("everything is scraped", lambda: targets() == jobs)

    def watchdog() -> bool:
        found = get(running, 9093, "/api/v2/alerts") or []
        return any(alert["labels"]["alertname"] == "FunnelwatchWatchdog" for alert in found)

    running.wait("the watchdog's alert is in Alertmanager", watchdog)


def event(number: str, kind: str, at: int) -> str:
    data = {"rep_id": "crm:sara", "stage": "offer", "amount": "1200.50", "currency": "EUR"}
    return (
        json.dumps(
            {
                "specversion": "1.0",
                "id": number,
                "source": "crm",
                "type": kind,
                "subject": "crm:1",
                "time": datetime.fromtimestamp(at, UTC).isoformat(),
                "data": data,
            }
        )
        + "\n"
    )


def test_redis_asks_for_the_password_of_the_file(running):
    assert running.check("redis")
    (running.path("/run/secrets", "redis") / "redis_password").write_text("another")
    try:
        assert not running.check("redis")
    finally:
        (running.path("/run/secrets", "redis") / "redis_password").write_text("password-of-redis_password")


def test_what_is_stopped_stops_in_order(running):
    assert running.stop("worker") == 0
    assert running.stop("board") == 0
    assert running.stop("gateway") == 0
    assert running.stop("redis") == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", running.ports[6379]), timeout=5)
