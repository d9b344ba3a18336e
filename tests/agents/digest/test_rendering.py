"""The mail: both languages, escaped, links that are links."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import msgspec
import pytest
from msgspec.structs import replace
from support.mornings import SETTINGS, alert, morning

from funnelwatch.agents.digest.rendering import render
from funnelwatch.agents.digest.words import EN, FA, Writing
from funnelwatch.schemas.alerting import DigestSettings
from funnelwatch.schemas.settings import BoardSettings

HOSTILE = "<script>alert(1)</script>\"'&"
PUBLIC = replace(SETTINGS, board=BoardSettings(public_url="https://sales.example.com/"))


class Page(HTMLParser):
    """Tags and links of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in {"href", "src"}]


@pytest.mark.parametrize(("language", "words", "direction"), [("en", EN, "ltr"), ("fa", FA, "rtl")])
def test_all_of_it_is_there_in_both_languages(language, words, direction):
    held = alert("crm:1", withheld=True)
    mail = render(morning(alerts=(held, alert("crm:2", detector="funnel_stalled"))), PUBLIC, language)

    assert f'<html lang="{language}" dir="{direction}">' in mail.html
    for part in (mail.html, mail.text):
        for name in ("help", "alerts", "withheld", "recordings", "against"):
            assert words[name] in part, name
        assert "Sara Karimi" in part
    assert words["detectors"]["funnel_stalled"] in mail.html
    assert len(Page(mail.html).links) > 6


def test_persian_has_its_digits_and_the_calendar_of_the_organisation():
    mail = render(morning(), PUBLIC, "fa")
    shown = re.sub("<[^>]*>", "", mail.html)

    assert "پنجشنبه ۲۸ آبان ۱۴۰۵" in mail.text
    assert "جمعه ۲۹ آبان ۱۴۰۵" in mail.subject
    assert not re.search("[0-9]", shown), "no foreign digit in the text"
    assert "Thursday 28 Aban 1405" in render(morning(), PUBLIC, "en").text


def test_nothing_from_outside_becomes_markup():
    digest = morning(change=lambda row: replace(row, name=HOSTILE, team=HOSTILE), alerts=(alert(name=HOSTILE),))
    digest = replace(digest, manager=HOSTILE, organisation=HOSTILE)
    page = Page(render(digest, PUBLIC, "en").html)

    assert "script" not in page.tags
    assert "svg" not in page.tags
    assert set(page.tags) == set(Page(render(morning(alerts=(alert(),)), PUBLIC, "en").html).tags)


def test_a_recording_is_linked_only_if_it_is_on_the_web():
    digest = morning()
    bad = "javascript:alert(1)"
    spoilt = msgspec.structs.replace(
        digest,
        recordings=[replace(one, recording=replace(one.recording, url=bad)) for one in digest.recordings],
    )

    assert "https://pbx.example/recordings/crm:1/0.mp3" in Page(render(digest, PUBLIC, "en").html).links
    assert all(link.startswith("https://sales.example.com/") for link in Page(render(spoilt, PUBLIC, "en").html).links)


def test_a_rep_is_linked_under_the_public_address():
    mail = render(morning(), PUBLIC, "fa")

    assert 'href="https://sales.example.com/reps/crm%3A1?lang=fa"' in mail.html
    assert "https://sales.example.com/?lang=fa" in mail.text


def test_so_many_reps_are_shown_and_the_others_are_counted():
    few = replace(PUBLIC, digest=DigestSettings(reps_max=2))
    mail = render(morning(), few, "en")

    assert "and 4 more on the page" in mail.html
    assert mail.html.count("https://sales.example.com/reps/") == 2


def test_a_quiet_morning_says_so():
    digest = replace(morning(change=lambda row: replace(row, reasons=[])), recordings=[])

    for language, words in (("en", EN), ("fa", FA)):
        html = render(digest, PUBLIC, language).html
        assert words["nobody"] in html
        assert words["no_recordings"] in html
        assert words["no_alerts"] in html


def test_both_languages_say_the_same_things():
    assert EN.keys() == FA.keys()
    assert EN["reasons"].keys() == FA["reasons"].keys()
    assert EN["detectors"].keys() == FA["detectors"].keys()
    assert Writing("de", "gregorian").language == "en"
