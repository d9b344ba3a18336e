"""Leads, rule by rule. Each docstring quotes `docs/figures.md`."""

from __future__ import annotations

from functools import partial

from support.stories import HOUR_US, Story, event, hour, touch, win

from funnelwatch.schemas.events import Kind
from funnelwatch.streams.cells import OpenLead

at = partial(event, Kind.LEAD)
lead = partial(Story, Kind.LEAD)
CREATED = at(0, "created", rep_id="ada", channel="web")


def flow(story):
    return story.sums("entered", "left")


def test_milestones_count_at_the_last_event_of_their_type_for_the_owner_then():
    """Milestones, each at the **last** event of its type …. They count for the owner then. *Created*: first event."""
    story = lead(
        CREATED,
        at(1, "qualified"),
        at(2, "assigned", rep_id="bob"),
        at(3, "qualified"),
        at(4, "accepted", rep_id="cem"),
    )

    assert story.sums("lead") == {
        ("ada", "lead", "created"): 1,
        ("bob", "lead", "qualified"): 1,
        ("cem", "lead", "accepted"): 1,
    }
    assert story.when("lead") == [0, 3, 4]


def test_the_cohort_counts_at_the_qualification():
    """A lead whose `qualified` stands counts, at the time and for the owner of its qualification."""
    story = lead(CREATED, at(1, "qualified"), at(2, "accepted", rep_id="bob"), at(30, "converted", rep_id="cem"))

    assert story.sums("cohort") == {("ada", "cohort", "accepted"): 1, ("ada", "cohort", "converted"): 1}
    assert story.when("cohort") == [1]


def test_a_lead_accepted_without_qualification_is_in_no_cohort():
    """A lead whose `qualified` stands counts."""
    assert lead(CREATED, at(1, "accepted"), win(2)).sums("cohort") == {}


def test_the_flow_goes_forward_and_back():
    """`lead.qualified` and `lead.accepted` move to their stage (the same again is no move)."""
    story = lead(CREATED, at(1, "qualified"), at(2, "qualified"), at(3, "accepted", rep_id="bob"), at(5, "qualified"))

    assert flow(story) == {
        ("ada", "entered", "@leads", "new"): 1,
        ("ada", "left", "@leads", "new", "forward"): 1,
        ("ada", "entered", "@leads", "qualified"): 1,
        ("ada", "left", "@leads", "qualified", "forward"): 1,
        ("bob", "entered", "@leads", "accepted"): 1,
        ("bob", "left", "@leads", "accepted", "back"): 1,
        ("bob", "entered", "@leads", "qualified"): 1,
    }
    assert story.sums("advance") == {}
    assert story.item == (
        "bob",
        OpenLead(
            state="qualified",
            created_at=hour(0),
            entered_at=hour(5),
            first_touch_at=None,
            touched_at=hour(5),
            channel="web",
        ),
    )


def test_a_first_event_that_qualifies_leaves_new_at_once():
    """A sojourn in `new` begins at the first event."""
    story = lead(at(0, "qualified", rep_id="ada"))

    assert flow(story) == {
        ("ada", "entered", "@leads", "new"): 1,
        ("ada", "left", "@leads", "new", "forward"): 1,
        ("ada", "entered", "@leads", "qualified"): 1,
    }
    assert story.sums("wall_us") == {}


def test_converted_by_word_ends_the_flow_there():
    """The lead closes at its conversion instant (`won`) …: the sojourn ends there and later moves do not count."""
    story = lead(CREATED, at(1, "qualified"), at(2, "converted"), at(3, "accepted"))

    assert flow(story)["ada", "left", "@leads", "qualified", "won"] == 1
    assert ("ada", "entered", "@leads", "accepted") not in flow(story)
    assert story.sums("lead") == {
        ("ada", "lead", "created"): 1,
        ("ada", "lead", "qualified"): 1,
        ("ada", "lead", "accepted"): 1,
        ("ada", "lead", "converted"): 1,
    }
    assert story.item is None


def test_a_deal_that_is_won_earlier_than_the_word_converts():
    """*Converted* at the earlier of those that exist."""
    story = lead(CREATED, at(5, "converted"), win(3), win(2, "d2"), at(2, "assigned", rep_id="bob"))

    assert story.sums("lead")["bob", "lead", "converted"] == 1
    assert story.when("lead") == [0, 2]


def test_word_and_deal_at_one_instant_count_by_the_word():
    """(by word, if equal)."""
    story = lead(CREATED, at(2, "converted", identity="a"), at(2, "assigned", identity="b", rep_id="bob"), win(2))

    assert story.sums("lead")["ada", "lead", "converted"] == 1


