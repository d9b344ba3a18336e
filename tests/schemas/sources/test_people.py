"""The table of people: every form is found in every spelling, and everything that is wrong is told at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from funnelwatch.schemas.problems import ConfigurationError
from funnelwatch.schemas.sources.people import People, Person, key_of, parse

TABLE = """
[[people]]
rep = "sara"
ids = ["hubspot:42", "Sara@Firm.Example", "ext:101", "tel:+98 (21) 9130-5588"]

[[people]]
rep = "reza"
ids = ["hubspot:43", "ext:102", "simotel:101"]
"""


@pytest.mark.parametrize(
    ("asked", "rep"),
    [
        ("hubspot:42", "sara"),
        ("HubSpot:42", "sara"),
        ("SARA@firm.example", "sara"),
        (" sara@firm.example ", "sara"),
        ("ext:101", "sara"),
        ("ext: 101", "sara"),
        ("ext:۱۰۱", "sara"),
        ("tel:+982191305588", "sara"),
        ("tel:00982191305588", "sara"),
        ("tel:+98\u200e21 9130 5588", "sara"),
        ("simotel:101", "reza"),
        ("hubspot:44", None),
        ("ext:103", None),
        ("nobody", None),
        ("", None),
        ("ext:", None),
        (":", None),
    ],
)
def test_an_id_is_found_however_it_is_spelt(asked, rep):
    assert parse(TABLE).rep_of(asked) == rep


def test_the_first_id_that_is_known_decides():
    people = parse(TABLE)

    assert people.rep_of("simotel:101", "ext:101") == "reza"
    assert people.rep_of("asterisk:101", "ext:101") == "sara"
    assert people.rep_of("gong:9", "?", "ext:102") == "reza"
    assert people.rep_of() is None


def test_an_id_of_a_system_keeps_its_case():
    people = People([Person("sara", ("salesforce:0051N000005WXyz",))])

    assert people.rep_of("salesforce:0051N000005WXyz") == "sara"
    assert people.rep_of("salesforce:0051n000005wxyz") is None


def test_everything_that_is_wrong_is_listed_at_once():
    text = """
[[people]]
rep = ""
ids = ["hubspot:42"]
[[people]]
rep = "sara"
ids = ["HUBSPOT:42", "sara", "ext:abc", "tel:0219130", "hubspt:1", "sara@firm.example", "hubspot:", "SARA@FIRM.example"]
[[people]]
rep = "sara"
ids = []
"""
    with pytest.raises(ConfigurationError) as raised:
        parse(text, systems=("hubspot",))

    told = {problem.path: problem.message for problem in raised.value.problems}
    assert set(told) == {
        "people[0].rep",
        "people[1].ids[0]",
        "people[1].ids[1]",
        "people[1].ids[2]",
        "people[1].ids[3]",
        "people[1].ids[4]",
        "people[1].ids[6]",
        "people[1].ids[7]",
        "people[2].rep",
        "people[2].ids",
    }
    assert "the same as people[0].ids[0]" in told["people[1].ids[0]"]
    assert "did you mean 'hubspot'?" in told["people[1].ids[4]"]
    assert "the same as people[1].ids[5]" in told["people[1].ids[7]"]
    assert "people[1]" in told["people[2].rep"]


@pytest.mark.parametrize("text", ["people = 3", "[[persons]]", "[[people]]\nid = 'x'", "[[people", "\x00"])
def test_what_is_no_table_is_a_problem_with_a_reason(text):
    with pytest.raises(ConfigurationError, match="cannot be read"):
        parse(text)


def test_an_empty_table_knows_nobody():
    assert parse("").rep_of("hubspot:42") is None
    assert len(parse("")) == 0


@given(st.text())
def test_any_text_of_another_system_is_found_or_unknown(text):
    assert parse(TABLE).rep_of(text) in {None, "sara", "reza"}


@given(st.text())
def test_a_key_is_the_key_of_itself(text):
    try:
        key = key_of(text)
    except ValueError:
        return

    assert key_of(key) == key
