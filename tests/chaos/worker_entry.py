"""The worker as it is, but for what hooks and mutations change: ``worker_entry.py SETTINGS CHANGES``."""

from __future__ import annotations

import base64
import json
import os
import sys

import msgspec
from hooks import HOOKS
from mutations import MUTATIONS

from funnelwatch.agents.engine.worker import run
from funnelwatch.schemas.settings import Secrets, Settings

if __name__ == "__main__":
    changes = json.loads(sys.argv[2])
    for name in changes["mutations"]:
        MUTATIONS[name]()
    for name, argument in changes["hooks"].items():
        HOOKS[name](argument)
    settings = msgspec.msgpack.decode(base64.b64decode(sys.argv[1]), type=Settings)
    secrets = Secrets(redis_password=os.environ.get("FUNNELWATCH_REDIS_PASSWORD", ""))
    sys.exit(run(settings, secrets))
