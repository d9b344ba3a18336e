"""Publishing a long file that is interrupted goes on where it was."""

import gzip
import io
import json

import pytest
from rich.console import Console

from funnelwatch.agents import replay as module
from funnelwatch.agents.errors import OperationError
from funnelwatch.agents.resume import Resume
from funnelwatch.schemas.settings import Secrets, Settings

LINES, PER_NOTE = 100, 8


class CutError(Exception):
    pass


class Kafka:
    """A publisher that is interrupted after so many events; what it was given counts once it is flushed."""

    messages = 0

    def __init__(self, fails_after=None):
        self.fails_after = fails_after
        self.given, self.acknowledged = [], []

    def __call__(self, *_, **__):
        return self

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        pass

    async def send(self, topic, partition, key, value):
        if len(self.given) == self.fails_after:
            raise CutError
        self.given.append(key.decode())

    async def flush(self):
        self.acknowledged = list(self.given)


def event(number):
    return json.dumps({"type": "deal.won", "subject": f"d{number}"})


@pytest.fixture(params=["history.ndjson", "history.ndjson.gz"])
def history(tmp_path, request):
    path = tmp_path / request.param
    text = "".join(f"{event(number)}\n" for number in range(LINES)).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


@pytest.fixture(autouse=True)
def few_lines_per_note(monkeypatch):
    monkeypatch.setattr(module, "LINES_PER_NOTE", PER_NOTE)


async def replay(monkeypatch, kafka, history, **options):
    monkeypatch.setattr(module, "Publisher", kafka)
    return await module.replay([history], Settings(), Secrets(), console=Console(file=io.StringIO()), **options)


@pytest.mark.parametrize("fails_after", [0, 5, PER_NOTE, 50, LINES - 1])
async def test_an_interrupted_replay_goes_on_behind_what_kafka_has_and_misses_nothing(
    monkeypatch, tmp_path, history, fails_after
):
    resume = tmp_path / "done.json"
    first, second = Kafka(fails_after), Kafka()
    with pytest.raises(CutError):
        await replay(monkeypatch, first, history, resume=resume)
    summary = await replay(monkeypatch, second, history, resume=resume)
    assert first.acknowledged + second.acknowledged == [f"d{number}" for number in range(LINES)]
    assert summary.passed_over == len(first.acknowledged) == fails_after // PER_NOTE * PER_NOTE
    assert (await replay(monkeypatch, Kafka(), history, resume=resume)).events == 0


async def test_without_a_place_everything_is_published_again(monkeypatch, history):
    for _ in range(2):
        kafka = Kafka()
        await replay(monkeypatch, kafka, history)
        assert len(kafka.acknowledged) == LINES


def test_a_file_that_is_smaller_than_it_was_is_begun_again(tmp_path, history):
    file = tmp_path / "done.json"
    Resume(file).note(history, 40, 1_000)
    assert [Resume(file).lines(history, size) for size in (1_000, 2_000, 999)] == [40, 40, 0]
    assert Resume(file).lines(tmp_path / "other", 1_000) == 0


def test_a_file_that_says_something_else_is_named(tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("[1, 2]")
    with pytest.raises(OperationError, match=r"notes\.txt.*remove it"):
        Resume(file)
