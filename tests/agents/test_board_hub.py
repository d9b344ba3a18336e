from __future__ import annotations

import json

import pytest

from funnelwatch.agents.board import hub as module
from funnelwatch.agents.board.hub import QUEUE_EVENTS_MAX, Full, Hub, encode_event


async def test_everybody_hears_the_same_in_the_same_order():
    hub = Hub()
    listeners = [hub.join(), hub.join()]
    for number in range(3):
        hub.publish("reps", {"number": number})

    for listener in listeners:
        assert [await listener.next() for _ in range(3)] == [
            b'event: reps\ndata: {"number":%d}\n\n' % number for number in range(3)
        ]


async def test_a_page_that_does_not_read_is_ended_and_keeps_nobody_waiting():
    hub = Hub()
    slow, quick = hub.join(), hub.join()
    for number in range(QUEUE_EVENTS_MAX + 50):
        hub.publish("reps", number)
        assert await quick.next() == encode_event("reps", number)

    assert await slow.next() is None


async def test_pages_beyond_the_limit_are_refused_until_one_leaves(monkeypatch):
    monkeypatch.setattr(module, "LISTENERS_MAX", 2)
    hub = Hub()
    first, _ = hub.join(), hub.join()
    with pytest.raises(Full):
        hub.join()
    hub.leave(first)
    hub.leave(first)

    hub.join()
    assert len(hub) == 2


async def test_closing_ends_every_stream_whatever_waits():
    hub = Hub()
    listener = hub.join()
    hub.publish("reps", 1)
    hub.close()

    assert await listener.next() is None


def test_line_breaks_in_names_do_not_break_an_event():
    event = encode_event("reps", {"name": "a\nb\r\n\nevent: evil\u2028"})

    assert event.count(b"\n") == 3
    assert json.loads(event.split(b"data: ")[1]) == {"name": "a\nb\r\n\nevent: evil\u2028"}
