"""The pages of the sources say what is so: their examples load, and become what is written there."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from funnelwatch.agents.gateway.trying import tried
from funnelwatch.schemas import configuration
from funnelwatch.schemas.sources import people
from funnelwatch.schemas.sources.registry import SYSTEMS

FOLDER = Path(__file__).parents[3] / "docs" / "sources"


def blocks(page, language):
    """The examples of a page; those inside lists are indented."""
    text = (FOLDER / page).read_text("utf-8")
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", block, flags=re.MULTILINE) for indent, block in found]


def test_the_index_names_every_system_and_its_page():
    text = (FOLDER / "index.md").read_text("utf-8")

    for name, system in SYSTEMS.items():
        assert f"| `{name}` | {system.title}" in text or name == "webhook", name
        assert f"]({system.page})" in text, name


@pytest.mark.parametrize("page", ["index.md", "cloudevents.md"])
def test_configurations_load_and_tables_of_people_too(page):
    for block in blocks(page, "toml"):
        if "[[people]]" in block:
            assert len(people.parse(block, SYSTEMS)) == 1
        else:
            assert configuration.load(block, {})[0].sources


@pytest.mark.parametrize(("page", "file"), [("webhook.md", "shop.toml"), ("debezium.md", "erp.toml")])
def test_the_example_of_a_mapping_becomes_what_is_written(page, file, tmp_path, monkeypatch):
    source, mapping = blocks(page, "toml")
    (payload,) = blocks(page, "json")
    (becomes,) = blocks(page, "text")
    monkeypatch.chdir(tmp_path)
    Path(file).write_text(mapping, encoding="utf-8")
    settings, _ = configuration.load(source, {})

    lines, taken = tried(settings, settings.sources[0], "POST", "", {}, payload.encode())

    assert taken
    assert lines == becomes.splitlines()


def test_the_cloud_event_of_the_page_is_one():
    settings, _ = configuration.load(blocks("cloudevents.md", "toml")[0], {})
    body = re.search(r"^body='(.*)'$", "".join(blocks("cloudevents.md", "sh")), re.MULTILINE)[1]

    lines, taken = tried(settings, settings.sources[0], "POST", "", {}, body.encode())

    assert taken
    assert json.loads(lines[0].removeprefix("event: "))["subject"] == "crm:42"


@pytest.mark.parametrize("page", ["index.md", "gateway.md"])
def test_every_setting_that_is_named_exists(page):
    text = (FOLDER / page).read_text("utf-8")
    known = set(tomllib.loads(configuration_names()))

    named = re.findall(r"`([a-z]+(?:_[a-z]+)+)`", text)
    assert named
    assert {name for name in named if not name.startswith("funnelwatch_")} <= known | {"voicemail_drop", "no_answer"}


def configuration_names():
    from funnelwatch.schemas.settings import GatewaySettings, SourceSettings

    fields = {*GatewaySettings.__struct_fields__, *SourceSettings.__struct_fields__}
    return "".join(f"{name} = 0\n" for name in fields)
