"""A worker that starts while Kafka is away waits for it: nobody has to start it again and again."""

from __future__ import annotations

import msgspec
import pytest
from support.worker_process import WorkerProcess, wait_until

from funnelwatch.agents.embedded import EmbeddedKafka, free_ports

pytestmark = pytest.mark.integration
READY_SECONDS = 90.0


@pytest.fixture
def away(settings, tmp_path):
    """A Kafka that is not there yet, and the settings of an installation on it."""
    kafka = EmbeddedKafka(tmp_path / "kafka", *free_ports(2))
    of_kafka = msgspec.structs.replace(settings.kafka, bootstrap=(kafka.bootstrap,))
    yield kafka, msgspec.structs.replace(settings, kafka=of_kafka)
    kafka.kill()


def test_it_says_what_it_waits_for_and_works_when_kafka_is_there(away):
    kafka, settings = away
    worker = WorkerProcess(settings).start()
    try:
        wait_until(lambda: "does not answer" in worker.log.read_text(), READY_SECONDS, "it says so")
        assert worker.is_alive()
        assert not worker.is_ready()

        kafka.start()

        wait_until(worker.is_ready, READY_SECONDS, "ready")
        assert worker.stop() == 0
    finally:
        if worker.is_alive():
            worker.kill()


def test_it_leaves_in_order_while_it_waits(away):
    _, settings = away
    worker = WorkerProcess(settings).start()
    try:
        wait_until(lambda: "does not answer" in worker.log.read_text(), READY_SECONDS, "it says so")

        assert worker.stop() == 0
    finally:
        if worker.is_alive():
            worker.kill()
