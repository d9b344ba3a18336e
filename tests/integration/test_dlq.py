"""Dead letters on a real Kafka: listed, shown, sent again to where they came from."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from funnelwatch.agents import cli, topics
from funnelwatch.agents.dlq import commands
from funnelwatch.agents.dlq.reading import Letters
from funnelwatch.agents.engine.barrier import SendBarrier
from funnelwatch.agents.engine.chunk_fold import RefusedItem
from funnelwatch.agents.engine.outbox import LETTER_BYTES_MAX, Outbox
from funnelwatch.schemas.events import Kind, Refusal
from funnelwatch.schemas.settings import Secrets

pytestmark = pytest.mark.integration
LETTERS = 700


@pytest.fixture
def config(settings, tmp_path):
    """The test's settings as a file, for the command line."""
    path = tmp_path / "funnelwatch.toml"
    kafka = settings.kafka
    path.write_text(
        f'[kafka]\nbootstrap = ["{kafka.bootstrap[0]}"]\nprefix = "{kafka.prefix}"\ngroup = "{kafka.group}"\n'
        f"partitions = {kafka.partitions}\n"
    )
    return str(path)


@pytest.fixture
def letters(settings):
    """Of 700 messages: every tenth with a reason of its own; the last is too large to be kept whole."""
    asyncio.run(topics.ensure(settings, Secrets()))
    asyncio.run(write(settings, LETTERS))


async def write(settings, number: int) -> None:
    deals = topics.input_topic(settings, Kind.DEAL)
    async with AIOKafkaProducer(
        bootstrap_servers=settings.kafka.bootstrap[0], max_request_size=topics.LETTER_WITH_HEADERS_BYTES_MAX
    ) as producer:
        outbox = Outbox(
            lambda: producer,
            SendBarrier(pytest.fail),
            dead_letters=topics.dead_letters_topic(settings),
            links=topics.links_topic(settings),
            partitions=settings.kafka.partitions,
        )
        refused = []
        for n in range(number):
            value = b"x" * (LETTER_BYTES_MAX + 1) if n == number - 1 else b'\xff\x1b {"n":%d}' % n
            headers = (("ce_id", b"%d" % n), ("authorization", b"hunter2"), ("null", None))
            record = SimpleNamespace(
                topic=deals, partition=n % 4, offset=n, key=b"d%d" % n, value=value, headers=headers
            )
            reason = "bad_time" if n % 10 else "unknown_type"
            refused.append(RefusedItem(record, None, Refusal(reason, f"no. {n}")))
        await outbox.send_dead_letters(refused)


def run(capfd, config: str, *arguments: str) -> tuple[int, str, str]:
    code = cli._outcome(["dlq", *arguments, "--config", config])
    captured = capfd.readouterr()
    return code, captured.out, captured.err


def arrived(settings, kind: Kind = Kind.DEAL) -> list:
    async def read() -> list:
        homes = [TopicPartition(topics.input_topic(settings, kind), n) for n in range(settings.kafka.partitions)]
        consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka.bootstrap[0], auto_offset_reset="earliest")
        async with consumer:
            consumer.assign(homes)
            ends = await consumer.end_offsets(homes)
            return [await consumer.getone() for _ in range(sum(ends.values()))]

    return asyncio.run(read())


def listed(capfd, config: str, *arguments: str) -> list[dict]:
    code, out, _ = run(capfd, config, "list", "--json", *arguments)

    assert code == 0
    return [json.loads(line) for line in out.splitlines()]


def test_letters_are_listed_and_counted(capfd, settings, config, letters):
    code, out, _ = run(capfd, config, "list", "--limit", "3")

    assert code == 0
    assert "700 letters (bad_time 630, unknown_type 70), the newest 3 shown." in out
    assert len(listed(capfd, config, "--limit", "1000")) == LETTERS
    chosen = listed(capfd, config, "--reason", "unknown_type", "--topic", "crm.deals", "--since", "1h", "--limit", "9")
    assert len(chosen) == 9
    assert {line["reason"] for line in chosen} == {"unknown_type"}
    assert [line["time"] for line in chosen] == sorted(line["time"] for line in chosen)
    assert listed(capfd, config, "--since", "2100-01-01T00:00:00Z") == []
    assert listed(capfd, config, "--topic", "crm.leads") == []


