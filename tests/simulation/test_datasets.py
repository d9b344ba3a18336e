"""Real exports, imported by the mappings that ship: each month's figures per rep are those another program computed.

Each comparison says which of our figures equals which field of the other program's, and each list of fields left out
says why. Together they are all the fields there are. Working time is all the time here, since the other program knows
no working hours. The figures are those of the folds, and those the board serves when the set went through a real Kafka,
worker and Redis; for the smallest set also those of the batch oracle, which is held to the folds elsewhere.
"""

from __future__ import annotations

import json
import uuid
from decimal import Decimal
from functools import cache
from pathlib import Path
from urllib.parse import quote

import msgspec
import pytest
from support.deployment import Deployment
from support.incremental import Workers

from funnelwatch.agents.embedded import free_ports
from funnelwatch.agents.importer import run
from funnelwatch.schemas import fields
from funnelwatch.schemas.careful import KIND_OF_TYPE
from funnelwatch.schemas.codec import UNLIMITED, decode
from funnelwatch.schemas.events import Kind
from funnelwatch.schemas.settings import (
    BoardSettings,
    CalendarSettings,
    KafkaSettings,
    PipelineSettings,
    RedisSettings,
    Secrets,
    Settings,
    StageSettings,
    WorkerSettings,
)
from funnelwatch.streams.oracle import report

DATASETS = Path(__file__).parents[2] / ".." / "shared" / "datasets"
pytestmark = pytest.mark.skipif(not DATASETS.exists(), reason="the exports are not here")

