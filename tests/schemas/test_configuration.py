"""The configuration is checked as a whole: every problem, each at its place, and no secret anywhere."""

from __future__ import annotations

import contextlib
import re
import tomllib

import holidays
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from funnelwatch.schemas.configuration import OTHER_VARIABLES, ConfigurationError, load, variables
from funnelwatch.schemas.settings import (
    CalendarSettings,
    Holidays,
    PipelineSettings,
    RepOverride,
    Secrets,
    Settings,
    StageSettings,
)
from funnelwatch.schemas.template import TEMPLATE

COUNTRIES = holidays.list_supported_countries()


def told(text, environment=None):
    """Paths and messages of what is wrong."""
    with pytest.raises(ConfigurationError) as raised:
        load(text, environment or {}, countries=COUNTRIES)
    return {problem.path: problem.message for problem in raised.value.problems}


def test_nothing_at_all_is_the_defaults():
    assert load("", {}) == (Settings(), Secrets())


def test_the_template_holds_the_defaults():
    assert load(TEMPLATE, {}, countries=COUNTRIES) == (Settings(), Secrets())


def test_the_template_names_every_setting():
    values = tomllib.loads(uncommented(TEMPLATE))

    assert sorted(flat(values)) == sorted(variables().values())


def test_the_examples_of_the_template_are_valid():
    settings, _ = load(uncommented(TEMPLATE), {}, countries=COUNTRIES)

    assert [stage.name for stage in settings.pipelines[0].stages] == ["Qualification", "Proposal", "Negotiation"]
    assert settings.reps["hubspot:7"] == RepOverride(
        hours=("10:00-14:00",),
        working_days=("monday", "wednesday"),
        leave=("2026-12-24..2027-01-06", "2027-02-15"),
    )


def uncommented(text):
    return re.sub(r"^#(?=[^ \n])", "", re.sub(r"^#(?=    \{|\])", "", text, flags=re.MULTILINE), flags=re.MULTILINE)


def flat(values, path="", type_=Settings):
    for field in msgspec.structs.fields(type_):
        place = f"{path}.{field.name}" if path else field.name
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            yield from flat(values[field.name], place, field.type)
        elif field.name in values:
            yield place


def test_a_file_says_what_it_says():
    text = """
        name = "Acme"
        [calendar]
        zone = "Asia/Tehran"
        system = "jalali"
        week_start = "saturday"
        working_days = ["saturday", "sunday", "monday", "tuesday", "wednesday", "thursday"]
        hours = ["08:00-12:00", "13:00-24:00"]
        hours_by_day = { thursday = ["08:00-12:00"] }
        holidays = { country = "IR", extra = ["2026-03-20"] }
        [[pipelines]]
        name = "new"
        stages = [{ name = "A", expected_hours = 8 }, { name = "B" }]
    """
    settings, _ = load(text, {}, countries=COUNTRIES)

    assert settings == Settings(
        name="Acme",
        calendar=CalendarSettings(
            zone="Asia/Tehran",
            system="jalali",
            week_start="saturday",
            working_days=("saturday", "sunday", "monday", "tuesday", "wednesday", "thursday"),
            hours=("08:00-12:00", "13:00-24:00"),
            hours_by_day={"thursday": ("08:00-12:00",)},
            holidays=Holidays(country="IR", extra=("2026-03-20",)),
        ),
        pipelines=(PipelineSettings("new", (StageSettings("A", 8.0), StageSettings("B"))),),
    )


