"""Keeps Alertmanager's configuration equal to what the settings and ``crm.reps`` say."""

from __future__ import annotations

import contextlib
import http.client
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NoReturn
from urllib.parse import urlsplit

import msgspec

from funnelwatch.agents.errors import OperationError
from funnelwatch.agents.fetch import UnreachableError, get
from funnelwatch.schemas.board import Rows
from funnelwatch.schemas.settings import Settings
from funnelwatch.streams.alerting.messages import templates
from funnelwatch.streams.alerting.routing import TEMPLATES, People, alertmanager

OK: Final = 200
RELOAD_SECONDS_MAX: Final = 10.0
SECRET_BYTES_MAX: Final = 4_096


def people(settings: Settings) -> People | None:
    """Managers and teams as the board knows them; None while it has no figures."""
    try:
        status, body = get(settings.board.host, settings.board.port, "/api/v1/reps")
    except UnreachableError:
        return None
    if status != OK:
        return None
    return People.of((row.manager, row.team) for row in msgspec.json.decode(body, type=Rows).rows)


def configuration(settings: Settings, known: People, also: str = "") -> str:
    """The configuration's text, with the secrets that Alertmanager cannot read from a file itself.

    Raises:
        OperationError: The file of a secret cannot be read.
    """
    return alertmanager(settings, known, _secret(settings.alerting.telegram_token_file), also)


def _secret(path: str) -> str:
    if not path:
        return ""
    try:
        return Path(path).read_text("utf-8")[:SECRET_BYTES_MAX].strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise OperationError(f"alerting.telegram_token_file: {path} cannot be read: {why}.") from None


def write(folder: Path, text: str) -> bool:
    """Write configuration and texts if they differ; nobody ever reads half of one.

    The configuration may hold a token: only its owner can read it.

    Returns:
        Whether something was written.

    Raises:
        OperationError: The folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        told = _replace(folder / TEMPLATES, templates())
        return _replace(folder / "alertmanager.yml", text) or told
    except OSError as error:
        raise OperationError(f"{folder} cannot be written: {error.strerror}.") from error


def _replace(path: Path, text: str) -> bool:
    with contextlib.suppress(OSError, UnicodeDecodeError):
        if path.read_text("utf-8") == text:
            return False
    number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # readable by its owner alone
    try:
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return True


def reload(url: str) -> None:
    """Tell a running Alertmanager (or Prometheus) to read its configuration again.

    Raises:
        OperationError: It does not answer, or does not accept what it read.
    """
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    connection = (http.client.HTTPSConnection if secure else http.client.HTTPConnection)(
        parts.netloc, timeout=RELOAD_SECONDS_MAX
    )
    try:
        connection.request("POST", f"{parts.path.rstrip('/')}/-/reload")
        answer = connection.getresponse()
        said = answer.read(2_000).decode(errors="replace").strip()
    except (OSError, http.client.HTTPException) as error:
        raise OperationError(f"Alertmanager at {url} does not answer ({error or type(error).__name__}).") from error
    finally:
        connection.close()
    if answer.status != OK:
        raise OperationError(f"Alertmanager at {url} did not take the configuration ({answer.status}): {said}")


def keep(settings: Settings, folder: Path, reload_url: str, seconds: float, say: Callable[[str], None]) -> NoReturn:
    """Write now, and again whenever somebody is new, until interrupted.

    A new Alertmanager finds a configuration before the board has figures: the one from the settings alone, unless
    there is one from before. What Alertmanager did not take is offered again.
    """
    known: People | None = None
    is_waiting = False
    while True:
        found = people(settings)
        if found is not None and found != known:
            known = found
            say(f"{len(found.managers)} managers, {len(found.teams)} teams")
        if known is not None or not (folder / "alertmanager.yml").exists():
            is_waiting = write(folder, configuration(settings, known or People())) or is_waiting
        if is_waiting:
            try:
                if reload_url:
                    reload(reload_url)
                is_waiting = False
                say(f"written to {folder}" + (f", read by {reload_url}" if reload_url else ""))
            except OperationError as trouble:
                say(str(trouble))
        time.sleep(seconds)
