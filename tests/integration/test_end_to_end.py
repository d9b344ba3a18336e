"""The whole product on a real Kafka and a real Redis: what the board serves is what the batch oracle computes."""

from __future__ import annotations

import gzip
import json
import subprocess
from pathlib import Path
from urllib.parse import quote

import msgspec
import pytest
import redis
from support.compare import difference
from support.deployment import Deployment
from support.disorder import disordered

from funnelwatch.schemas.settings import Settings
from funnelwatch.streams import compiled
from funnelwatch.streams.simulator import Floor
from funnelwatch.streams.simulator.demo import TEHRAN_CALENDAR, demo_settings

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

UNTIL = 1_781_000_000_000_000  # an instant of 2026-06-09, in working time in Tehran
CLOCK = "2026-06-09T10:13:20Z"
REPS = 8
KILL_AT_EVENTS = 3_000
FULL_AGAIN_SECONDS = 60.0


@pytest.fixture
def organisation(settings: Settings) -> Settings:
    """A Jalali organisation that judges as of a fixed instant, on the test's Kafka and Redis."""
    return msgspec.structs.replace(
        demo_settings(TEHRAN_CALENDAR),
        clock=CLOCK,
        kafka=settings.kafka,
        redis=settings.redis,
        worker=msgspec.structs.replace(settings.worker, session_seconds=6.0),
        board=settings.board,
    )


@pytest.fixture
def history(organisation: Settings, tmp_path: Path) -> Path:
    """60 days of a floor as networks deliver them: late, out of order, repeated."""
    _, events = Floor.with_history(7, UNTIL, organisation, reps=REPS)
    path = tmp_path / "events.ndjson.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.writelines(event.value + b"\n" for event in disordered(events, seed=7))
    return path


def oracle(deployment: Deployment, history: Path) -> dict:
    """What the batch report says of the same events."""
    done = deployment.run("report", str(history), "--clock", CLOCK, "--config", str(deployment.config))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def served(deployment: Deployment, truth: dict) -> dict | None:
    """The same documents from the board; None while it is not ready."""
    organisation = deployment.json("/api/v1/organisation")
    if organisation is None:
        return None
    reps = {rep: deployment.json(f"/api/v1/reps/{quote(rep, safe='')}") for rep in truth["reps"]}
    teams = {team: deployment.json(f"/api/v1/teams/{quote(team, safe='')}") for team in truth["teams"]}
    return {"organisation": organisation, "reps": reps, "teams": teams}


class Equal:
    """A condition to wait for, which remembers why it does not hold."""

    def __init__(self, deployment: Deployment, truth: dict) -> None:
        self.deployment, self.truth, self.why = deployment, truth, "never asked"

    def __call__(self) -> bool:
        found = served(self.deployment, self.truth)
        self.why = "the board is not ready" if found is None else difference(self.truth, found) or ""
        return not self.why

    def wait(self, what: str, seconds: float) -> None:
        try:
            self.deployment.wait(what, self, seconds)
        except AssertionError as failed:
            raise AssertionError(f"{self.why}\n{failed}") from failed


def test_killed_replayed_and_flushed_every_figure_equals_the_oracle(organisation, history, tmp_path, monkeypatch):
    """The worker that takes over folds in Python what the first one, where it is compiled, has left."""
    with Deployment(organisation, tmp_path / "run") as deployment:
        truth = oracle(deployment, history)
        assert len(truth["reps"]) == REPS
        deployment.start("board")
        deployment.start("worker")
        replay = subprocess.Popen(deployment.command("replay", str(history), "--config", str(deployment.config)))
        deployment.wait("the replay is under way", lambda: deployment.events_read() >= KILL_AT_EVENTS)
        deployment.kill("worker")
        monkeypatch.setenv("FUNNELWATCH_WORKER__FOLD", "python")
        deployment.start("worker")
        assert replay.wait(60) == 0

        equal = Equal(deployment, truth)
        equal.wait("figures equal after kill -9 and a restart", 90)

        redis.Redis(port=organisation.redis.port).flushall()
        equal.wait("full again after a flush of Redis", FULL_AGAIN_SECONDS)

        assert deployment.stop("worker") == 0
        assert deployment.stop("board") == 0
        said = (deployment.folder / "worker.log").read_text()
        assert "Events are folded in Python, since worker.fold is 'python'." in said
        assert ("Events are folded by the compiled fold." in said) == compiled.is_installed()
