"""What a source's test needs: how it is configured, what is sent to it, and which figures of its rep that must give.

`source_cases_crm` and `source_cases_phones` have the cases; `tests/integration/test_sources.py` sends them all to one
running deployment.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from support.vendors import Vendor

MODULES = ("source_cases_crm", "source_cases_phones")


class Request(NamedTuple):
    """One HTTP request; ``query`` stands behind the source's address."""

    body: bytes
    headers: Mapping[str, str] = MappingProxyType({})
    query: str = ""
    method: str = "POST"


class Case(NamedTuple):
    """One source.

    ``requests`` gives what is sent, from the whole address (without query) and the clock in µs. ``person`` is how the
    system calls the rep, without prefix if it begins with a colon. ``figures`` are dotted paths into the rep's document
    with what must stand there. ``vendor`` is an API that the source polls or fetches from, ``api_secret`` what it logs
    in with; its address is put into ``options.address``.
    """

    name: str
    system: str
    person: str
    requests: Callable[[str, int], list[Request]]
    figures: dict[str, Any]
    secret: str = "s3cret of this source"
    settings: Mapping[str, Any] = MappingProxyType({})
    vendor: Vendor | None = None
    api_secret: str = ""

    @property
    def rep(self) -> str:
        """Our id of the person."""
        return f"rep of {self.name}"

    @property
    def id(self) -> str:
        """The person as the table of people has it."""
        return f"{self.name}{self.person}" if self.person.startswith(":") else self.person


def cases() -> list[Case]:
    """All cases of the modules that are there."""
    found: list[Case] = []
    for name in MODULES:
        try:
            found += importlib.import_module(f"support.{name}").CASES
        except ModuleNotFoundError as error:
            if error.name != f"support.{name}":
                raise
    return found
