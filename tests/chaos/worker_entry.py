"""The worker as it is, but for what hooks and mutations change."""

from __future__ import annotations

import base64
import json
import os

import msgspec
from hooks import HOOKS
from mutations import MUTATIONS

from funnelwatch.agents.engine.worker import run
from funnelwatch.schemas.settings import Secrets, Settings


def main(packed: str, changed: str) -> int:
    """Run until a signal; the exit code. Settings are MessagePack in base64, changes JSON."""
    changes = json.loads(changed)
    for name in changes["mutations"]:
        MUTATIONS[name]()
    for name, argument in changes["hooks"].items():
        HOOKS[name](argument)
    settings = msgspec.msgpack.decode(base64.b64decode(packed), type=Settings)
    return run(settings, Secrets(redis_password=os.environ.get("FUNNELWATCH_REDIS_PASSWORD", "")))
