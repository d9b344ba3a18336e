"""What a replay makes of lines: the compiled packer and the one in Python make the same of any."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import os
import shutil
from collections import defaultdict
from random import Random

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from rich.console import Console

from funnelwatch.agents import packing
from funnelwatch.agents import replay as module
from funnelwatch.agents.blocks import blocks, pass_over
from funnelwatch.agents.packing import Packer
from funnelwatch.agents.partitioning import partition_of
from funnelwatch.schemas.events import TOPICS, TYPES
from funnelwatch.schemas.settings import KafkaSettings, Secrets, Settings

PARTITIONS = 3
TYPE_NAMES = [type_ for types in TYPES.values() for type_ in types]
SETTINGS = Settings(kafka=KafkaSettings(partitions=PARTITIONS, prefix="here."))


class Kafka:
    """A publisher that keeps what it is given, by home."""

    def __init__(self):
        self.homes = defaultdict(list)
        self.messages = 0

    def __call__(self, *_, **__):
        return self

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        pass

    async def send(self, topic, partition, key, value):
        self.messages += 1
        self.homes[topic, partition].append((key, value))

    async def flush(self):
        pass


def need_compiled():
    """Skip where nothing was compiled; where a change is judged it has to be, if there is a compiler."""
    if packing.is_compiled():
        return
    if os.environ.get("CI") == "true" and shutil.which("cargo"):
        pytest.fail("there is a Rust compiler, and no compiled packer that is called as it is now")
    pytest.skip("the compiled packer is not installed: there was no Rust compiler (cargo) when this was")


def replayed(path, pack, *, compiled):
    """What was sent by home, and the summary but for the time."""
    with pytest.MonkeyPatch.context() as patch:
        kafka = Kafka()
        patch.setattr(module, "Publisher", kafka)
        patch.setattr(module, "LINES_PER_NOTE", 7)
        if not compiled:
            patch.setattr(module, "packer", Packer)
        made = module.replay([path], SETTINGS, Secrets(), console=Console(file=io.StringIO()), pack=pack)
        summary = asyncio.run(made)
    summary.seconds = 0.0
    return dict(kafka.homes), summary


SUBJECTS = st.sampled_from(["d1", "d2", "سرنخ", "", 'q"\\', "a\tb", 42, 4.5, None, ["d1"]])
REST = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
EVENTS = st.builds(
    lambda type_, subject, rest, is_ascii: json.dumps(
        {"type": type_, "subject": subject, "data": rest}, ensure_ascii=is_ascii
    ).encode("utf-8", "surrogatepass"),
    st.sampled_from([*TYPE_NAMES, "deal.sold", "", 3]),
    SUBJECTS,
    REST,
    st.booleans(),
)
ODD = st.sampled_from(
    [
        *(b"", b" \t", b"{", b"{}", b"[]", b"null", b"[{}]", b"\x0b", b"\xff", b"[[", b"[" * 3_000),
        b'{"type":"deal.won","subject":"d1","type":"lead.created"}',
        b'{"type":"deal.won","subject":"d1","subject":"d2"}',
        b'{"type":"deal.w\\u006fn","subject":"d1"}',
        b'{"t\\u0079pe":"deal.won","subject":"d1"}',
        b'{"type":"deal.won","subject":"\\ud83d\\ude00"}',
        b'{"type":"deal.won","subject":"\\ud83d"}',
        b'{"type":"deal.won","subject":"d1","x":"\\ud83d"}',
        b'{"type":"deal.won","subject":"d1","x":"\xff"}',
        b'{"type":"deal.won","subject":"\xff"}',
        b'{"type":"deal.won","subject":"d1"}x',
        b'{"type":"deal.won","subject":"d1",}',
        b'{"type":"deal.won","subject":"d1","x":01}',
        b'{"type":"deal.won","subject":"d1","x":1e999,"y":-0.0}',
        b'{"type":"deal.won","subject":"d1","x":' + b"[" * 200 + b"]" * 200 + b"}",
        b'{"type":"deal.won","subject":"d1","x":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
        b'\x0b{"type":"deal.won","subject":"d1"}\x0c\r',
        b'\xef\xbb\xbf{"type":"deal.won","subject":"d1"}',
        b'{"type" : "deal.won" ,\t"subject": "d1"\r}',
    ]
)


@st.composite
def mangled(draw):
    """An event with a byte that is another or none."""
    event = draw(EVENTS)
    place = draw(st.integers(0, len(event) - 1))
    return event[:place] + draw(st.sampled_from([b"", b'"', b"\\", b"}", b",", b"\x00", b"\xc3"])) + event[place + 1 :]


ARRAYS = st.lists(EVENTS, max_size=4).map(lambda events: b"[" + b",".join(events) + b"]")
LINES = st.lists(EVENTS | EVENTS | mangled() | ARRAYS | ODD, max_size=30)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=LINES, pack=st.sampled_from([1, 2, 5, 1_000]), ends=st.sampled_from([b"", b"\n", b"\r\n"]))
@example(lines=[b'{"type":"deal.won","subject":"d1"}'] * 9, pack=4, ends=b"")
def test_both_packers_send_refuse_and_count_the_same(tmp_path, lines, pack, ends):
    need_compiled()
    path = tmp_path / "lines.ndjson"
    path.write_bytes((ends or b"\n").join(lines) + ends)

    assert replayed(path, pack, compiled=True) == replayed(path, pack, compiled=False)


def test_ordinary_lines_are_not_left_to_python():
    need_compiled()
    line = b'{"specversion":"1.0","type":"deal.won","subject":"d1","data":{"amount":1.5,"x":[null,"\\n"]}}\n'
    compiled = packing.packer({"deal.won": "deals"}, PARTITIONS, 2)

    assert compiled.read(line * 3 + b"\n[]\n", 0, 100) == (len(line) * 3 + 1, 4)
    assert compiled.read(line * 3, len(line), 1) == (len(line) * 2, 1)
    assert compiled.counts() == {"deals": 4}


@pytest.mark.parametrize("make", [packing.packer, Packer])
@pytest.mark.parametrize("pack", [1, 3, 64])
def test_events_of_an_entity_stay_in_order_whatever_lies_between(tmp_path, monkeypatch, make, pack):
    """Every third line is an array, and every seventh escapes its subject: the compiled packer takes neither."""
    monkeypatch.setattr(module, "packer", make)
    lines, number = [], 0
    for place in range(300):
        some = []
        for _ in range(2 if place % 3 == 0 else 1):
            some.append({"type": TYPE_NAMES[number % len(TYPE_NAMES)], "subject": f"é{number % 10}", "n": number})
            number += 1
        lines.append(json.dumps(some if len(some) > 1 else some[0], ensure_ascii=place % 7 == 0))
    path = tmp_path / "lines.ndjson"
    path.write_text("\n".join(lines))
    homes, summary = replayed(path, pack, compiled=make is packing.packer)

    assert summary.events == number
    assert {topic for topic, _ in homes} == {f"here.{topic}" for topic in TOPICS.values()}
    seen = []
    for (_, partition), messages in homes.items():
        last = defaultdict(lambda: -1)
        for key, value in messages:
            found = json.loads(value)
            for event in found if isinstance(found, list) else [found]:
                assert partition == partition_of(event["subject"], PARTITIONS)
                assert key == (event["subject"].encode() if pack == 1 else None)
                assert event["n"] > last[event["subject"]]
                last[event["subject"]] = event["n"]
                seen.append(event["n"])
    assert sorted(seen) == list(range(number))


@pytest.mark.parametrize("make", [packing.packer, Packer])
def test_no_message_is_larger_than_the_limit_but_for_an_event_that_is(monkeypatch, make):
    monkeypatch.setattr(packing, "PACK_BYTES", 100)
    packer = make({"deal.won": "deals"}, 1, 1_000, *([100] if make is Packer else []))
    sizes = [40, 40, 40, 150, 30, 70, 1]
    for size in sizes:
        packer.add("deals", b"d", b"x" * size)
    packer.close()
    sent = [value.strip(b"[]").split(b",") for *_, value in packer.take()]

    assert [[len(event) for event in events] for events in sent] == [[40, 40], [40], [150], [30, 70], [1]]
    assert packer.take() == []


def test_a_line_that_is_nested_beyond_reading_is_refused_and_the_rest_goes_on(tmp_path):
    path = tmp_path / "lines.ndjson"
    event = b'{"type":"deal.won","subject":"d1"}'
    path.write_bytes(event + b"\n" + event[:-1] + b',"x":' + b"[" * 100_000 + b"\n" + event)
    _, summary = replayed(path, 1, compiled=True)

    assert (summary.events, summary.unreadable) == (2, 1)
    assert "lines.ndjson:2" in summary.problems[0]


@given(st.lists(st.binary(max_size=9).map(lambda line: line.replace(b"\n", b"")), max_size=20), st.integers(1, 9))
def test_blocks_are_whole_lines_and_nothing_is_lost(lines, size):
    text = b"\n".join(lines)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("funnelwatch.agents.blocks.BLOCK_BYTES", size)
        found = list(blocks(io.BufferedReader(io.BytesIO(text), 4)))

    assert b"".join(found) == text
    assert all(block.endswith(b"\n") for block in found[:-1])
    assert all(found)


def given_before_it_failed(packed: bytes) -> bytes:
    """What a damaged .gz gives until its damage is found."""
    found = bytearray()
    with pytest.raises((OSError, EOFError, module.zlib.error)):  # noqa: PT012  (what came before it is looked at)
        for block in blocks(gzip.GzipFile(fileobj=io.BytesIO(packed))):
            found += block
    return bytes(found)


def lines_of(seed: int) -> bytes:
    """Lines that gzip makes half as long."""
    chance = Random(seed)
    return b"".join(b"%d %s\n" % (number, chance.randbytes(20).hex().encode()) for number in range(20_000))


def test_all_lines_before_a_cut_are_given():
    lines = lines_of(0)
    found = given_before_it_failed(gzip.compress(lines)[:-9])

    assert lines.startswith(found)
    assert len(found) > len(lines) * 0.99


@pytest.mark.parametrize("seed", range(5))
def test_all_lines_before_a_damage_are_given(seed):
    """And maybe more (seed 0, with zlib 1.2): until it meets a code that is none, gzip reads the damage as text."""
    lines = lines_of(seed)
    packed = bytearray(gzip.compress(lines))
    packed[len(packed) // 2 :] = b"\xff" * (len(packed) // 2)
    found = given_before_it_failed(bytes(packed))

    assert found.startswith(lines[: len(lines) * 45 // 100])


def test_lines_are_passed_over_by_their_number():
    block = b"a\n\nbb\nc"

    assert [pass_over(block, 0, lines) for lines in range(6)] == [(0, 0), (2, 1), (3, 2), (6, 3), (7, 4), (7, 4)]
