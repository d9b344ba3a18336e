"""The README is executed: its commands exist with their options, its event is a valid one, its links lead somewhere."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from funnelwatch.agents.cli import funnelwatch
from funnelwatch.schemas.codec import Limits, decode
from funnelwatch.schemas.events import Event, Kind

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
CODE = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
INLINE = re.compile(r"`((?:uv run [^`]*)?funnelwatch [^`]+)`")
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")


def commands() -> list[str]:
    """Every ``funnelwatch …`` command line of all pages."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        blocks = [body for language, body in CODE.findall(text) if language == "sh"]
        lines = [line.split(" #")[0] for block in blocks for line in block.splitlines()]
        found += [line for line in lines + INLINE.findall(text) if re.search(r"(^|\s)funnelwatch \w", line)]
    return found


@pytest.mark.parametrize("line", commands())
def test_every_command_of_the_documentation_exists_with_its_options(line):
    words = shlex.split(line.replace("…", ""))
    arguments = words[words.index("funnelwatch") + 1 :]
    command = funnelwatch
    while isinstance(command, click.Group):
        name, *arguments = arguments
        command = command.get_command(click.Context(command), name)
        assert command is not None, f"no command {name!r}"
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    used = {word.split("=")[0] for word in arguments if word.startswith("--")}

    assert used - known == set()


def test_the_example_event_is_a_valid_one():
    (example,) = [body for language, body in CODE.findall(PAGES[0].read_text(encoding="utf-8")) if language == "json"]
    (event,) = decode(Kind.DEAL, example.encode(), (), Limits())

    assert isinstance(event, Event)
    assert (event.subject, event.data.amount) == ("hubspot:42", 12_505_000)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    missing = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if not (page.parent / link).exists()]

    assert missing == []
