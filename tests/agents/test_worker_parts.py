"""What prevents a worker from running is one sentence, before anything is touched."""

from __future__ import annotations

import logging
import socket

import aiohttp
import msgspec
import pytest

from funnelwatch.agents.engine.application import credentials
from funnelwatch.agents.engine.metrics import Metrics
from funnelwatch.agents.engine.server import OperationsServer
from funnelwatch.agents.engine.worker import own_directory
from funnelwatch.agents.errors import OperationError
from funnelwatch.schemas.settings import KafkaSettings, Secrets, Settings


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def test_a_port_that_is_taken_is_named():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        with pytest.raises(OperationError, match=f"127.0.0.1:{port} is taken by another program: set worker.port"):
            await OperationsServer("127.0.0.1", port, Metrics(), lambda: "").start()


async def test_health_readiness_and_metrics_are_served():
    reasons = ["recovering", ""]
    port = free_port()
    server = OperationsServer("127.0.0.1", port, Metrics(), lambda: reasons.pop(0))
    await server.start()
    answers = []
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        for path in ("/healthz", "/readyz", "/readyz", "/metrics"):
            async with session.get(path) as answer:
                answers.append((path, answer.status, await answer.text()))
    await server.stop()

    assert answers[:3] == [("/healthz", 200, "ok\n"), ("/readyz", 503, "recovering\n"), ("/readyz", 200, "ready\n")]
    samples = {line.split("{")[0].split()[0] for line in answers[3][2].splitlines() if not line.startswith("#")}
    assert {"funnelwatch_build_info", "funnelwatch_rebalances_total", "funnelwatch_chunk_seconds_count"} <= samples


def test_a_data_directory_belongs_to_one_worker(tmp_path):
    directory = tmp_path / "deep" / "down"
    with (
        own_directory(directory),
        pytest.raises(OperationError, match="belongs to a running worker: give each its own"),
    ):
        own_directory(directory).__enter__()
    with own_directory(directory):
        pass


def test_a_data_directory_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(OperationError, match=r"file/data cannot be used: Not a directory"):
        own_directory(tmp_path / "file" / "data").__enter__()


def test_rows_of_another_fold_version_are_said_to_be_left_alone(tmp_path, caplog):
    (tmp_path / "v0").mkdir()
    with caplog.at_level(logging.WARNING), own_directory(tmp_path):
        pass

    assert "has rows of another fold version (v0); this is v" in caplog.text


@pytest.mark.parametrize(
    ("security", "protocol", "mechanism"),
    [
        ("plain", "SASL_PLAINTEXT", "PLAIN"),
        ("scram-sha-512", "SASL_PLAINTEXT", "SCRAM-SHA-512"),
        ("scram-sha-256+tls", "SASL_SSL", "SCRAM-SHA-256"),
    ],
)
def test_credentials_are_those_of_every_client_and_show_no_password(security, protocol, mechanism):
    kafka = KafkaSettings(security=security, username="ann")
    found = credentials(msgspec.structs.replace(Settings(), kafka=kafka), Secrets(kafka_password="hush-hush"))

    assert (found.protocol.value, found.mechanism.value, found.username) == (protocol, mechanism, "ann")
    assert "hush" not in repr(found)


def test_tls_alone_brings_its_context_and_plaintext_nothing():
    tls = msgspec.structs.replace(Settings(), kafka=KafkaSettings(security="tls"))

    assert credentials(tls, Secrets()).protocol.value == "SSL"
    assert credentials(Settings(), Secrets()) is None
