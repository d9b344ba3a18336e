"""The servers we carry are real ones: they keep what they are told, say what is wrong, and leave nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest
import redis
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from funnelwatch.agents.embedded import EmbeddedError, EmbeddedKafka, EmbeddedRedis, free_ports

pytestmark = pytest.mark.integration


async def publish(bootstrap: str, topic: str, values: list[bytes]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        for value in values:
            await producer.send_and_wait(topic, value, partition=0)


async def published(bootstrap: str, topic: str, count: int) -> list[bytes]:
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        return [(await consumer.getone()).value for _ in range(count)]


async def create_topic(bootstrap: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 1, 1)])
    finally:
        await admin.close()


def gone(pid: int, seconds: float = 5.0) -> bool:
    for _ in range(int(seconds / 0.05)):
        try:
            with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123  (a zombie is gone, too)
                if stat.read().rsplit(")", 1)[1].split()[0] == "Z":
                    return True
        except FileNotFoundError:
            return True
        time.sleep(0.05)
    return False


@pytest.fixture(scope="module")
def _jars(kafka):
    """The jars are there, or the whole module says why not."""


@pytest.mark.usefixtures("_jars")
async def test_kafka_keeps_topics_and_records_across_restarts_and_ports(tmp_path):
    first = EmbeddedKafka(tmp_path, *free_ports(2))
    with first:
        await create_topic(first.bootstrap, "kept")
        await publish(first.bootstrap, "kept", [b"one", b"two"])
    assert not first.running

    with EmbeddedKafka(tmp_path, *free_ports(2)) as second:
        await publish(second.bootstrap, "kept", [b"three"])

        assert await published(second.bootstrap, "kept", 3) == [b"one", b"two", b"three"]


def test_redis_keeps_keys_across_an_orderly_restart(redis_server, tmp_path):
    with EmbeddedRedis(tmp_path, *free_ports(1)) as first:
        redis.Redis(port=first.port).set("kept", "yes")

    with EmbeddedRedis(tmp_path, *free_ports(1)) as second:
        assert redis.Redis(port=second.port).get("kept") == b"yes"


@pytest.mark.usefixtures("_jars")
def test_a_taken_port_is_one_clear_sentence(redis_server, tmp_path):
    taken = redis_server.port
    for server in (EmbeddedKafka(tmp_path, taken), EmbeddedRedis(tmp_path, taken)):
        with pytest.raises(EmbeddedError, match=rf"cannot listen on 127\.0\.0\.1:{taken} .*choose another one\.$"):
            server.start()

        assert not server.running


@pytest.mark.usefixtures("_jars")
def test_a_server_that_dies_tells_the_last_lines_of_its_log(tmp_path):
    EmbeddedKafka(tmp_path, *free_ports(2), node_id=1)._stamp(tmp_path / "meta.properties")
    (tmp_path / "logs").mkdir()
    (tmp_path / "meta.properties").rename(tmp_path / "logs" / "meta.properties")
    other = EmbeddedKafka(tmp_path, *free_ports(2), node_id=2)

    with pytest.raises(EmbeddedError, match=r"(?s)Kafka ended while starting, with exit code 1\. .*kafka\.log.*node"):
        other.start()

    assert not other.running


def test_only_loopback_is_listened_on(redis_server):
    with open(f"/proc/{redis_server.pid}/net/tcp") as table:  # noqa: PTH123  (the kernel's table of this machine)
        listening = [line.split()[1] for line in table.readlines()[1:] if line.split()[3] == "0A"]
    ours = [address for address in listening if address.endswith(f":{redis_server.port:04X}")]

    assert [address.split(":")[0] for address in ours] == ["0100007F"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
@pytest.mark.usefixtures("_jars")
def test_servers_do_not_outlive_a_killed_parent(redis_server, tmp_path):
    kafka_port, controller_port, redis_port = free_ports(3)
    script = f"""
        import time
        from pathlib import Path
        from funnelwatch.agents.embedded import EmbeddedKafka, EmbeddedRedis
        kafka = EmbeddedKafka(Path({str(tmp_path / "kafka")!r}), {kafka_port}, {controller_port})
        redis = EmbeddedRedis(Path({str(tmp_path / "redis")!r}), {redis_port})
        redis.start(); kafka.start()
        print(kafka.pid, redis.pid, flush=True)
        time.sleep(60)
    """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True) as parent:
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        os.kill(parent.pid, signal.SIGKILL)

    assert len(pids) == 2
    assert [gone(pid) for pid in pids] == [True, True]


def test_no_network_for_the_jars_is_one_clear_sentence(tmp_path):
    """In a process of its own, with an empty cache and every web request sent to a port nobody listens on."""
    nobody = f"http://127.0.0.1:{free_ports(1)[0]}"
    script = """
        from funnelwatch.agents.embedded.jars import kafka_jars
        from funnelwatch.agents.embedded.errors import JarsUnavailableError
        try:
            kafka_jars()
        except JarsUnavailableError as error:
            print(error)
    """
    environment = {
        **os.environ,
        "FUNNELWATCH_CACHE": str(tmp_path / "cache"),
        "https_proxy": nobody,
        "http_proxy": nobody,
    }
    environment = {name: value for name, value in environment.items() if name.lower() != "no_proxy"}
    told = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], env=environment, capture_output=True, text=True, check=True
    ).stdout

    assert "cannot be fetched" in told
    assert "FUNNELWATCH_CACHE" in told
    assert [path.name for path in (tmp_path / "cache" / "kafka-4.1.0").iterdir()] == []


@pytest.mark.usefixtures("_jars")
def test_a_damaged_jar_is_noticed(tmp_path, monkeypatch):
    """A cache whose smallest jar was changed: with nowhere to fetch it from, nothing starts."""
    from funnelwatch.agents.embedded import jars as module

    source = module.cache_dir() / f"kafka-{module.lock().kafka}"
    target = tmp_path / source.name
    target.mkdir()
    smallest = min(module.lock().jars, key=lambda jar: jar.size)
    for jar in module.lock().jars:
        if jar != smallest:
            (target / jar.file_name).symlink_to(source / jar.file_name)
    (target / smallest.file_name).write_bytes(b"x" * smallest.size)
    monkeypatch.setenv("FUNNELWATCH_CACHE", str(tmp_path))
    fetched = []
    monkeypatch.setattr(module, "_download", lambda jar, work, folder: fetched.append(jar))

    module.kafka_jars()

    assert [smallest] == fetched
