"""docker-compose.yml is what the Compose specification takes, and holds the rules of containers that are for real."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from funnelwatch import __version__
from funnelwatch.agents.configured import ConfigurationError, load
from funnelwatch.agents.health import address

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES = COMPOSE["services"]
every_service = pytest.mark.parametrize("name", SERVICES)


def test_the_compose_specifications_schema_takes_it():
    checked = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr


@every_service
def test_a_service_is_pinned_watched_and_nobodys_root(name):
    service = SERVICES[name]
    image, _, tag = service["image"].rpartition(":")

    assert image
    assert re.search(r"\d+\.\d+", tag), "a tag that moves is no version"
    assert service["user"].split(":")[0] not in {"0", "root"}
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert "healthcheck" in service or service["restart"] == "on-failure"


@every_service
def test_no_password_is_written_down(name):
    service = SERVICES[name]
    environment = service.get("environment", {})
    secret = [key for key in environment if "PASSWORD" in key.upper()]

    assert all(key.endswith("_FILE") and environment[key].startswith("/run/secrets/") for key in secret)
    assert {value.rpartition("/")[2] for value in (environment[key] for key in secret)} <= set(
        service.get("secrets", ())
    )
    assert set(service.get("secrets", ())) <= set(COMPOSE["secrets"])


@every_service
def test_a_stop_reaches_the_program_and_not_a_shell(name):
    command = SERVICES[name].get("command", [])

    assert isinstance(command, list), "of a text, an engine makes words"
    if command[:1] == ["sh"]:
        assert command[-1].splitlines()[-1].startswith("exec ")


@every_service
def test_what_is_mounted_is_in_the_repository_or_declared(name):
    for mount in SERVICES[name].get("volumes", ()):
        source, _, target = mount.partition(":")
        assert not target or source in COMPOSE["volumes"] or (ROOT / source).exists(), mount
    for other in SERVICES[name].get("depends_on", {}):
        assert other in SERVICES


def test_only_the_gateway_is_reachable_from_other_machines():
    published = {name: service.get("ports", ()) for name, service in SERVICES.items()}

    assert [name for name, ports in published.items() for port in ports if not port.startswith("127.0.0.1:")] == [
        "gateway"
    ]


def test_the_image_is_this_version_and_its_settings_load():
    settings, _ = load(ROOT / "deploy" / "compose" / "funnelwatch.toml")

    assert SERVICES["board"]["image"] == f"funnelwatch:{__version__}"
    assert address(settings, "board") == "http://127.0.0.1:8080"


def test_the_dockerfile_builds_in_stages_and_runs_as_nobody():
    lines = (ROOT / "Dockerfile").read_text("utf-8").splitlines()
    froms = [line.split()[1] for line in lines if line.startswith("FROM")]
    user = SERVICES["worker"]["user"]

    assert len(froms) == 2
    assert all(re.search(r":\d+\.\d+\.\d+", image) for image in froms)
    assert f"USER {user}" in lines


def test_a_password_is_read_from_the_file_that_the_environment_names(tmp_path, monkeypatch):
    (tmp_path / "password").write_text("s3cret\n")
    monkeypatch.setenv("FUNNELWATCH_REDIS_PASSWORD_FILE", str(tmp_path / "password"))
    monkeypatch.setenv("FUNNELWATCH_KAFKA_PASSWORD_FILE", str(tmp_path / "none"))
    with pytest.raises(ConfigurationError, match=r"KAFKA_PASSWORD_FILE.*cannot be read"):
        load(None)
    monkeypatch.delenv("FUNNELWATCH_KAFKA_PASSWORD_FILE")

    assert load(None)[1].redis_password == "s3cret"

    monkeypatch.setenv("FUNNELWATCH_REDIS_PASSWORD", "other")
    with pytest.raises(ConfigurationError, match="not both"):
        load(None)


def test_secrets_are_made_once_and_kept(tmp_path):
    script = tmp_path / "deploy" / "compose" / "secrets.sh"
    script.parent.mkdir(parents=True)
    script.write_bytes((ROOT / "deploy" / "compose" / "secrets.sh").read_bytes())
    for _ in range(2):
        subprocess.run(["sh", str(script)], check=True, capture_output=True)
        made = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    again = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}

    assert made == again
    assert set(made) == set(COMPOSE["secrets"])
    assert all(len(text) == 64 for text in made.values())
    assert oct((tmp_path / "secrets").stat().st_mode)[-3:] == "700"
