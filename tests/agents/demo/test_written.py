"""Settings that were written load as the same settings, whatever they say."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from funnelwatch.agents.demo.installation import Ports, placed
from funnelwatch.agents.demo.written import as_toml
from funnelwatch.agents.errors import OperationError
from funnelwatch.schemas import configuration
from funnelwatch.schemas.settings import Holidays, KafkaSettings, Rate, RepOverride, Settings
from funnelwatch.streams.simulator import TEHRAN_CALENDAR, demo_settings

PORTS = Ports.from_base(20_000)


@pytest.mark.parametrize("settings", [Settings(), demo_settings(), demo_settings(TEHRAN_CALENDAR)])
def test_known_settings_come_back(settings):
    assert configuration.load(as_toml(settings), {})[0] == settings


def test_everything_that_is_optional_comes_back():
    settings = msgspec.structs.replace(
        demo_settings(),
        clock="2026-11-23T10:00:00Z",
        rates=(Rate("2026-01-01", "USD", "0.92"),),
        reps={"hubspot:42": RepOverride(hours=("08:00-12:00",), working_days=("monday",))},
    )

    assert configuration.load(as_toml(settings), {})[0] == settings


@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=50).filter(lambda name: name.strip())
)
def test_any_name_comes_back(name):
    assert configuration.load(as_toml(Settings(name=name)), {})[0].name == name


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=50))
def test_any_text_comes_back_as_toml(text):
    import tomllib

    assert tomllib.loads(as_toml(Settings(kafka=KafkaSettings(ca_file=text))))["kafka"]["ca_file"] == text


def test_an_installation_keeps_the_organisation_and_moves_the_servers():
    own = msgspec.structs.replace(
        demo_settings(), kafka=KafkaSettings(bootstrap=("far:9092",), prefix="p.", security="tls", replication=3)
    )
    settings = placed(own, Path("/data"), PORTS)

    assert settings.fingerprint == own.fingerprint
    assert settings.kafka == KafkaSettings(bootstrap=("127.0.0.1:20002",), prefix="p.")
    assert (settings.redis.host, settings.redis.port) == ("127.0.0.1", 20_004)
    assert (settings.worker.port, settings.worker.data_dir) == (20_001, "/data/worker")
    assert settings.board.port == 20_000


@pytest.mark.parametrize("base", [0, -1, 65_532, 1_000_000])
def test_a_port_base_without_five_ports_is_refused(base):
    with pytest.raises(OperationError, match="--port-base"):
        Ports.from_base(base)


def test_holidays_come_back():
    calendar = msgspec.structs.replace(TEHRAN_CALENDAR, holidays=Holidays("IR", extra=("2026-03-20",)))

    assert configuration.load(as_toml(demo_settings(calendar)), {})[0].calendar == calendar