def test_variables_override_the_file():
    environment = {
        "FUNNELWATCH_NAME": "Beta, Inc.",
        "FUNNELWATCH_KAFKA__BOOTSTRAP": "a:9092, b:9093",
        "FUNNELWATCH_REDIS__TLS": "true",
        "FUNNELWATCH_WORKER__PORT": "9000",
        "FUNNELWATCH_CALENDAR__HOLIDAYS__COUNTRY": "DE",
        "FUNNELWATCH_PIPELINES": '[{ name = "p", stages = [{ name = "s" }] }]',
        "FUNNELWATCH_BENCHMARKS__OUTREACH_PER_DAY": "40",
        "PATH": "/bin",
    }
    settings, _ = load('name = "Acme"\n[kafka]\nprefix = "x."\n', environment, countries=COUNTRIES)

    assert (settings.name, settings.kafka.bootstrap, settings.kafka.prefix) == (
        "Beta, Inc.",
        ("a:9092", "b:9093"),
        "x.",
    )
    assert (settings.redis.tls, settings.worker.port, settings.calendar.holidays.country) == (True, 9000, "DE")
    assert settings.pipelines == (PipelineSettings("p", (StageSettings("s"),)),)
    assert settings.benchmarks.outreach_per_day == 40.0


def test_passwords_come_from_the_environment_and_are_never_shown():
    environment = {"FUNNELWATCH_KAFKA_PASSWORD": "hunter2", "FUNNELWATCH_REDIS_PASSWORD": "hunter3"}
    settings, secrets = load("", environment)

    assert secrets == Secrets(kafka_password="hunter2", redis_password="hunter3")
    assert "hunter" not in f"{secrets!r} {secrets} {settings!r}"


def test_a_password_in_a_wrong_place_is_not_repeated():
    problems = told(
        '[kafka]\npassword = "hunter2"\nbootstrap = ["me:hunter2@host:9092"]\n',
        {"FUNNELWATCH_REDIS__PASSWORD": "hunter2", "FUNNELWATCH_REDIS__PORT": "hunter2"},
    )

    assert set(problems) == {
        "kafka.password",
        "kafka.bootstrap[0]",
        "FUNNELWATCH_REDIS__PASSWORD",
        "FUNNELWATCH_REDIS__PORT",
    }
    assert "hunter2" not in str(problems)
    assert "FUNNELWATCH_KAFKA_PASSWORD" in problems["kafka.password"]
    assert "FUNNELWATCH_REDIS_PASSWORD" in problems["FUNNELWATCH_REDIS__PASSWORD"]


def test_all_problems_are_told_at_once():
    problems = told(
        """
        currency = "EURO"
        clock = "2026-11-23T10:00:00"
        retention_days = 0
        colour = "red"
        port = 8080
        [calendar]
        zone = "Europe/Atlantis"
        system = "lunar"
        week_start = "mon"
        working_days = ["monday", "monday", "moonday"]
        hours = ["09:00-17:00", "16:00-18:00", "9-5"]
        hours_by_day = { frayday = ["17:00-09:00"] }
        [calendar.holidays]
        country = "XX"
        extra = ["24.12.2026"]
        [[pipelines]]
        name = "@mine"
        stages = [{ name = "A" }, { name = "A" }, { name = "", expected_hours = -1 }, { expected_hours = "8" }]
        [[pipelines]]
        name = "@mine"
        stages = []
        [[pipelines]]
        [benchmarks]
        conversion_rate = 12
        [reps.r1]
        hours = ["x"]
        [[rates]]
        date = "2026"
        currency = "EURO"
        rate = "-1"
        [kafka]
        bootstrap = ["localhost"]
        partition = 4
        security = "sasl"
        [redis]
        port = 70000
        tls = "yes"
        [worker]
        delivery = "pigeon"
        session_seconds = 1
        [board]
        metric_windows = ["today", "14d"]
        """,
        {"FUNNELWATCH_BOARD__PORT": "0", "FUNNELWATCH_WORKER__HOSTS": "x", "FUNNELWATCH_BOARD__REPS_MAX": "[many"},
    )

    assert {path: problems[path] for path in problems if "did you mean" in problems[path]} == {
        "currency": "'EURO' is not in ISO 4217; did you mean 'EUR'?",
        "port": "unknown setting; did you mean 'redis.port'?",
        "kafka.partition": "unknown setting; did you mean 'partitions'?",
        "calendar.week_start": problems["calendar.week_start"],
        "calendar.working_days[2]": problems["calendar.working_days[2]"],
        "calendar.hours_by_day.frayday": problems["calendar.hours_by_day.frayday"],
        "FUNNELWATCH_WORKER__HOSTS": "no such setting; did you mean 'FUNNELWATCH_WORKER__HOST'?",
    }
    assert sorted(problems) == sorted(
        [
            *("currency", "clock", "retention_days", "colour", "port"),
            *("calendar.zone", "calendar.system", "calendar.week_start"),
            *("calendar.working_days", "calendar.working_days[2]", "calendar.hours", "calendar.hours[2]"),
            *("calendar.hours_by_day.frayday", "calendar.hours_by_day.frayday[0]"),
            *("calendar.holidays.country", "calendar.holidays.extra"),
            *("pipelines", "pipelines[0].name", "pipelines[0].stages", "pipelines[0].stages[2].name"),
            *("pipelines[0].stages[2].expected_hours", "pipelines[0].stages[3].expected_hours"),
            *("pipelines[0].stages[3].name", "pipelines[1].name", "pipelines[1].stages"),
            *("pipelines[2].name", "pipelines[2].stages"),
            *("benchmarks.conversion_rate", "reps.r1.hours[0]"),
            *("rates[0].date", "rates[0].currency", "rates[0].rate"),
            *("kafka.bootstrap[0]", "kafka.partition", "kafka.security", "redis.port", "redis.tls"),
            *("worker.delivery", "worker.session_seconds", "worker.commit_seconds", "board.metric_windows[1]"),
            *("FUNNELWATCH_BOARD__PORT", "FUNNELWATCH_WORKER__HOSTS", "FUNNELWATCH_BOARD__REPS_MAX"),
        ]
    )


