"""The demo as its user starts it: a process that ends with a verdict, or when told to, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager

import pytest

from funnelwatch.agents.demo.alerting import Alerting

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("kafka", "redis_server")]
START_SECONDS_MAX = 120.0
PROCESSES = 6 if Alerting.is_possible() else 4
"""Kafka, Redis, worker and board; Prometheus and Alertmanager where they are on the path."""


def port_base() -> int:
    """The first of five ports that are free now, below those that outgoing connections take."""
    for step in range(500):
        base = 20_000 + (os.getpid() * 35 + step * 5) % 12_000
        if all(is_free(port) for port in range(base, base + 5)):
            return base
    raise AssertionError("no five free ports in a row")


def is_free(port: int) -> bool:
    import socket

    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "funnelwatch", "demo", *map(str, arguments)]


def environment(tmp_path) -> dict[str, str]:
    """Temporary folders go where the test can look for what is left."""
    return {**os.environ, "TMPDIR": str(tmp_path), "COLUMNS": "200"}


@contextmanager
def running(tmp_path, *arguments: object):
    process = subprocess.Popen(
        command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment(tmp_path)
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(30)
        process.stdout.close()


def children(pid: int) -> list[int]:
    return [int(child) for child in open(f"/proc/{pid}/task/{pid}/children").read().split()]  # noqa: PTH123  (proc)


def alive(pid: int) -> bool:
    return os.path.exists(f"/proc/{pid}")  # noqa: PTH110  (proc)


def until_line(process: subprocess.Popen, text: str) -> str:
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return line
    raise AssertionError("".join(lines))


def test_a_short_run_accounts_for_everything_and_leaves_nothing(tmp_path):
    base = port_base()
    done = subprocess.run(
        command("--reps", 5, "--for", "3s", "--port-base", base),
        capture_output=True,
        text=True,
        env=environment(tmp_path),
        timeout=START_SECONDS_MAX,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "yes everything published is accounted for" in done.stdout
    accounts = next(line for line in reversed(done.stdout.splitlines()) if line.startswith("published"))
    numbers = [int(word.replace(",", "")) for word in accounts.split() if word.replace(",", "").isdecimal()]
    published, applied, unchanged, refused, lag = numbers
    assert published > 5 * 60 * 20
    assert (applied + unchanged, refused, lag) == (published, 0, 0)
    assert list(tmp_path.iterdir()) == []
    assert all(is_free(port) for port in range(base, base + 5))


def test_ctrl_c_stops_an_installation_and_its_data_and_settings_stay(tmp_path):
    data, base = tmp_path / "data", port_base()
    own = tmp_path / "own.toml"
    own.write_text('name = "Ours"\ncurrency = "CHF"\n')
    with running(tmp_path, "--no-simulator", "--config", own, "--data-dir", data, "--port-base", base) as process:
        until_line(process, "ready")
        started = children(process.pid)
        assert urllib.request.urlopen(f"http://127.0.0.1:{base}/healthz").status == 200
        before = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.wait(30)
        took = time.monotonic() - before

    assert process.returncode == 130
    assert len(started) == PROCESSES
    assert [alive(pid) for pid in started] == [False] * PROCESSES
    assert took < 15
    assert (data / "kafka" / "logs" / "crm.deals-0").is_dir()
    assert 'currency = "CHF"' in (data / "funnelwatch.toml").read_text()
    again = subprocess.run(
        command("--data-dir", data, "--port-base", base), capture_output=True, text=True, timeout=60, check=False
    )
    assert again.returncode == 1
    assert "holds an installation already" in again.stderr


def test_a_taken_port_is_one_clear_sentence_and_nothing_is_started(tmp_path):
    import socket

    base = port_base()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", base + 2))
        taken.listen()
        done = subprocess.run(
            command("--port-base", base),
            capture_output=True,
            text=True,
            env=environment(tmp_path),
            timeout=60,
            check=False,
        )

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"The demo's kafka cannot listen on 127.0.0.1:{base + 2}" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_demo_that_is_killed_takes_its_processes_with_it(tmp_path):
    data = tmp_path / "data"
    with running(tmp_path, "--no-simulator", "--data-dir", data, "--port-base", port_base()) as process:
        until_line(process, "data ")
        started = children(process.pid)
        process.kill()
        process.wait(10)
        for _ in range(100):
            if not any(alive(pid) for pid in started):
                break
            time.sleep(0.1)

    assert len(started) == PROCESSES
    assert [alive(pid) for pid in started] == [False] * PROCESSES


@pytest.mark.skipif(not Alerting.is_possible(), reason="Prometheus and Alertmanager are not on the path")
def test_the_planted_stall_and_spike_arrive_at_the_receiver_and_on_the_page(tmp_path):
    base = port_base()
    with running(tmp_path, "--reps", 12, "--port-base", base) as process:
        until_line(process, "alerts   Prometheus http://127.0.0.1:")
        arrived = {until_line(process, "that is the ").split()[3].rstrip(",") for _ in range(2)}
        with urllib.request.urlopen(f"http://127.0.0.1:{base}/api/v1/alerts") as answer:
            alerts = json.load(answer)

    assert arrived == {"loss_spike", "funnel_stalled"}
    assert {alert["detector"] for alert in alerts["alerts"] if alert["id"] in alerts["told"]} >= {"funnel_stalled"}


def test_without_prometheus_the_demo_runs_as_ever_and_says_so(tmp_path):
    python = os.path.dirname(sys.executable)  # noqa: PTH120  (a path variable is text)
    done = subprocess.run(
        command("--no-simulator", "--for", "1s", "--data-dir", tmp_path / "data", "--port-base", port_base()),
        capture_output=True,
        text=True,
        env=environment(tmp_path) | {"PATH": python},
        timeout=2 * START_SECONDS_MAX,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Prometheus and Alertmanager are not on the path" in done.stdout
