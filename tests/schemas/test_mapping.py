"""A mapping is checked before any row is read, and says everything that is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from funnelwatch.schemas.mapping import parse
from funnelwatch.schemas.problems import ConfigurationError

SHIPPED = Path(__file__).parents[2] / "schemas" / "mappings"
GOOD = """
source = "import/x"
[[files]]
name = "f"
[[files.events]]
type = "deal.won"
subject = "id"
time = "at"
"""


def told(text):
    with pytest.raises(ConfigurationError) as raised:
        parse(text)
    return {problem.path: problem.message for problem in raised.value.problems}


@pytest.mark.parametrize("name", sorted(path.stem for path in SHIPPED.glob("*.toml")))
def test_the_mappings_that_ship_can_be_used(name):
    mapping = parse((SHIPPED / f"{name}.toml").read_text("utf-8"))

    assert {event.kind for rule in mapping.files for event in rule.events}
    assert len({rule.name for rule in mapping.files}) == len(mapping.files)


def test_columns_are_all_that_conditions_and_values_name():
    mapping = parse(
        GOOD
        + """
id = { template = "{id}-{no}" }
when = [{ column = "state", is = "won" }]
[files.events.data]
rep_id = { join = "people", key = "who", column = "mail" }
stage = { constant = "Won" }
[[joins]]
name = "people"
key = "no"
columns = ["mail"]
"""
    )

    assert mapping.files[0].columns == {"id", "no", "at", "state", "who"}
    assert mapping.files[0].joins == {"people"}


def test_all_problems_are_told_at_once():
    problems = told(
        """
source = ""
zone = "Mars/Base"
times = ["%Q", "soon", "jalali %Y"]
money = { decimal = ",", group = "," }
[[files]]
name = "f"
delimiter = "ab"
encoding = "utf-9"
times = ["%Y-%m-%d", "x"]
[[files.events]]
type = "deal.one"
subject = "id"
time = "at"
[[files.events]]
type = "deal.won"
subject = { column = "id", constant = "x" }
time = { template = "{at" }
quota = { month = "m" }
[files.events.data]
stages = "s"
rep_id = { join = "peeple", key = "who", column = "mail" }
lead_id = { join = "people", column = "phone" }
[[joins]]
name = "people"
key = "no"
columns = ["mail"]
"""
    )

    assert sorted(problems) == sorted(
        [
            *("source", "zone", "times[0]", "times[1]", "money.group"),
            *("files[0].delimiter", "files[0].encoding", "files[0].times[1]"),
            *("files[0].events[0].type", "files[0].events[1].subject", "files[0].events[1].time.template"),
            *("files[0].events[1].quota", "files[0].events[1].data.stages", "files[0].events[1].data.rep_id.join"),
            *("files[0].events[1].data.lead_id.key", "files[0].events[1].data.lead_id.column"),
        ]
    )
    assert problems["files[0].events[0].type"].endswith("did you mean 'deal.won'?")
    assert problems["files[0].events[1].data.stages"].endswith("did you mean 'stage'?")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("=", "cannot be read"),
        ("source = 5\nfiles = []", "cannot be read"),
        (GOOD + 'colour = "red"', "colour"),
        ('source = "x"\nfiles = []', "at least one rule"),
    ],
)
def test_what_is_no_mapping_is_refused(text, part):
    assert part in str(told(text))


def test_the_example_of_the_documentation_can_be_used():
    guide = (SHIPPED.parents[1] / "docs" / "importing.md").read_text("utf-8")
    example = guide.partition("```toml\n")[2].partition("```")[0]

    assert parse(example).files[0].columns == {"No", "Status", "Sum", "Owner", "Closed", "Product"}
