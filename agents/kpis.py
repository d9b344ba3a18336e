"""Asking the board for one rep's figures from the terminal."""

from __future__ import annotations

import json
import urllib.parse
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from funnelwatch.agents.errors import OperationError
from funnelwatch.agents.fetch import UnreachableError, get
from funnelwatch.schemas.settings import Settings

DETAIL_CHARS_MAX: Final = 300
OK: Final = 200


def fetch(settings: Settings, path: str) -> bytes:
    """The body of the board's answer to ``GET path``.

    Raises:
        OperationError: The board does not answer, or not with 200.
    """
    try:
        status, body = get(settings.board.host, settings.board.port, path)
    except UnreachableError as error:
        raise OperationError(
            f"The board does not answer: {error} Start it with `funnelwatch board`, or name its configuration with "
            "--config."
        ) from error
    if status != OK:
        detail = body.decode(errors="replace").strip()[:DETAIL_CHARS_MAX]
        raise OperationError(f"The board answers {status} to {path}: {detail}")
    return body


def rep_document(settings: Settings, rep: str) -> bytes:
    """The KPI document of a rep, JSON as the board serves it."""
    return fetch(settings, "/api/v1/reps/" + urllib.parse.quote(rep, safe=""))


def show(document: bytes, console: Console) -> None:
    """Print the plain figures of a document as two columns; lists and tables inside it are for ``--json``."""
    table = Table("figure", "value", title=None)
    for name, value in _plain(json.loads(document), ""):
        table.add_row(name, value)
    console.print(table)


def _plain(value: Any, name: str) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [row for key, inner in value.items() for row in _plain(inner, f"{name}.{key}".lstrip("."))]
    if value is None or isinstance(value, list):
        return []
    return [(name, str(value))]
