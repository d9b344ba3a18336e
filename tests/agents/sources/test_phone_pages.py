"""The pages of the telephone systems: their configuration is taken, and their samples become what the page says."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from support.samples_phones import THREECX, options, posted

from funnelwatch.agents.gateway.trying import tried
from funnelwatch.schemas.configuration import load
from funnelwatch.schemas.sources.phones import SYSTEMS
from funnelwatch.schemas.sources.phones.threecx import SYSTEM as THREECX_SYSTEM

PAGES = Path(__file__).parents[3] / "docs" / "sources"
NAMES = sorted(system.page for system in SYSTEMS)
SAMPLE = re.compile(
    r"```(?P<kind>json|csv|form)\n(?P<body>[^`]*)```\n\n`funnelwatch sources test (?P<name>\S+)[^`]*` says:\n\n"
    r"```text\n(?P<says>.*?)```",
    re.DOTALL,
)
BLOCK = re.compile(r"^ *```toml\n(.*?)```", re.DOTALL | re.MULTILINE)
TYPES = {"json": "application/json", "csv": "text/csv", "form": "application/x-www-form-urlencoded"}


def page(name):
    return (PAGES / name).read_text("utf-8")


def settings_of(name):
    return load("\n".join(BLOCK.findall(page(name))), {})[0]


@pytest.mark.parametrize("name", [*NAMES, "calls.md"])
def test_the_configuration_of_a_page_is_taken(name):
    assert settings_of(name)


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_becomes_what_its_page_says(name):
    settings = settings_of(name)
    sources = {source.name: source for source in settings.sources}
    samples = list(SAMPLE.finditer(page(name)))

    assert samples
    for sample in samples:
        headers = {"content-type": TYPES[sample["kind"]]}
        lines, _ = tried(settings, sources[sample["name"]], "POST", "", headers, sample["body"].strip().encode())
        assert sample["says"].splitlines() == lines


def test_the_template_for_3cx_sends_what_the_translator_reads():
    template = ET.parse(PAGES / "3cx-template.xml").getroot()
    report = template.find("Scenarios/Scenario[@Id='ReportCall']/Request")
    names = {value.get("Key") for value in report.iter("Value")}

    assert set(THREECX) <= names
    filled = {name: THREECX.get(name, "") for name in names}
    assert THREECX_SYSTEM.translate(posted(filled), options("3cx")) == THREECX_SYSTEM.translate(
        posted(THREECX), options("3cx")
    )


def test_every_telephone_system_is_on_the_list_of_systems():
    listed = page("index.md")

    for system in SYSTEMS:
        assert f"| `{system.name}` |" in listed
        assert f"[{system.page}]({system.page})" in listed