ALWAYS = CalendarSettings(
    working_days=("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
    hours=("00:00-24:00",),
)
DAY_SECONDS = 86_400
ROUNDED = 0.51e-6
"""The other program's ratios and days have 6 digits."""
SKETCHED = 0.0101
"""Our quantiles come from bins of 1 %."""


class Dataset(msgspec.Struct, frozen=True):
    """Files of a set with the mapping for them, the instant to judge by, and the stages of its pipeline."""

    mapping: str
    files: tuple[str, ...]
    now: str
    stages: tuple[str, ...] = ()

    @property
    def settings(self):
        stages = tuple(StageSettings(name) for name in self.stages)
        pipelines = (PipelineSettings("default", stages),) if stages else ()
        return Settings(currency="USD", clock=self.now, retention_days=1_200, calendar=ALWAYS, pipelines=pipelines)


CRM = Dataset(
    "crm", ("crm/sales_pipeline.csv", "crm/sales_teams.csv"), "2017-12-31T23:59:59.999999Z", ("Prospecting", "Engaging")
)
OLIST = Dataset(
    "olist",
    ("olist/olist_marketing_qualified_leads_dataset.csv", "olist/olist_closed_deals_dataset.csv"),
    "2018-11-30T23:59:59.999999Z",
)
ZOHO = Dataset(
    "zoho",
    ("zoho/Leads.csv", "zoho/Potentials.csv", "zoho/Calls.csv", "zoho/Tasks.csv", "zoho/Users.csv"),
    "2021-05-31T23:59:59.999999Z",
    ("Qualification", "Needs Analysis", "Prospect", "Initial Offer", "Proposal/Price Quote", "Negotiation/Review"),
)


class Documents(msgspec.Struct):
    """The documents of a set."""

    reps: dict
    teams: dict
    organisation: object


@pytest.fixture(scope="module")
def events_of(tmp_path_factory):
    """Imports a set to a file of events and reads them back, as a worker would."""

    @cache
    def read(dataset):
        folder = tmp_path_factory.mktemp(dataset.mapping)
        output, bad = folder / "events.ndjson", folder / "bad.csv"
        files = [DATASETS / name for name in dataset.files]
        code = run(dataset.settings, Secrets(), Path(dataset.mapping), files, output=output, report=bad)

        assert (code, bad.exists()) == (0, False)
        found = []
        for line in output.read_bytes().splitlines():
            kind = KIND_OF_TYPE[json.loads(line)["type"]]
            found += decode(kind, line, (), UNLIMITED)
        return found

    return read


PIPELINE = pytest.param("pipeline", marks=pytest.mark.integration)


@pytest.fixture(scope="module")
def documents_of(events_of, request, tmp_path_factory):
    """The documents of a set, by the oracle, by the folds in memory, and by the whole product."""

    @cache
    def compute(dataset, path):
        if path == "pipeline":
            kafka, redis_server = request.getfixturevalue("kafka"), request.getfixturevalue("redis_server")
            folder = tmp_path_factory.mktemp("deployment")
            settings = on_servers(dataset.settings, kafka, redis_server.port, folder)
            with Deployment(settings, folder) as deployment:
                return served(deployment, dataset, len(events_of(dataset)))
        now = fields.instant(dataset.now, "now")
        if path == "oracle":
            told = report(dataset.settings, events_of(dataset), now)
            return Documents(told.reps, told.teams, told.organisation)
        workers = Workers(dataset.settings)
        workers.take(events_of(dataset))
        workers.publish(now)
        made = workers.documents
        return Documents(
            {row.id: made.rep(row.id, now) for row in made.reps(now)},
            {name: made.team(name, now) for name in made.teams(now)},
            made.organisation(now),
        )

    return compute


def on_servers(settings, kafka, redis_port, folder):
    """The settings of a set with names of its own on the test's Kafka and Redis."""
    worker_port, board_port = free_ports(2)
    own = f"set{uuid.uuid4().hex[:8]}"
    return msgspec.structs.replace(
        settings,
        kafka=KafkaSettings(bootstrap=(kafka,), prefix=f"{own}.", group=own),
        redis=RedisSettings(port=redis_port, prefix=own),
        worker=WorkerSettings(data_dir=str(folder / "worker"), port=worker_port),
        board=BoardSettings(port=board_port),
    )


def served(deployment, dataset, events):
    """What the board serves of a set after ``funnelwatch import`` and once every event was read."""
    deployment.start("board")
    deployment.start("worker")
    files = [str(DATASETS / name) for name in dataset.files]
    done = deployment.run("import", "--mapping", dataset.mapping, *files, "--config", str(deployment.config))
    assert done.returncode == 0, done.stderr
    deployment.settle(events)
    reps, teams = ([row["id"] for row in deployment.json(f"/api/v1/{level}")["rows"]] for level in ("reps", "teams"))
    return Documents(
        {rep: deployment.document(f"/api/v1/reps/{quote(rep, safe='')}") for rep in reps},
        {team: deployment.document(f"/api/v1/teams/{quote(team, safe='')}") for team in teams},
        deployment.document("/api/v1/organisation"),
    )


@cache
def truth(name):
    return json.loads((DATASETS / "truth" / f"{name}.json").read_text("utf-8"))


# What equals what. A month without figures of ours is one in which nothing happened.


def counted(*path):
    """A count, or a number of seconds, in a month's figures; 0 in a month without any."""

    def read(figures):
        for name in path:
            if figures is None:
                return 0
            figures = figures.get(name) if isinstance(figures, dict) else getattr(figures, name)
        return figures

    return read


def money(name, scale=1):
    """An amount in dollars times ``scale``, exactly."""
    return lambda figures: 0 if figures is None else Decimal(getattr(figures, name).get("USD", "0")) * scale


def ratio(*path):
    """A ratio or mean, which does not exist where the other program's does not either."""

    def read(figures):
        found = None if figures is None else figures
        for name in path:
            if found is None:
                return None
            found = found.get(name) if isinstance(found, dict) else getattr(found, name)
        return None if found is None else Rounded(found)

    return read


def days(*path):
    """A duration in days of 24 h."""

    def read(figures):
        seconds = ratio(*path)(figures)
        return None if seconds is None else Rounded(seconds.value / DAY_SECONDS)

    return read


def lost_per_created(figures):
    """Our ratio is created per lost; the other one is its reciprocal, and does not exist where nothing was created."""
    if figures is None or not figures.created:
        return None
    return Rounded(0.0 if figures.created_per_lost is None else 1 / figures.created_per_lost)


class Rounded:
    """Equal to a number that was rounded to 6 digits."""

    def __init__(self, value):
        self.value = value

    def __eq__(self, other):
        return isinstance(other, int | float) and abs(self.value - other) <= ROUNDED * max(1.0, abs(self.value))

    __hash__ = None

    def __repr__(self):
        return f"≈{self.value}"


outbound = counted("outreach", "outbound_calls")

CRM_COMPARED = {
    "created": counted("created"),
    "won": counted("won"),
    "lost": counted("lost"),
    "won_amount": money("won_amount"),
    "win_rate": ratio("win_rate"),
    "lost_created_ratio": lost_per_created,
    "days_engage_to_won_mean": days("cycle", "mean_seconds"),
}
CRM_LEFT_OUT = {
    "days_engage_to_won_median": "theirs is between the two middle values, ours the lower one: see odd months below",
    "days_engage_to_lost_mean": "our cycle is that of won deals",
    "days_engage_to_lost_median": "our cycle is that of won deals",
    "days_engage_to_closed_mean": "our cycle is that of won deals",
    "days_engage_to_closed_median": "our cycle is that of won deals",
    "open_at_month_end": "what is open is a state of now, not of a month: see the last month below",
    "won_amount_mom_change": "the difference of two months' won_amount, which are compared",
    "won_amount_mom_pct": "growth is of the present month: see the last month below",
}
OLIST_LEFT_OUT = {
    "won_mom_change": "the difference of two months' won, which are compared",
    "won_mom_pct": "our growth is of amounts, and the set has none",
    "won_declared_monthly_revenue": "what a seller says of its own shop is no amount of a deal, so it is not imported",
}
OLIST_CLOSER_COMPARED = {"won": counted("won")}
OLIST_CLOSER_LEFT_OUT = OLIST_LEFT_OUT | {
    "days_first_contact_to_won_mean": "belongs to the lead, whose owner is the developer: compared there",
    "days_first_contact_to_won_median": "belongs to the lead, whose owner is the developer",
}
OLIST_DEVELOPER_COMPARED = {
    "won": counted("leads", "converted"),
    "days_first_contact_to_won_mean": days("lead_flow", "qualified", "wall", "mean_seconds"),
}
OLIST_DEVELOPER_LEFT_OUT = OLIST_LEFT_OUT | {
    "days_first_contact_to_won_median": "theirs is between the two middle values, ours the lower one",
}
OLIST_TEAM_COMPARED = {
    "mql": counted("leads", "qualified"),
    "won": counted("won"),
    "conversion_period": ratio("leads", "period"),
    "cohort_won_ever": counted("leads", "cohort_converted"),
    "conversion_cohort": ratio("leads", "cohort"),
    "days_first_contact_to_won_mean": days("lead_flow", "qualified", "wall", "mean_seconds"),
}
OLIST_TEAM_LEFT_OUT = {
    "won_mom_change": "the difference of two months' won, which are compared",
    "won_mom_pct": "our growth is of amounts, and the set has none",
    "days_first_contact_to_won_median": "theirs is between the two middle values, ours the lower one",
    "cum_mql": "no figure of ours runs from the beginning of time; the sum of months that are compared",
    "cum_won": "no figure of ours runs from the beginning of time; the sum of months that are compared",
    "conversion_cumulative": "no figure of ours runs from the beginning of time",
}
ZOHO_COMPARED = {
    "leads_created": counted("leads", "created"),
    "leads_converted_of_created": counted("leads", "cohort_accepted"),
    "deals_created": counted("created"),
    "won": counted("won"),
    "lost": counted("lost"),
    "won_amount_cents": money("won_amount", 100),
    "win_rate": ratio("win_rate"),
    "lost_created_ratio": lost_per_created,
    "days_created_to_won_mean": days("cycle", "mean_seconds"),
    "calls": lambda figures: outbound(figures) + counted("outreach", "inbound_calls")(figures),
    "calls_outbound": outbound,
    "call_seconds": counted("outreach", "talk_seconds"),
}
ZOHO_LEFT_OUT = {
    "days_created_to_won_median": "theirs is between the two middle values, ours the lower one: see odd months below",
    "won_amount_cents_mom_change": "the difference of two months' won amounts, which are compared",
    "won_amount_cents_mom_pct": "growth is of the present month, in which nothing was won here",
    "events": "meetings are no outreach of ours",
    "tasks": "tasks are no outreach, emails among them aside: see the mapping that takes them all below",
}

NEGATIVE = ("b91cf8812365f50ff4bda4bcd6206b05", "2018-03")
"""A lead that was won before its first contact, and when: it has no time from contact to win here, a negative there."""


def compared(rows, documents, field, compared_fields, prefix=""):
    """Every cell of the other program's table with ours: {(subject, month, field): (theirs, ours)} that differ."""
    differing = {}
    for row in rows:
        subject = prefix + row[field]
        document = documents.get(subject)
        figures = document.months.get(row["month"]) if document else None
        for name, read in compared_fields.items():
            ours = read(figures)
            if ours != row[name]:
                differing[subject, row["month"], name] = (row[name], ours)
    return differing


def assert_nothing_beyond(rows, documents, field, prefix, read):
    """No month and no subject of ours has something where the other program's table has no row."""
    told = {(prefix + row[field], row["month"]) for row in rows}
    beyond = {
        (subject, month)
        for subject, document in documents.items()
        for month, figures in document.months.items()
        if read(figures) and (subject, month) not in told
    }
    assert beyond == set()


@pytest.mark.parametrize(
    ("name", "table", "compared_fields", "left_out"),
    [
        ("crm_sales_opportunities", "rep_month", CRM_COMPARED, CRM_LEFT_OUT),
        ("crm_sales_opportunities", "region_month", CRM_COMPARED, CRM_LEFT_OUT),
        ("olist_funnel", "sr_month", OLIST_CLOSER_COMPARED, OLIST_CLOSER_LEFT_OUT),
        ("olist_funnel", "sdr_month", OLIST_DEVELOPER_COMPARED, OLIST_DEVELOPER_LEFT_OUT),
        ("olist_funnel", "team_month", OLIST_TEAM_COMPARED, OLIST_TEAM_LEFT_OUT),
        ("zoho_crm", "rep_month", ZOHO_COMPARED, ZOHO_LEFT_OUT),
    ],
)
def test_every_field_is_compared_or_left_out_for_a_reason(name, table, compared_fields, left_out):
    told = set(truth(name)[table][0]) - {"rep", "month", "team", "region"}

    assert told == set(compared_fields) | set(left_out)
    assert set(compared_fields) & set(left_out) == set()


@pytest.mark.parametrize("path", ["folds", PIPELINE])
class TestCrm:
    """Maven's opportunities: sales month over month, created against lost, days from engagement to win."""

    def test_every_month_of_every_rep_is_theirs(self, documents_of, path):
        rows, documents = truth("crm_sales_opportunities")["rep_month"], documents_of(CRM, path)

        assert compared(rows, documents.reps, "rep", CRM_COMPARED, "crm:") == {}
        assert_nothing_beyond(rows, documents.reps, "rep", "crm:", lambda figures: figures.created + figures.won)

    def test_every_month_of_every_region_and_of_all_is_theirs(self, documents_of, path):
        told, documents = truth("crm_sales_opportunities"), documents_of(CRM, path)

        assert compared(told["region_month"], documents.teams, "region", CRM_COMPARED) == {}
        assert compared(told["team_month"], {"ALL": documents.organisation}, "team", CRM_COMPARED) == {}

    def test_every_month_of_every_manager_is_the_sum_of_the_reps(self, documents_of, path):
        sums = {name: read for name, read in CRM_COMPARED.items() if name in {"created", "won", "lost", "won_amount"}}
        reps = documents_of(CRM, path).reps.values()
        for row in truth("crm_sales_opportunities")["manager_month"]:
            own = [rep.months.get(row["month"]) for rep in reps if rep.manager == row["manager"]]

            assert {name: sum(map(read, own)) for name, read in sums.items()} == {name: row[name] for name in sums}

    def test_the_last_month_stands_as_theirs_at_its_end(self, documents_of, path):
        documents = documents_of(CRM, path)
        rows = [row for row in truth("crm_sales_opportunities")["rep_month"] if row["month"] == "2017-12"]
        for row in rows:
            rep = documents.reps[f"crm:{row['rep']}"]
            growth = rep.sales.growth.get("USD")

            assert rep.funnel.open_deals == row["open_at_month_end"]
            assert (None if growth is None else Rounded(growth)) == row["won_amount_mom_pct"]
            assert Decimal(rep.sales.prev_mtd.won_amount.get("USD", "0")) == (
                row["won_amount"] - row["won_amount_mom_change"]
            )

    def test_medians_are_theirs_where_there_is_a_middle_value(self, documents_of, path):
        documents = documents_of(CRM, path)
        field = "days_engage_to_won_median"

        assert odd_medians(truth("crm_sales_opportunities")["rep_month"], documents.reps, field, "crm:", path) > 100

    def test_reps_and_teams_are_those_of_the_team_file(self, documents_of, path):
        documents = documents_of(CRM, path)

        assert len(documents.reps) == truth("crm_sales_opportunities")["totals"]["reps_in_team_file"]
        for row in truth("crm_sales_opportunities")["rep_total"]:
            rep = documents.reps[f"crm:{row['rep']}"]
            assert (rep.name, rep.team, rep.manager) == (row["rep"], row["region"], row["manager"])


@pytest.mark.parametrize("path", ["oracle", "folds", PIPELINE])
class TestOlist:
    """Olist's funnel: leads of developers, deals of closers, conversion of all by period and by cohort."""

    def test_every_month_of_every_closer_is_theirs(self, documents_of, path):
        rows, documents = truth("olist_funnel")["sr_month"], documents_of(OLIST, path)

        assert compared(rows, documents.reps, "rep", OLIST_CLOSER_COMPARED, "olist:") == {}
        assert_nothing_beyond(rows, documents.reps, "rep", "olist:", counted("won"))

    def test_every_month_of_every_developer_is_theirs(self, documents_of, path):
        rows, documents = truth("olist_funnel")["sdr_month"], documents_of(OLIST, path)
        differing = compared(rows, documents.reps, "rep", OLIST_DEVELOPER_COMPARED, "olist:")

        assert [(month, field) for _, month, field in differing] == [(NEGATIVE[1], "days_first_contact_to_won_mean")]
        assert_nothing_beyond(rows, documents.reps, "rep", "olist:", counted("leads", "converted"))

    def test_every_month_of_all_is_theirs(self, documents_of, path):
        rows, organisation = truth("olist_funnel")["team_month"], documents_of(OLIST, path).organisation
        differing = compared(rows, {"ALL": organisation}, "team", OLIST_TEAM_COMPARED)

        assert [(month, field) for _, month, field in differing] == [(NEGATIVE[1], "days_first_contact_to_won_mean")]


@pytest.mark.parametrize("path", ["folds", PIPELINE])
class TestZoho:
    """Zoho's demo organisation: leads, deals and calls per owner."""

    def test_every_month_of_every_rep_is_theirs(self, documents_of, path):
        rows, documents = truth("zoho_crm")["rep_month"], documents_of(ZOHO, path)

        assert compared(rows, documents.reps, "rep", ZOHO_COMPARED, "zoho:") == {}
        assert_nothing_beyond(rows, documents.reps, "rep", "zoho:", lambda figures: figures.created + figures.won)

    def test_every_month_of_all_is_theirs(self, documents_of, path):
        rows, organisation = truth("zoho_crm")["team_month"], documents_of(ZOHO, path).organisation

        assert compared(rows, {"ALL": organisation}, "team", ZOHO_COMPARED) == {}

    def test_medians_are_theirs_where_there_is_a_middle_value(self, documents_of, path):
        documents = documents_of(ZOHO, path)

        assert (
            odd_medians(truth("zoho_crm")["rep_month"], documents.reps, "days_created_to_won_median", "zoho:", path)
            > 50
        )


def odd_medians(rows, documents, field, prefix, path):
    """How many medians of an odd number of wins were compared; each is asserted."""
    number = 0
    for row in rows:
        if row["won"] % 2:
            median = documents[prefix + row["rep"]].months[row["month"]].cycle.median_seconds / DAY_SECONDS
            assert median == pytest.approx(row[field], rel=1e-6 if path == "oracle" else SKETCHED, abs=1e-6)
            number += 1
    return number


def months(documents):
    return {name: document.months for name, document in documents.reps.items()}


@pytest.mark.parametrize(
    ("original", "variant"),
    [
        (CRM, ("crm/variants/sales_pipeline_m_d_yyyy.csv", "crm/sales_teams.csv")),
        (OLIST, ("olist/variants/mql_dd-mm-yyyy.csv", "olist/olist_closed_deals_dataset.csv")),
        (OLIST, ("olist/variants/mql_m_d_yyyy.csv", "olist/olist_closed_deals_dataset.csv")),
    ],
)
def test_the_same_rows_with_other_dates_are_the_same_events(events_of, original, variant):
    assert events_of(msgspec.structs.replace(original, files=variant)) == events_of(original)


@pytest.mark.parametrize("leads", ["olist/variants/mql_m_d_yyyy.csv", "olist/variants/mql_dd-mm-yyyy.csv"])
def test_times_cut_to_minutes_give_the_same_months(documents_of, leads):
    cut = msgspec.structs.replace(OLIST, files=(leads, "olist/variants/closed_deals_m_d_yyyy_hhmm.csv"))
    mine, theirs = documents_of(cut, "folds"), documents_of(OLIST, "folds")

    assert set(mine.reps) == set(theirs.reps)
    for name, read in (OLIST_CLOSER_COMPARED | {"converted": counted("leads", "converted")}).items():
        for rep, document in theirs.reps.items():
            assert (name, {month: read(f) for month, f in mine.reps[rep].months.items()}) == (
                name,
                {month: read(f) for month, f in document.months.items()},
            )
    assert [f.leads for f in mine.organisation.months.values()] == [
        f.leads for f in theirs.organisation.months.values()
    ]


EVERY_TASK = """
source = "import/zoho"
prefix = "zoho:"
times = ["%d %b, %Y %H:%M:%S"]
[[files]]
name = "tasks"
[[files.events]]
type = "email.sent"
subject = { row_id = true }
time = "Created Time"
[files.events.data]
rep_id = "Task Owner"
"""


def test_rows_without_an_id_are_told_apart_also_if_equal(tmp_path):
    """2,067 of 2,978 tasks are equal to another to the letter; their file counts every row."""
    mapping, output = tmp_path / "tasks.toml", tmp_path / "events.ndjson"
    mapping.write_text(EVERY_TASK)
    assert run(ZOHO.settings, Secrets(), mapping, [DATASETS / "zoho" / "Tasks.csv"], output=output) == 0
    events = [event for line in output.read_bytes().splitlines() for event in decode(Kind.EMAIL, line, (), UNLIMITED)]
    told = report(ZOHO.settings, events, fields.instant(ZOHO.now, "now"))

    tasks = {"tasks": counted("outreach", "emails")}
    assert len({event.subject for event in events}) == 2_978
    assert compared(truth("zoho_crm")["rep_month"], told.reps, "rep", tasks, "zoho:") == {}
