"""A worker that recovers a table says how far it is: in its log, and to whoever asks whether it is ready."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
import sys
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import msgspec
import pytest
from support.worker_process import WorkerProcess, floor_events, publish, wait_until

from funnelwatch.agents import topics
from funnelwatch.schemas.settings import Secrets
from funnelwatch.streams.simulator import demo_settings

pytestmark = pytest.mark.integration

SLOW = """
import sys, time
from funnelwatch.agents.engine import chunk_transport, recovery_progress
from funnelwatch.agents.engine.entity_table import EntityTable
chunk_transport.CHUNK_RECORDS_MAX = 20
recovery_progress.SAY_SECONDS = 0.5
merge = EntityTable._merge
def slowly(self, db, records):
    time.sleep(0.1)
    return merge(self, db, records)
EntityTable._merge = slowly
"""
RUN = """
import base64, msgspec
from funnelwatch.agents.engine.worker import run
from funnelwatch.schemas.settings import Secrets, Settings
sys.exit(run(msgspec.msgpack.decode(base64.b64decode(sys.argv[1]), type=Settings), Secrets()))
"""


class SlowWorker(WorkerProcess):
    """Takes 0.1 s for every 20 records it recovers."""

    def start(self):
        packed = base64.b64encode(msgspec.msgpack.encode(self.settings)).decode()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen([sys.executable, "-c", SLOW + RUN, packed], stdout=log, stderr=log)
        return self


def readiness(settings) -> str:
    try:
        with urlopen(f"http://127.0.0.1:{settings.worker.port}/readyz", timeout=5) as answer:
            return answer.read().decode()
    except HTTPError as refused:
        return refused.read().decode()
    except URLError:
        return ""


async def test_a_recovery_is_told_while_it_runs(settings):
    settings = msgspec.structs.replace(demo_settings(), clock="event", **_servers(settings))
    await topics.ensure(settings, Secrets())
    events = floor_events(8, settings, days=3, reps=6)
    worker = WorkerProcess(settings).start()
    await publish(settings, events)
    wait_until(lambda: sum(worker.counters().values()) == len(events), 60, "everything read")
    assert worker.stop() == 0
    shutil.rmtree(settings.worker.data_dir)
    slow = SlowWorker(settings).start()
    heard = set()

    def is_ready() -> bool:
        heard.add(readiness(settings).strip())
        return "ready" in heard

    try:
        wait_until(is_ready, 90, "recovered")
        wait_until(lambda: "Recovered: " in slow.log.read_text(), 10, "the end is told")
    finally:
        slow.stop()
    log = slow.log.read_text()

    shares = [int(share) for text in heard for share in re.findall(r"deal (\d+) %", text)]
    assert any(0 < share < 100 for share in shares), heard
    line = r"Recovering: \d+ % of [\d,]+ changelog records read, [\d,]+ a second, about [\d,]+ s left \(.*deal \d+ %"
    assert re.search(line, log), log[-3_000:]
    assert re.search(r"Recovered: [\d,]+ changelog records in [\d.]+ s", log)


def _servers(settings) -> dict:
    return {"kafka": settings.kafka, "redis": settings.redis, "worker": settings.worker, "board": settings.board}
