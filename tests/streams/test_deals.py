"""Deals, rule by rule. Each docstring quotes `docs/figures.md`."""

from __future__ import annotations

from functools import partial

from support.stories import HOUR_US, Story, event, hour, touch

from funnelwatch.schemas.events import Kind
from funnelwatch.streams.cells import LostDeal, OpenDeal

at = partial(event, Kind.DEAL)
deal = partial(Story, Kind.DEAL)


def test_a_deal_is_created_by_its_first_event_whatever_its_type():
    """*Creation* is the time of the deal's first event, of whatever type. Credit: owner at creation."""
    story = deal(at(2, "created", rep_id="bob"), at(1, "updated", rep_id="ada"))

    assert story.sums("created") == {("ada", "created", "default"): 1}
    assert story.when("created") == [1]


def test_who_owned_it_before_anybody_was_named_is_whoever_was_named_first():
    """If none is set until then: the first one set afterwards."""
    story = deal(at(0, "created", stage="Demo"), at(1, "assigned", rep_id="ada"), at(2, "assigned", rep_id="bob"))

    assert story.sums("created", "entered") == {
        ("ada", "created", "default"): 1,
        ("ada", "entered", "default", "Demo"): 1,
    }


def test_nobody_owns_what_was_never_given_to_anybody():
    """If none ever is: the rep `""` (nobody)."""
    story = deal(at(0, "created"), at(1, "won"))

    assert story.sums("created", "won") == {("", "created", "default"): 1, ("", "won", "default", "EUR"): 1}


def test_a_move_ends_one_sojourn_and_begins_another():
    """The present sojourn ends now, *how* being `forward` or `back` by the order of the configured stages."""
    story = deal(
        at(0, "created", rep_id="ada", stage="Qualify"),
        at(2, "stage_changed", stage="Offer"),
        at(3, "stage_changed", stage="Demo"),
    )

    assert story.sums("entered", "left", "advance") == {
        ("ada", "entered", "default", "Qualify"): 1,
        ("ada", "left", "default", "Qualify", "forward"): 1,
        ("ada", "advance", "default"): 1,
        ("ada", "entered", "default", "Offer"): 1,
        ("ada", "left", "default", "Offer", "back"): 1,
        ("ada", "entered", "default", "Demo"): 1,
    }
    assert story.sums("work_us") == {
        ("ada", "work_us", "default", "Qualify"): 2 * HOUR_US,
        ("ada", "work_us", "default", "Offer"): HOUR_US,
    }


def test_nights_are_wall_time_and_no_working_time():
    """The sojourn's working time is measured in the **organisation's** calendar."""
    story = deal(at(7, "created", rep_id="ada", stage="Qualify"), at(25, "stage_changed", stage="Demo"))

    assert story.sums("work_us", "wall_us") == {
        ("ada", "work_us", "default", "Qualify"): 2 * HOUR_US,
        ("ada", "wall_us", "default", "Qualify"): 18 * HOUR_US,
    }


def test_a_late_event_takes_its_place_in_between():
    """A@1 A@3 followed by a late B@2 is A B A."""
    late = at(2, "stage_changed", stage="Demo")
    story = deal(at(1, "created", rep_id="ada", stage="Qualify"), at(3, "stage_changed", stage="Qualify"), late)

    assert story.sums("entered") == {
        ("ada", "entered", "default", "Qualify"): 2,
        ("ada", "entered", "default", "Demo"): 1,
    }


def test_the_same_stage_again_is_no_move():
    """Setting the same stage and pipeline again is no move."""
    story = deal(
        at(0, "created", rep_id="ada", stage="Demo"), at(1, "updated", stage="Demo", pipeline="default", amount=1)
    )

    assert story.sums("entered", "left") == {("ada", "entered", "default", "Demo"): 1}


def test_to_a_stage_without_a_place_in_the_order_is_other():
    """`forward` or `back` … if both stages are configured in the same pipeline …, else `other`."""
    story = deal(
        at(0, "created", rep_id="ada", stage="Demo"),
        at(1, "stage_changed", stage="Limbo"),
        at(2, "stage_changed", stage="Offer"),
    )

    assert story.sums("left", "advance") == {
        ("ada", "left", "default", "Demo", "other"): 1,
        ("ada", "left", "default", "Limbo", "other"): 1,
    }