@pytest.mark.parametrize(
    ("text", "path", "part"),
    [
        ("name = ", "", "not TOML"),
        ("x" * 1_100_000, "", "no configuration"),
        ("calendar = 5", "calendar", "must be a table"),
        ("pipelines = 5", "pipelines", "[[pipelines]]"),
        ("pipelines = [5]", "pipelines[0]", "must be a table, is an integer"),
        ("retention_days = 1.5", "retention_days", "must be an integer, is a number"),
        ("clock = 2026-11-23T10:00:00Z", "clock", "must be a text, is a date or time"),
        ('currency = "IRT"', "currency", "write IRR"),
        ('[calendar.holidays]\nsubdivision = "BY"', "calendar.holidays.subdivision", "needs a country"),
        ('[calendar.holidays]\ncountry = "DE"\nsubdivision = "XX"', "calendar.holidays.subdivision", "BY"),
        ('[kafka]\nsecurity = "plain+tls"', "kafka.username", "is needed"),
        ("[benchmarks]\nsupport_ratio = nan", "benchmarks.support_ratio", "between"),
        ('[[rates]]\ndate="2026-01-01"\ncurrency="EUR"\nrate="1"', "rates[0].currency", "own currency"),
    ],
)
def test_a_problem_says_where_and_what(text, path, part):
    problems = told(text)

    assert list(problems) == [path]
    assert part in problems[path]


@pytest.mark.parametrize("clock", ["system", "event", "2026-11-23T10:00:00Z", "2026-11-23T10:00:00.5+03:30"])
def test_every_kind_of_clock_is_taken(clock):
    assert load(f'clock = "{clock}"', {})[0].clock == clock


@given(st.text(), st.dictionaries(st.sampled_from([*variables(), "FUNNELWATCH_X"]), st.text(), max_size=4))
def test_nothing_raises_but_a_configuration_error(text, environment):
    with contextlib.suppress(ConfigurationError):
        load(text, environment, countries=COUNTRIES)


def test_variables_of_the_shell_are_no_settings():
    assert load("", dict.fromkeys(OTHER_VARIABLES, "x")) == (Settings(), Secrets())