def test_a_letter_is_shown(capfd, settings, config, letters):
    line = listed(capfd, config, "--limit", "1000")[7]
    place = f"{line['partition']}:{line['offset']}"
    number = int(line["key"].removeprefix("d"))
    code, out, _ = run(capfd, config, "show", place)

    assert code == 0
    assert f"no. {number}" in out
    assert "ff 1b 20 7b 22 6e" in out
    assert "hunter2" not in out
    assert "\x1b" not in out


def test_raw_bytes_are_the_message_s_own(capfdbinary, settings, config, letters):
    place = asyncio.run(place_of(settings, b"d12"))
    code = cli._outcome(["dlq", "show", place, "--raw", "--config", config])

    assert (code, capfdbinary.readouterr().out) == (0, b'\xff\x1b {"n":12}')


async def place_of(settings, key: bytes) -> str:
    async with Letters(settings, Secrets()) as letters:
        found = [str(letter.position) async for letter in letters.all() if letter.key == key]
        return found[0]


def test_letters_are_sent_again_as_they_were_to_where_they_came_from(capfd, settings, config, letters):
    code, out, err = run(capfd, config, "replay", "--reason", "bad_time", "--yes")

    assert code == 1
    assert "too large to be kept whole" in err
    assert "629 letters sent again, 1 cannot be." in out
    found = arrived(settings)
    assert sorted(int(record.key[1:]) for record in found) == [n for n in range(LETTERS - 1) if n % 10]
    for record in found:
        n = int(record.key[1:])
        assert (record.value, record.partition) == (b'\xff\x1b {"n":%d}' % n, n % 4)
        assert dict(record.headers).keys() == {"ce_id", "authorization", "null", "dlq_replayed"}
        assert dict(record.headers)["ce_id"] == b"%d" % n


def test_named_letters_are_sent_again(capfd, settings, config, letters):
    places = [asyncio.run(place_of(settings, key)) for key in (b"d3", b"d10")]
    code, out, _ = run(capfd, config, "replay", *places, places[0], "--yes")

    assert code == 0
    assert "2 letters sent again, 0 cannot be." in out
    assert sorted(record.key for record in arrived(settings)) == [b"d10", b"d3"]


def test_nothing_is_sent_by_a_dry_run_or_without_consent(capfd, monkeypatch, settings, config, letters):
    code, out, _ = run(capfd, config, "replay", "--reason", "unknown_type", "--dry-run")
    assert (code, "70 letters would be sent again" in out) == (0, True)

    code, _, err = run(capfd, config, "replay", "--reason", "unknown_type")
    assert (code, "--yes" in err) == (1, True)

    monkeypatch.setattr(commands.sys, "stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr(commands.click, "confirm", lambda *_, **__: False)
    code, out, _ = run(capfd, config, "replay", "--reason", "unknown_type")
    assert (code, "Nothing was sent." in out) == (0, True)

    assert arrived(settings) == []


def test_a_letter_that_is_not_there_is_one_clear_sentence(capfd, settings, config, letters):
    for place in ("3:99999", "9:0"):
        code, _, err = run(capfd, config, "show", place)

        assert code == 1
        assert f"no letter {place}" in err


def test_without_the_topic_the_command_that_creates_it_is_named(capfd, config):
    code, _, err = run(capfd, config, "list")

    assert code == 1
    assert "funnelwatch topics" in err


@pytest.mark.parametrize("arguments", [["show", "x"], ["list", "--since", "2w"], ["replay", "1:1", "--since", "1h"]])
def test_a_wrong_command_line_exits_with_2(capfd, config, arguments):
    code, _, err = run(capfd, config, *arguments)

    assert (code, "Error" in err) == (2, True)