def test_another_pipeline_is_a_move_even_without_a_stage():
    """A pipeline change that names no stage keeps the stage's name."""
    story = deal(at(0, "created", rep_id="ada", stage="Demo"), at(1, "updated", pipeline="partner"))

    assert story.sums("entered", "left") == {
        ("ada", "entered", "default", "Demo"): 1,
        ("ada", "left", "default", "Demo", "other"): 1,
        ("ada", "entered", "partner", "Demo"): 1,
    }


def test_a_deal_without_a_stage_has_no_sojourn_but_is_open():
    """A deal that never had a stage is in stage `""`: that is no sojourn …, but it is shown among the open deals."""
    story = deal(at(0, "created", rep_id="ada"), at(1, "updated", pipeline="partner"))
    rep, item = story.item

    assert story.sums("entered", "left") == {}
    assert (rep, item.stage, item.pipeline, item.entered_at) == ("ada", "", "partner", hour(0))


def test_an_empty_stage_is_no_stage():
    """An empty text as `stage` or `pipeline` is as if it had been left out."""
    story = deal(at(0, "created", rep_id="ada", stage="Demo"), at(1, "updated", stage="", pipeline=""))

    assert story.item[1].stage == "Demo"
    assert story.sums("entered", "left") == {("ada", "entered", "default", "Demo"): 1}


def test_a_closing_label_is_not_entered():
    """If it is not configured it is a closing label (`Closed Won`): it is not entered."""
    story = deal(at(0, "created", rep_id="ada", stage="Offer"), at(1, "won", stage="Closed Won"))

    assert story.sums("entered", "left", "advance") == {
        ("ada", "entered", "default", "Offer"): 1,
        ("ada", "left", "default", "Offer", "won"): 1,
        ("ada", "advance", "default"): 1,
    }


def test_a_closing_label_is_the_stage_of_a_deal_that_had_none():
    """Unless the deal has no stage yet, then it becomes the stage without a sojourn."""
    story = deal(at(0, "created", rep_id="ada"), at(1, "lost", stage="Closed Lost"))

    assert story.sums("entered", "left", "lost") == {("ada", "lost", "default", "EUR", "Closed Lost", ""): 1}


def test_a_configured_stage_on_a_close_is_a_move_first():
    """If … that stage is configured in the deal's pipeline, it is a move first, then the close."""
    story = deal(at(0, "created", rep_id="ada", stage="Demo"), at(1, "won", stage="Offer"))

    assert story.sums("entered", "left", "advance") == {
        ("ada", "entered", "default", "Demo"): 1,
        ("ada", "left", "default", "Demo", "forward"): 1,
        ("ada", "entered", "default", "Offer"): 1,
        ("ada", "left", "default", "Offer", "won"): 1,
        ("ada", "advance", "default"): 2,
    }


def test_a_pipeline_on_a_close_is_a_move_first():
    """A `pipeline` that a close sets on an open deal is a move (rule 1) before the close, whatever its `stage`."""
    story = deal(at(0, "created", rep_id="ada", stage="Demo"), at(1, "won", pipeline="partner", stage="Closed Won"))

    assert story.sums("left", "won") == {
        ("ada", "left", "default", "Demo", "other"): 1,
        ("ada", "left", "partner", "Demo", "won"): 1,
        ("ada", "won", "partner", "EUR"): 1,
    }


def test_a_second_close_restates_the_outcome_and_nothing_else():
    """A close of a closed deal begins or ends no sojourn but restates the outcome, its time and its owner."""
    story = deal(
        at(0, "created", rep_id="ada", stage="Demo", amount=50_000),
        at(1, "won"),
        at(2, "lost", rep_id="bob", lost_reason="price", stage="Offer"),
    )

    assert story.sums("won", "lost", "lost_amount", "left", "entered", "advance") == {
        ("ada", "entered", "default", "Demo"): 1,
        ("ada", "left", "default", "Demo", "won"): 1,
        ("ada", "advance", "default"): 1,
        ("bob", "lost", "default", "EUR", "Offer", "price"): 1,
        ("bob", "lost_amount", "default", "EUR", "Offer", "price"): 50_000,
    }
    assert story.item == ("bob", LostDeal(hour(2), "default", "Offer", "price", "EUR", 50_000))


