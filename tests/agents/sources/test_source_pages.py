"""The pages of the CRMs: their configuration is taken, their samples become what the page says, and none is missing."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from funnelwatch.agents.exports import load_mapping
from funnelwatch.agents.gateway.trying import tried
from funnelwatch.agents.sources.pollers import POLLERS
from funnelwatch.schemas.configuration import load
from funnelwatch.schemas.settings import SourceSettings
from funnelwatch.schemas.sources.crm import SYSTEMS

PAGES = Path(__file__).parents[3] / "docs" / "sources"
NAMES = sorted({system.page for system in SYSTEMS} | {"convergehub.md"})
SAMPLE = re.compile(
    r"```json\n(?P<body>.*?)```\n\n`funnelwatch sources test (?P<name>\S+)(?: --url \"(?P<url>[^\"]*)\")?"
    r" < payload\.json` says:\n\n```text\n(?P<says>.*?)```",
    re.DOTALL,
)
BLOCK = re.compile(r"```toml\n(.*?)```", re.DOTALL)
STAGES = (
    'pipelines = [{ name = "default", stages = [{ name = "Qualification" }, { name = "Demo" }, { name = "Offer" }] }]\n'
)


def page(name: str) -> str:
    return (PAGES / name).read_text("utf-8")


def settings_of(name: str):
    """What the configuration of a page is, beside a pipeline whose stages it speaks of."""
    return load(STAGES + "\n".join(BLOCK.findall(page(name))), {})[0]


@pytest.mark.parametrize("name", NAMES)
def test_the_configuration_of_a_page_is_taken(name):
    assert settings_of(name).sources


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_becomes_what_its_page_says(name):
    samples = list(SAMPLE.finditer(page(name)))
    settings = settings_of(name)
    sources = {source.name: source for source in settings.sources}

    assert samples
    for sample in samples:
        body = sample["body"].encode()
        headers = {"content-type": "application/json"}
        lines, _ = tried(settings, sources[sample["name"]], "POST", sample["url"] or "", headers, body)
        assert sample["says"].splitlines() == lines


@pytest.mark.parametrize("name", NAMES)
def test_options_a_page_speaks_of_are_there(name):
    """An option in prose, `options.x`, is one of the system's."""
    systems = {system.name: system for system in SYSTEMS}
    for source in settings_of(name).sources:
        known = systems[source.system].options if source.system in systems else None
        for option in re.findall(r"`options\.(\w+)", page(name)):
            assert known is None or option in known


def test_the_shared_page_is_taken_as_well():
    text = BLOCK.findall(page("crm.md"))[0]

    assert tomllib.loads(text)["sources"][0]["options"]["new_leads"] == "qualified"


def test_what_ships_for_convergehub_can_be_used():
    for name in ("convergehub", "convergehub_webhook"):
        assert load_mapping(Path(name)).files


def test_every_poller_is_told_of_on_its_page():
    for system in SYSTEMS:
        if system.name in POLLERS:
            source = SourceSettings(name="x", system=system.name)
            assert f"_{source.name.upper()}_API".replace("X", system.name.upper()) in page(system.page)


def test_every_page_is_led_to_from_the_first():
    pages = {path.name for path in PAGES.glob("*.md")}

    assert pages == {"index.md", *re.findall(r"\]\(([a-z0-9_]+\.md)\)", page("index.md"))}
