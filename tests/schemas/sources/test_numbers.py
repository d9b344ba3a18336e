"""Numbers are compared by the telephone they reach, not by how they are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from funnelwatch.schemas.sources.numbers import comparable, country_exists

IRAN = ("09331112233", "+98 933 111 2233", "00989331112233", "9331112233", "۰۹۳۳۱۱۱۲۲۳۳", "(0933) 111-2233")


@pytest.mark.parametrize("country", ["IR", ""])
def test_national_and_international_spellings_are_one(country):
    assert len({comparable(text, country) for text in IRAN}) == 1


def test_a_numbering_plan_tells_numbers_of_two_countries_apart():
    assert comparable("+45 12 34 56 78", "DK") == comparable("12 34 56 78", "DK") == "+4512345678"
    assert comparable("+1 933 111 2233", "IR") != comparable("09331112233", "IR")
    assert comparable("+1 933 111 2233") == comparable("09331112233")  # nine digits are all there is to go by


@pytest.mark.parametrize("text", ["", "anonymous", "Unknown", "+", "<unknown>"])
def test_who_hides_the_number_has_none(text):
    assert comparable(text, "IR") == comparable(text) == ""


def test_a_short_number_is_compared_whole():
    assert comparable("1818", "IR") == "1818"


@given(st.text(max_size=100), st.sampled_from(["", "IR", "US"]))
def test_any_text_has_one_spelling_and_that_is_its_own(text, country):
    found = comparable(text, country)

    assert comparable(found, country) == found


def test_countries():
    assert country_exists("IR")
    assert not country_exists("XX")
