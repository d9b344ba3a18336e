"""The fold of a chunk: every event is counted once, and one bad event stops nobody else's."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import strategies
from support.messages import Record, batch_of, record_of
from support.organisation import CONTEXT
from support.story import Story

from funnelwatch.agents.engine.chunk_fold import (
    BAD_LINK,
    FOLD_FAILED,
    ROW_TOO_LARGE,
    Change,
    EntityFold,
    Item,
    Tally,
    event_bytes,
    read_events,
    read_links,
)
from funnelwatch.schemas.codec import UNLIMITED
from funnelwatch.schemas.encode import encode_event
from funnelwatch.schemas.events import Event, Kind
from funnelwatch.streams.entities.deal import DealFold
from funnelwatch.streams.folds import FOLDS
from funnelwatch.streams.links import WON, Link
from funnelwatch.streams.links import encode as encode_link


def never(_: Record) -> bool:
    return False


def always(_: Record) -> bool:
    return True


def items_of(*events: Event) -> list[Item]:
    return [Item(record_of(event, offset), None, event) for offset, event in enumerate(events)]


def fold(row: bytes | None, *events: Event, folds=None, seen_before=never) -> tuple[Change, Tally]:
    kind = events[0].kind
    tally = Tally()
    change = EntityFold(folds or FOLDS[kind], CONTEXT).apply(
        events[0].subject, row, items_of(*events), tally, seen_before
    )
    return change, tally


@pytest.fixture
def story() -> Story:
    return Story()


def test_a_batch_is_taken_apart_as_if_each_event_had_come_alone(story):
    events = [story(f"deal.created d{n}", "2026-10-05 09:00", rep_id="ada") for n in (1, 2, 1)]

    batched, _ = read_events(Kind.DEAL, [batch_of(events)], UNLIMITED)
    alone, _ = read_events(Kind.DEAL, [record_of(event) for event in events], UNLIMITED)

    contents = {subject: [item.content for item in items] for subject, items in batched.items()}
    assert contents == {subject: [item.content for item in items] for subject, items in alone.items()}
    assert [item.index for item in batched["d1"]] == [0, 2]


def test_one_bad_event_of_a_batch_is_refused_with_its_own_bytes(story):
    good, bad = story("deal.created d1", "2026-10-05 09:00"), b'{"specversion":"1.0"}'
    record = Record("crm.deals", 0, 5, None, b"[" + encode_event(good) + b", " + bad + b"]")

    groups, refused = read_events(Kind.DEAL, [record], UNLIMITED)

    assert list(groups) == ["d1"]
    assert [(one.index, event_bytes(one.record, one.index)) for one in refused] == [(1, bad)]


def test_a_batch_that_nobody_can_read_is_refused_whole():
    record = Record("crm.deals", 0, 5, None, b'[{"a": 1}, nope')

    _, refused = read_events(Kind.DEAL, [record], UNLIMITED)

    assert [event_bytes(one.record, one.index) for one in refused] == [record.value]


def test_a_record_that_is_no_link_is_refused_and_the_others_are_read():
    link = Link(Kind.LEAD, "l1", Kind.DEAL, "d1", WON, 5, 1)
    records = [Record("links", 0, n, b"l1", value) for n, value in enumerate((encode_link(link), b"\xff\x00", None))]

    by_kind, refused = read_links(records)

    assert {kind: list(groups) for kind, groups in by_kind.items()} == {Kind.LEAD: ["l1"]}
    assert [one.refusal.reason for one in refused] == [BAD_LINK, BAD_LINK]


def test_what_is_new_is_applied_and_a_repeat_is_unchanged(story):
    created = story("deal.created d1", "2026-10-05 09:00", rep_id="ada", stage="Qualify")
    won = story("deal.won d1", "2026-10-06 09:00", amount=100)

    change, tally = fold(None, created, won, created)

    assert (tally.applied, tally.unchanged, tally.refused) == (2, 1, [])
    assert change.row is not None
    assert change.before is None
    assert change.after == DealFold().contribution("d1", DealFold().decode(change.row), CONTEXT)


def test_a_repeat_alone_writes_nothing(story):
    created = story("deal.created d1", "2026-10-05 09:00", rep_id="ada")
    row = fold(None, created)[0].row

    change, tally = fold(row, created)

    assert (change.row, change.after, change.links, tally.unchanged) == (None, None, [], 1)


def test_a_redelivered_repeat_writes_its_row_again_and_tells_its_links_again(story):
    created = story("deal.created d1", "2026-10-05 09:00", rep_id="ada", lead_id="l1")
    first, _ = fold(None, created)

    again, tally = fold(first.row, created, seen_before=always)

    assert (again.row, again.links, again.after) == (first.row, first.links, None)
    assert first.links != []
    assert tally.unchanged == 1


def test_a_link_that_was_told_before_is_told_again_only_after_a_redelivery(story):
    created = story("call.completed c1", "2026-10-05 09:00", rep_id="ada", lead_id="l1")
    row = fold(None, created)[0].row
    other = story("call.completed c1", "2026-10-05 10:00", rep_id="bob")

    told_new = fold(row, other)[0].links
    told_all = fold(row, created, other, seen_before=always)[0].links

    assert told_new == told_all == FOLDS[Kind.CALL].links("c1", FOLDS[Kind.CALL].decode(fold(row, other)[0].row))


def test_an_event_known_from_elsewhere_tells_its_links_again(story):
    """Its row came with the changelog from a worker that died before its links were out: no mark here says so."""
    created = story("call.completed c1", "2026-10-05 09:00", rep_id="ada", lead_id="l1")
    first, _ = fold(None, created)

    again, _ = fold(first.row, created)

    assert (again.row, again.links) == (None, first.links)
    assert first.links != []


class Touchy(DealFold):
    """A fold with a fault: it cannot stand one customer."""

    def contribution(self, subject, state, context):
        if any("Trouble" in str(step) for step in state.history):
            raise ZeroDivisionError("a fault")
        return super().contribution(subject, state, context)

    def difference(self, subject, state, known, context):
        return None  # it cannot take the short way either


def test_an_event_that_makes_the_fold_raise_is_refused_and_the_others_of_its_entity_are_applied(story):
    created = story("deal.created d1", "2026-10-05 09:00", rep_id="ada")
    trouble = story("deal.updated d1", "2026-10-05 10:00", customer="Trouble")
    won = story("deal.won d1", "2026-10-06 09:00", amount=100)

    change, tally = fold(None, created, trouble, won, folds=Touchy())

    assert change == fold(None, created, won)[0]
    assert (tally.applied, tally.unchanged) == (2, 0)
    (refused,) = tally.refused
    assert (refused.record.offset, refused.refusal.reason) == (1, FOLD_FAILED)
    assert refused.refusal.detail.startswith("ZeroDivisionError in test_chunk_fold.py, line ")
    assert "a fault" not in refused.refusal.detail  # it might quote the event


def test_a_fault_on_a_row_that_is_there_keeps_what_it_contributed_before(story):
    row = fold(None, story("deal.created d1", "2026-10-05 09:00", rep_id="ada"))[0].row
    trouble = story("deal.updated d1", "2026-10-05 10:00", customer="Trouble")
    won = story("deal.won d1", "2026-10-06 09:00", amount=100)

    change, tally = fold(row, trouble, won, folds=Touchy())

    assert change.before == DealFold().contribution("d1", DealFold().decode(row), CONTEXT)
    assert change.after == DealFold().contribution("d1", DealFold().decode(fold(row, won)[0].row), CONTEXT)
    assert (tally.applied, len(tally.refused)) == (1, 1)


def test_an_event_that_would_make_its_row_too_large_is_refused(story, monkeypatch):
    monkeypatch.setattr("funnelwatch.agents.engine.chunk_fold.ROW_BYTES_MAX", 200)
    small = story("deal.created d1", "2026-10-05 09:00", rep_id="ada")
    large = story("deal.updated d1", "2026-10-05 10:00", customer="x" * 300)

    change, tally = fold(None, small, large)

    assert change.row == fold(None, small)[0].row
    assert [one.refusal.reason for one in tally.refused] == [ROW_TOO_LARGE]


def test_a_damaged_row_is_no_events_fault(story):
    created = story("deal.created d1", "2026-10-05 09:00")

    with pytest.raises(Exception, match="MessagePack"):
        fold(b"\xc1", created)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_chunk_cut_anywhere_gives_the_same_row_and_every_event_is_counted_once(data):
    kind = data.draw(st.sampled_from(list(Kind)))
    drawn = data.draw(st.lists(strategies.events(kind), min_size=1, max_size=12))
    events = [event for event in drawn if event.subject == drawn[0].subject]
    cut = data.draw(st.integers(0, len(events)))

    whole, tally = fold(None, *events)
    row, counted = None, 0
    for part in (events[:cut], events[cut:]):
        if part:
            change, some = fold(row, *part)
            row = change.row or row
            counted += some.applied + some.unchanged + len(some.refused)

    assert row == whole.row
    assert counted == tally.applied + tally.unchanged + len(tally.refused) == len(events)


def test_event_bytes_of_a_message_with_one_event_are_the_messages_own():
    value = json.dumps({"any": "thing"}).encode()

    assert event_bytes(Record("crm.deals", 0, 0, None, value), None) == value
