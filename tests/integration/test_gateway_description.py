"""Whatever the description of the gateway allows to be sent is answered, and never by a server error."""

from __future__ import annotations

import asyncio
import json
import os
import sys

import pytest
from support.gateway import SECRET, gateway_settings, running

from funnelwatch.schemas.settings import SourceSettings

EXAMPLES = 100
RUN_SECONDS = 200
MAPPING = """
source = "own"
[[files]]
name = "any"
[[files.events]]
type = "deal.won"
subject = "a"
time = "b"
"""


@pytest.mark.integration
@pytest.mark.timeout(RUN_SECONDS + 40)
async def test_no_request_of_the_description_is_a_server_error(tmp_path):
    (tmp_path / "mapping.toml").write_text(MAPPING, encoding="utf-8")
    sources = [
        SourceSettings(name="shop", system="webhook", mapping_file=str(tmp_path / "mapping.toml")),
        *(SourceSettings(name=name, system=name) for name in ("hubspot", "twilio", "simotel", "pipedrive")),
    ]
    settings = gateway_settings(tmp_path, *sources)
    names = ["own", *(source.name for source in sources), "nobody"]
    description = tmp_path / "openapi.json"
    async with running(settings) as gateway:
        known = json.loads((await gateway.get("/openapi.json"))[1])
        for operation in known["paths"]["/hooks/{name}"].values():
            operation["parameters"][0]["schema"]["enum"] = names  # or nearly all requests would be to no source
        description.write_text(json.dumps(known), encoding="utf-8")
        command = (
            *("run", str(description), "--url", gateway.base, "--checks", "not_a_server_error", "--no-color"),
            *("--max-examples", str(EXAMPLES), "--phases", "examples,coverage,fuzzing", "--seed", "1"),
            *("-H", f"authorization: Bearer {SECRET}", "--request-timeout", "10"),
        )
        tester = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "schemathesis.cli", *command),
            cwd=tmp_path,
            env={**os.environ, "PYTHONUTF8": "1"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            told, _ = await asyncio.wait_for(tester.communicate(), RUN_SECONDS)
        finally:
            if tester.returncode is None:
                tester.kill()
        delivered = sum([await gateway.metric("funnelwatch_deliveries_total", source=name) for name in names])

    assert tester.returncode == 0, told.decode()
    assert delivered > EXAMPLES  # it reached the sources, not only addresses that are none
