"""Reps, rule by rule. Each docstring quotes `docs/figures.md`."""

from __future__ import annotations

from functools import partial

from support.stories import Story, event, hour

from funnelwatch.schemas.events import Benchmarks, Kind, Quota
from funnelwatch.streams.cells import RepRecord

at = partial(event, Kind.REP)


def record(*events):
    rep, item = Story(Kind.REP, *events).item

    assert rep == "x"
    return item


def test_a_record_is_what_was_said_last_of_each_field():
    """A field has the value of the last event, in that order, that sets it."""
    said = record(
        at(1, "upserted", name="Ada L.", active=False, timezone="Asia/Tehran"),
        at(0, "upserted", name="Ada", team="north", manager="Mo", active=True),
    )

    assert said == RepRecord(
        name="Ada L.",
        manager="Mo",
        active=False,
        removed=False,
        zone="Asia/Tehran",
        teams=((hour(0), "north"),),
        quotas={},
        outreach_per_day=None,
        conversion_rate=None,
    )


def test_a_rep_is_active_until_said_otherwise():
    """`active` is true until said otherwise."""
    assert record(at(0, "upserted")).active is True


def test_quotas_are_set_month_by_month():
    """`quotas` is a field per month …; the quota of a month is replaced whole."""
    said = record(
        at(0, "upserted", quotas={"2026-11": Quota(10, "IRR", 3), "2026-12": Quota(20)}),
        at(1, "upserted", quotas={"2026-11": Quota(30)}),
    )

    assert said.quotas == {"2026-11": (30, "EUR", None), "2026-12": (20, "EUR", None)}


def test_benchmarks_are_set_one_by_one():
    """`benchmarks` a field per member."""
    said = record(
        at(0, "upserted", benchmarks=Benchmarks(outreach_per_day=40.0, conversion_rate=0.5)),
        at(1, "upserted", benchmarks=Benchmarks(conversion_rate=0.25)),
    )

    assert (said.outreach_per_day, said.conversion_rate) == (40.0, 0.25)


def test_team_history_is_kept_from_change_to_change():
    """Team on a day: the last `team` set at an instant before the end of that local day."""
    said = record(
        at(0, "upserted", team="north"),
        at(1, "upserted", team="north"),
        at(2, "upserted", team="south", identity="b"),
        at(2, "upserted", team="west", identity="c"),
        at(3, "upserted", name="Ada"),
    )

    assert said.teams == ((hour(0), "north"), (hour(2), "south"), (hour(2), "west"))


def test_a_removed_rep_keeps_the_team_history_and_comes_back_with_an_upsert():
    """`rep.removed` makes a rep inactive and unlisted …; a later `rep.upserted` brings the rep back."""
    before = (at(0, "upserted", team="north", active=True), at(1, "removed"))
    gone, back = record(*before), record(*before, at(2, "upserted"))

    assert (gone.active, gone.removed, gone.teams) == (False, True, ((hour(0), "north"),))
    assert (back.active, back.removed) == (True, False)


def test_no_rep_is_forgotten():
    """A rep, also a removed one, never is."""
    present, removed = (Story(Kind.REP, at(0, "upserted"), *more) for more in ((), (at(1, "removed"),)))

    assert present.fold.forgettable(present.state, hour(9)) is False
    assert removed.fold.forgettable(removed.state, hour(9)) is False