def test_a_closing_label_on_a_closed_deal_is_ignored():
    """… sets the field if it is configured or the deal has none, and is ignored otherwise."""
    story = deal(at(0, "created", rep_id="ada", stage="Demo"), at(1, "lost"), at(2, "lost", stage="Closed Lost"))

    assert story.sums("lost") == {("ada", "lost", "default", "EUR", "Demo", ""): 1}


def test_a_stage_set_after_the_close_is_no_sojourn():
    """**Closed deals**: a `stage` … set by an event other than a close changes the field, without a sojourn."""
    story = deal(
        at(0, "created", rep_id="ada", stage="Demo"),
        at(1, "lost"),
        at(2, "updated", stage="Offer"),
        at(3, "reopened"),
    )

    assert story.sums("entered") == {
        ("ada", "entered", "default", "Demo"): 1,
        ("ada", "entered", "default", "Offer"): 1,
    }
    assert story.item[1].entered_at == hour(3)


def test_a_deal_that_was_won_and_reopened_is_not_won():
    """A closed deal is open again; a sojourn in its stage … begins."""
    story = deal(at(0, "created", rep_id="ada", stage="Offer"), at(1, "won"), at(2, "reopened"))

    assert story.sums("won", "entered") == {("ada", "entered", "default", "Offer"): 2}
    assert story.item == (
        "ada",
        OpenDeal(
            pipeline="default",
            stage="Offer",
            currency="EUR",
            amount=None,
            created_at=hour(0),
            entered_at=hour(2),
            owned_since=hour(2),
            touched_at=hour(2),
            snoozed_until=None,
            customer=None,
        ),
    )


def test_a_deal_won_again_counts_once_at_the_last_win():
    """If won again it counts once."""
    story = deal(
        at(0, "created", rep_id="ada", stage="Offer"),
        at(1, "won"),
        at(2, "reopened", rep_id="bob"),
        at(3, "won"),
    )

    assert story.sums("won", "advance") == {
        ("bob", "won", "default", "EUR"): 1,
        ("ada", "advance", "default"): 1,
        ("bob", "advance", "default"): 1,
    }
    assert story.when("won") == [3]
    assert story.contribution.advances == {"ada": hour(1), "bob": hour(3)}


def test_reopening_an_open_deal_only_sets_fields():
    """On an open deal it only sets fields."""
    story = deal(at(0, "created", rep_id="ada", stage="Qualify"), at(1, "reopened", stage="Demo", amount=7))

    assert story.sums("entered", "left") == {
        ("ada", "entered", "default", "Qualify"): 1,
        ("ada", "left", "default", "Qualify", "forward"): 1,
        ("ada", "entered", "default", "Demo"): 1,
    }
    assert story.item[1].owned_since == hour(0)


def test_being_created_again_does_not_reopen():
    """`deal.created` or any other type does not reopen."""
    story = deal(at(0, "created", rep_id="ada"), at(1, "won"), at(2, "created", stage="Demo"))

    assert story.sums("won", "entered") == {("ada", "won", "default", "EUR"): 1}


def test_a_sojourn_is_credited_to_who_had_it_and_the_next_to_who_gets_it():
    """*Credit of a sojourn*: the owner just before the event that ended it; of `entered` …: the owner after."""
    story = deal(
        at(0, "created", rep_id="ada", stage="Qualify"),
        at(1, "assigned", rep_id="bob"),
        at(2, "stage_changed", rep_id="cem", stage="Demo"),
    )

    assert story.sums("left", "entered", "advance") == {
        ("ada", "entered", "default", "Qualify"): 1,
        ("bob", "left", "default", "Qualify", "forward"): 1,
        ("cem", "entered", "default", "Demo"): 1,
        ("cem", "advance", "default"): 1,
    }
    assert story.item[1].owned_since == hour(2)


def test_being_assigned_to_its_owner_again_is_nothing_new():
    """The event at which the present owner became owner (from another one)."""
    story = deal(at(0, "created", rep_id="ada"), at(1, "assigned", rep_id="ada"))

    assert story.item[1].owned_since == hour(0)


