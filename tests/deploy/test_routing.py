"""Who is told what: the routing made from the reps' records, judged by amtool."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
import yaml
from msgspec.structs import replace

from funnelwatch.agents.deploy import alertmanager as shell
from funnelwatch.agents.errors import OperationError
from funnelwatch.schemas.alerting import AlertingSettings, Contact, MailSettings
from funnelwatch.schemas.configuration import ConfigurationError, load
from funnelwatch.schemas.settings import Settings
from funnelwatch.streams.alerting import messages, routing
from funnelwatch.streams.alerting.routing import People

needs_amtool = pytest.mark.skipif(shutil.which("amtool") is None, reason="amtool is not installed")

SETTINGS = Settings(
    mail=MailSettings(host="mail.example.com", username="u", password_file="/run/secrets/mail"),
    alerting=AlertingSettings(
        slack_url_file="/run/secrets/slack",
        telegram_token_file="/run/secrets/telegram",
        watchdog_webhook="https://dead-man.example.com/x",
        everybody=Contact(webhook="https://pager.example.com/all"),
        operators=Contact(email=("ops@example.com", "night@example.com")),
        managers={"m-17": Contact(telegram_chat=-100123, language="fa"), "m-18": Contact(slack_channel="#deals")},
        teams={"North": Contact(webhook="https://pager.example.com/north", webhook_token_file="/run/secrets/north")},
    ),
)
PEOPLE = People(("lea@example.com", "m-17", "nobody"), ("North", "South"))


def config(people: People = PEOPLE, settings: Settings = SETTINGS):
    return yaml.safe_load(routing.alertmanager(settings, people, "123:token"))


def receiver(name: str, **more):
    return next(one for one in config(**more)["receivers"] if one["name"] == name)


@pytest.fixture
def folder(tmp_path):
    shell.write(tmp_path, routing.alertmanager(SETTINGS, PEOPLE, "123:token"))
    return tmp_path


def amtool(folder, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["amtool", *arguments], cwd=folder, capture_output=True, text=True, check=False)


@needs_amtool
def test_amtool_accepts_configuration_and_texts(folder):
    checked = amtool(folder, "check-config", "alertmanager.yml")

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "1 templates\n  SUCCESS" in checked.stdout


@needs_amtool
@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ("audience=manager severity=critical manager=m-17 team=South rep=r1", "manager m-17"),
        ("audience=manager severity=critical manager=m-17 team=North rep=r1", "team North,manager m-17"),
        ("audience=manager severity=critical manager=m-18 team=East", "manager m-18"),
        ("audience=manager severity=critical manager=lea@example.com team=South", "manager lea@example.com"),
        ("audience=manager severity=critical manager=nobody team=South", "everybody"),
        ("audience=manager severity=critical team=North", "team North,everybody"),
        ("audience=manager severity=critical rep=r1", "everybody"),
        ("audience=manager severity=warning manager=m-17 team=North", "digest"),
        ("audience=operator severity=critical blinds=managers", "operators"),
        ("audience=operator severity=warning team=North", "operators"),
        ("alertname=FunnelwatchWatchdog audience=operator severity=none", "watchdog"),
    ],
)
def test_each_alert_reaches_who_it_is_for(folder, labels, told):
    tested = amtool(
        folder,
        "config",
        "routes",
        "test",
        "--config.file=alertmanager.yml",
        f"--verify.receivers={told}",
        *labels.split(),
    )

    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_a_new_manager_with_an_address_and_a_new_team_are_routed_without_a_setting():
    more = config(People((*PEOPLE.managers, "new@example.com"), (*PEOPLE.teams, "East")))
    (route,) = [route for route in more["route"]["routes"] if route["receiver"] == "manager new@example.com"]

    assert route["matchers"] == ['manager="new@example.com"']
    assert next(one for one in more["receivers"] if one["name"] == route["receiver"])["email_configs"][0]["to"] == (
        "new@example.com"
    )


def test_each_way_is_told_in_the_contacts_language():
    persian = receiver("manager m-17")["telegram_configs"][0]

    assert persian["message"] == '{{ template "funnelwatch.fa.text" . }}'
    assert persian["parse_mode"] == ""
    assert receiver("manager m-18")["slack_configs"][0]["text"] == '{{ template "funnelwatch.en.text" . }}'
    assert receiver("operators")["email_configs"][0]["to"] == "ops@example.com, night@example.com"
    for words in messages.LANGUAGES:
        for part in ("title", "text", "html"):
            assert f'{{{{ define "funnelwatch.{words.lang}.{part}" -}}}}' in messages.templates()


def test_secrets_are_files_but_for_the_one_alertmanager_reads_from_nowhere_else(tmp_path):
    written = config()

    assert written["global"]["smtp_auth_password_file"] == "/run/secrets/mail"
    assert written["global"]["slack_api_url_file"] == "/run/secrets/slack"
    assert receiver("team North")["webhook_configs"][0]["http_config"] == {
        "authorization": {"credentials_file": "/run/secrets/north"}
    }
    token = tmp_path / "token"
    token.write_text("99:secret\n")
    settings = replace(SETTINGS, alerting=replace(SETTINGS.alerting, telegram_token_file=str(token)))
    shell.write(tmp_path, shell.configuration(settings, PEOPLE))

    assert 'bot_token: "99:secret"' in (tmp_path / "alertmanager.yml").read_text()
    assert stat.S_IMODE((tmp_path / "alertmanager.yml").stat().st_mode) == 0o600


def test_a_secret_that_cannot_be_read_is_one_sentence_without_it():
    with pytest.raises(OperationError, match=r"alerting\.telegram_token_file: /run/secrets/telegram cannot be read"):
        shell.configuration(SETTINGS, PEOPLE)


def test_managers_are_muted_while_figures_cannot_be_trusted():
    first = config()["inhibit_rules"][0]

    assert first == {"source_matchers": ['blinds="managers"'], "target_matchers": ['audience="manager"']}


def test_what_is_written_again_is_not_new(tmp_path):
    text = routing.alertmanager(SETTINGS, PEOPLE)

    assert [shell.write(tmp_path, text), shell.write(tmp_path, text)] == [True, False]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alertmanager.yml", "funnelwatch.tmpl"]


def test_whoever_cannot_be_reached_is_named():
    assert routing.unreachable(SETTINGS, People(("m-17", "a b@x.y", "nobody", "lea@example.com"))) == (
        "a b@x.y",
        "nobody",
    )


def test_the_example_of_the_page_routes_as_it_says():
    page = (Path(__file__).parents[2] / "docs" / "alerts.md").read_text("utf-8")
    (example,) = re.findall("```toml\n(.*?)```", page, re.DOTALL)
    settings, _ = load(example, {})
    people = People(("lea@example.com", "m-17"), ("North",))
    names = [one["name"] for one in config(people, settings)["receivers"]]

    assert names == [
        "everybody",
        "operators",
        "digest",
        "watchdog",
        "team North",
        "manager lea@example.com",
        "manager m-17",
    ]


def test_what_cannot_work_is_said_at_the_start():
    with pytest.raises(ConfigurationError) as caught:
        load(
            """
            [board]
            public_url = "sales.example.com"
            [alerting]
            group_interval_seconds = 0.0
            [alerting.managers.x]
            email = ["no address"]
            slack_channel = "#a"
            telegram_chat = 7
            language = "de"
            [mail]
            username = "u"
            [digest]
            time = "7:30"
            """,
            {},
        )
    said = str(caught.value)

    for path in (
        "board.public_url",
        "alerting.group_interval_seconds",
        "alerting.managers.x.email",
        "alerting.managers.x.slack_channel",
        "alerting.managers.x.telegram_chat",
        "alerting.managers.x.language",
        "mail.password_file",
        "digest.time",
    ):
        assert path in said