def test_a_deal_that_was_reopened_does_not_convert():
    """Converted by a deal: the earliest close of a linked deal that stands won."""
    story = lead(CREATED, win(2), win(None, version=2))

    assert ("ada", "lead", "converted") not in story.sums("lead")
    assert story.item[1].state == "new"


def test_a_disqualification_stands_until_something_better_comes_later():
    """`disqualified` stands only if no `lead.qualified`, `lead.accepted` or `lead.converted` is later in the order."""
    out = lead(CREATED, at(1, "qualified"), at(2, "disqualified", rep_id="bob"))
    back_in = lead(CREATED, at(1, "qualified"), at(2, "disqualified"), at(3, "accepted"))

    assert out.sums("lead")["bob", "lead", "disqualified"] == 1
    assert flow(out)["ada", "left", "@leads", "qualified", "lost"] == 1
    assert out.item is None
    assert ("ada", "lead", "disqualified") not in back_in.sums("lead")
    assert flow(back_in)["ada", "left", "@leads", "qualified", "forward"] == 1
    assert back_in.item[1].state == "accepted"


def test_a_disqualification_takes_an_earlier_conversion_by_word_back():
    """`converted` by word: the last `lead.converted`, unless `disqualified` stands and is later."""
    story = lead(CREATED, at(1, "converted"), at(2, "disqualified"))

    assert ("ada", "lead", "converted") not in story.sums("lead")
    assert story.sums("lead")["ada", "lead", "disqualified"] == 1


def test_a_won_deal_converts_also_a_disqualified_lead():
    """Won deals convert also a disqualified lead (then `disqualified` does not stand, so that … counts again)."""
    by_deal = lead(CREATED, at(2, "disqualified"), win(3))
    by_word = lead(CREATED, at(1, "converted"), at(2, "disqualified"), win(3))

    assert by_deal.sums("lead") == {("ada", "lead", "created"): 1, ("ada", "lead", "converted"): 1}
    assert by_deal.when("lead") == [0, 3]
    assert by_word.when("lead") == [0, 1]


def test_a_conversion_by_a_deal_comes_after_the_steps_of_its_instant():
    """A conversion by a deal at t comes after the events with time ≤ t."""
    story = lead(CREATED, at(2, "accepted"), win(2))

    assert flow(story)["ada", "left", "@leads", "accepted", "won"] == 1


def test_a_conversion_before_the_first_event_leaves_no_flow():
    """A conversion before the lead's first event …: the lead's flow is then empty."""
    story = lead(at(5, "created", rep_id="ada"), win(1))

    assert flow(story) == {}
    assert story.sums("lead") == {("ada", "lead", "created"): 1, ("ada", "lead", "converted"): 1}
    assert story.when("lead") == [1, 5]


def test_first_touch_is_the_earliest_at_or_after_creation():
    """*First touch*: the earliest touch at or after creation; working time from creation to it; owner then."""
    story = lead(
        CREATED,
        at(2, "assigned", rep_id="bob"),
        touch(Kind.LEAD, 4, "c3"),
        touch(Kind.LEAD, 2, "c2"),
        touch(Kind.LEAD, -1, "c1"),
    )

    assert story.sums("touch_us") == {("bob", "touch_us"): 2 * HOUR_US}
    assert story.when("touch") == [2]
    assert (story.item[1].first_touch_at, story.item[1].touched_at) == (hour(2), hour(4))


def test_a_touch_that_was_deleted_is_none():
    """Deleted, or pointing elsewhere: no touch."""
    story = lead(CREATED, touch(Kind.LEAD, None, version=2), touch(Kind.LEAD, 1))

    assert story.sums("touch") == {}


def test_a_deleted_lead_adds_nothing():
    """An entity whose last such word is "deleted" contributes nothing."""
    story = lead(CREATED, at(1, "qualified"), at(2, "deleted"), win(3), touch(Kind.LEAD, 1))

    assert story.contribution.sums == {}
    assert story.item is None
    assert lead(CREATED, at(2, "deleted"), at(3, "created")).item[1].created_at == hour(0)


def test_a_lead_is_forgotten_only_when_all_its_figures_are_old():
    """**Forgotten** is an entity that is not open once its last event, and whatever links told it, is older."""
    stories = {
        lead(CREATED): False,
        lead(CREATED, at(1, "disqualified")): True,
        lead(CREATED, win(1)): True,
        lead(CREATED, win(9)): False,
        lead(CREATED, at(1, "deleted")): True,
        lead(touch(Kind.LEAD, 1)): True,
        lead(touch(Kind.LEAD, 9)): False,
    }

    assert [story.fold.forgettable(story.state, hour(8)) for story in stories] == list(stories.values())
