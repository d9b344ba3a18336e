"""Deliveries to begin with: small ones of our own for every system, and the real ones if they are beside the checkout.

A module ``support.samples_NAME`` adds its systems' by a ``SAMPLES``: system to deliveries, with options if they matter.
"""

from __future__ import annotations

import importlib
from pathlib import Path

from funnelwatch.schemas.sources.contract import Delivery, SourceOptions

PAYLOADS = Path(__file__).parents[3] / "shared" / "payloads"
MODULES = ("samples_phones", "samples_crm", "samples_formats")
FORM = {"content-type": "application/x-www-form-urlencoded"}
JSON = {"content-type": "application/json"}
NOW_US = 1_764_237_600_000_000
"""2025-11-27T10:00:00Z."""
FOLDERS = {"vtiger": ("vtiger", "pbxmanager")}
"""Folders whose payloads are of several systems; else the folder is the system."""

Sample = tuple[Delivery, SourceOptions]


def payload(path: str) -> bytes:
    """The bytes of a real payload; the caller skips if there is none."""
    return (PAYLOADS / path).read_bytes()


def samples(system: str) -> list[Sample]:
    """Deliveries of a system, at least one."""
    found: list[Sample] = []
    for name in MODULES:
        try:
            module = importlib.import_module(f"support.{name}")
        except ModuleNotFoundError:
            continue
        found += module.SAMPLES.get(system, [])
    options = found[0][1] if found else SourceOptions(name="fuzz", system=system)
    folders = [
        folder for folder in (system, *FOLDERS) if system in FOLDERS.get(folder, (system,) if folder == system else ())
    ]
    for folder in folders:
        for path in sorted((PAYLOADS / folder).glob("*")):
            body = path.read_bytes()
            headers = FORM if path.suffix == ".txt" and b"&" in body[:500] else JSON
            found.append((Delivery(headers=headers, body=body.strip(), received_us=NOW_US), options))
    return found or [(Delivery(headers=JSON, body=b'{"id": 1, "event": "x"}', received_us=NOW_US), options)]