def test_a_price_that_changes_after_the_win_restates_the_win():
    """A deal re-priced after its win restates the win."""
    story = deal(
        at(0, "created", rep_id="ada", amount=10_000),
        at(1, "won"),
        at(50, "updated", amount=30_000, currency="IRR"),
    )

    assert story.sums("won", "won_amount") == {
        ("ada", "won", "default", "IRR"): 1,
        ("ada", "won_amount", "default", "IRR"): 30_000,
    }
    assert story.when("won_amount") == [1]


def test_a_win_without_an_amount_counts():
    """A deal without an amount counts, and adds 0."""
    story = deal(at(0, "created", rep_id="ada"), at(1, "won"))

    assert story.sums("won", "won_amount") == {("ada", "won", "default", "EUR"): 1}


def test_the_cycle_is_working_time_from_creation_to_the_win():
    """*Cycle* (of deals that stand won): creation to that close."""
    story = deal(at(0, "created", rep_id="ada"), at(25, "won"))

    assert story.sums("cycle_us") == {("ada", "cycle_us"): 9 * HOUR_US}
    assert sum(story.sums("cycle").values()) == 1


def test_a_deleted_deal_adds_nothing_and_a_recreated_one_all_of_it():
    """A `*.deleted` event deletes; a later `*.created` … brings the entity back."""
    before = (at(0, "created", rep_id="ada", stage="Demo", lead_id="l"), at(1, "won"), at(2, "deleted"))

    assert deal(*before).contribution.sums == {}
    assert deal(*before).item is None
    assert deal(*before).contribution.advances == {}
    assert deal(*before, at(3, "updated")).contribution.sums == {}
    assert deal(*before, at(3, "created")).sums("won") == {("ada", "won", "default", "EUR"): 1}


def test_touched_is_the_later_of_the_last_event_and_the_last_touch():
    """`touched_at`: the later of its last event and its last touch."""
    events = (at(0, "created", rep_id="ada"), at(4, "updated"))

    assert deal(*events).item[1].touched_at == hour(4)
    assert deal(*events, touch(Kind.DEAL, 3)).item[1].touched_at == hour(4)
    assert deal(*events, touch(Kind.DEAL, 5)).item[1].touched_at == hour(5)
    assert deal(*events, touch(Kind.DEAL, 5), touch(Kind.DEAL, None, version=2)).item[1].touched_at == hour(4)


def test_a_touch_creates_nothing():
    """Links … never create it or own it."""
    story = deal(touch(Kind.DEAL, 1))

    assert story.contribution.sums == {}
    assert story.item is None


def test_a_won_deal_tells_its_lead_and_takes_it_back():
    """A deal with a `lead_id` … tells that lead: won at t, or not won."""
    events = [at(0, "created", rep_id="ada", lead_id="l1")]
    told = []
    for more in (at(1, "won"), at(2, "reopened"), at(3, "won"), at(4, "deleted")):
        events.append(more)
        told += [(link.target_id, link.at) for link in deal(*events).links]

    assert told == [("l1", hour(1)), ("l1", None), ("l1", hour(3)), ("l1", None)]


def test_a_deal_tells_the_lead_it_left_that_it_is_not_won():
    """A deleted deal, or one whose `lead_id` changed, tells "not won"."""
    story = deal(at(0, "created", rep_id="ada", lead_id="l1"), at(1, "won"), at(2, "updated", lead_id="l2"))

    assert [(link.target_id, link.at, link.version) for link in story.links] == [("l1", None, 3), ("l2", hour(1), 3)]


def test_only_a_closed_or_deleted_deal_is_forgotten():
    """**Forgotten** is an entity that is not open … once its last event … is older than the retention."""
    opened = (at(0, "created", rep_id="ada"),)
    closed = (*opened, at(1, "lost"))
    deleted = (*opened, at(1, "deleted"))

    for events, fate in ((opened, False), (closed, True), (deleted, True), ((*closed, at(2, "reopened")), False)):
        story = deal(*events)

        assert story.fold.forgettable(story.state, hour(9)) is fate
        assert story.fold.forgettable(story.state, hour(1)) is False
