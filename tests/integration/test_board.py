from __future__ import annotations

import asyncio
import contextlib
import json
import re
import shutil
import socket
import subprocess
from datetime import timedelta

import aiohttp
import msgspec
import pytest
from aiokafka import AIOKafkaConsumer
from jsonschema import Draft202012Validator
from msgspec.structs import replace
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_classic
from support.cell_floor import BENCHMARKS, LEADS, NOW, PIPELINES, at, floor
from support.shards import ALWAYS_CURRENT_US, ShardWriter

from funnelwatch.agents import clock
from funnelwatch.agents.board import hub, reader
from funnelwatch.agents.board.openapi import ROUTES
from funnelwatch.agents.board.service import serve
from funnelwatch.agents.embedded import EmbeddedRedis, free_ports
from funnelwatch.agents.errors import OperationError
from funnelwatch.agents.topics import ensure
from funnelwatch.schemas.document import Document
from funnelwatch.schemas.events import Kind
from funnelwatch.schemas.settings import BoardSettings, KafkaSettings, RedisSettings, Secrets, Settings
from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.cells import DayCell, ItemCell, RepRecord
from funnelwatch.streams.documents import Documents
from funnelwatch.streams.exposition import label_text
from funnelwatch.streams.table import Table

pytestmark = pytest.mark.integration

SECONDS_MAX = 20.0
REPS = 6
TODAY = NOW.date().toordinal()
HOSTILE = '<img src=x onerror=alert(1)>"\\\n\u202e'


@pytest.fixture(autouse=True)
def _quickly(monkeypatch):
    monkeypatch.setattr(reader, "RECONNECT_SECONDS", 0.05)
    monkeypatch.setattr(reader, "POLL_SECONDS", 0.05)


@pytest.fixture
def settings(redis_server, prefix) -> Settings:
    nowhere, port = free_ports(2)
    return Settings(
        clock=NOW.isoformat(),
        pipelines=PIPELINES,
        leads=LEADS,
        benchmarks=BENCHMARKS,
        redis=RedisSettings(port=redis_server.port, prefix=prefix.rstrip(".")),
        kafka=KafkaSettings(bootstrap=(f"127.0.0.1:{nowhere}",), partitions=2, prefix=prefix),
        board=BoardSettings(port=port),
    )


@pytest.fixture
def writer(settings):
    found = ShardWriter(settings)
    yield found
    found.close()


@pytest.fixture
def cells():
    return floor(reps=REPS)


@contextlib.asynccontextmanager
async def board(settings: Settings):
    stop = asyncio.Event()
    task = asyncio.create_task(serve(settings, Secrets(), stop))
    async with aiohttp.ClientSession(f"http://127.0.0.1:{settings.board.port}") as session:
        await until(session, "/healthz", 200)
        try:
            yield session
        finally:
            stop.set()
            assert await asyncio.wait_for(task, SECONDS_MAX) == 0


async def until(session: aiohttp.ClientSession, path: str, status: int, said: str = "") -> None:
    async with asyncio.timeout(SECONDS_MAX):
        while True:
            with contextlib.suppress(aiohttp.ClientConnectionError):
                async with session.get(path) as answer:
                    if answer.status == status and (not said or said in await answer.text()):
                        return
            await asyncio.sleep(0.05)


async def asked(session: aiohttp.ClientSession, path: str, **headers: str):
    async with session.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()}) as answer:
        return answer.status, answer.headers, await answer.text()


async def test_what_the_workers_published_is_what_the_api_says(settings, writer, cells):
    writer.everything(cells, at=clock.now_us())
    table = Table(settings, Calendar(settings.calendar))
    for shard, own in cells.items():
        table.replace(shard, own)
    documents = Documents(settings, table)
    expected = json.loads(_encode(documents.rep("crm:2", at(NOW))))
    async with board(settings) as session:
        await until(session, "/readyz", 200)
        status, headers, body = await asked(session, "/api/v1/reps/crm:2")

        assert (status, json.loads(body)) == (200, expected)
        assert (await asked(session, "/api/v1/reps/crm%3A2"))[2] == body
        assert (await asked(session, "/api/v1/reps/crm:2", If_None_Match=headers["ETag"]))[0] == 304

        organisation = json.loads((await asked(session, "/api/v1/organisation"))[2])
        rows = json.loads((await asked(session, "/api/v1/reps"))[2])["rows"]
        teams = json.loads((await asked(session, "/api/v1/teams"))[2])["rows"]
        team = json.loads((await asked(session, "/api/v1/teams/North"))[2])

        assert {row["id"] for row in rows} == {f"crm:{number}" for number in range(1, REPS + 1)}
        assert [row["concern"] for row in rows] == sorted((row["concern"] for row in rows), reverse=True)
        assert sum(row["won"] for row in rows) == organisation["sales"]["mtd"]["won"]
        assert sum(row["open_deals"] for row in teams) == organisation["funnel"]["open_deals"]
        assert team["level"] == "team"


async def test_a_rep_whose_days_are_all_forgotten_is_listed_nowhere_and_harms_nobody(settings, writer, cells):
    ghost = DayCell("ghost", TODAY - settings.retention_days - 5)
    cells[Kind.DEAL, 0][ghost] = {("won", "new-business", "EUR"): 3}
    writer.everything(cells, at=clock.now_us())
    async with board(settings) as session:
        await until(session, "/api/v1/alerts", 200)
        await asyncio.sleep(1.5)  # the detectors have looked at everybody

        assert len(json.loads((await asked(session, "/api/v1/reps"))[2])["rows"]) == REPS
        assert (await asked(session, "/api/v1/reps/ghost"))[0] == 404


async def test_who_does_not_exist_is_a_404_that_says_so(settings, writer):
    writer.everything({}, at=clock.now_us())
    async with board(settings) as session:
        await until(session, "/readyz", 200)
        for path in ("/api/v1/reps/nobody", "/api/v1/teams/nowhere", "/nothing", "/static/../server.py"):
            status, headers, body = await asked(session, path)

            assert (status, json.loads(body)["status"]) == (404, 404), path
            assert headers["Content-Type"] == "application/problem+json; charset=utf-8"
            assert "default-src 'none'" in headers["Content-Security-Policy"]

        async with session.post("/api/v1/reps") as answer:
            assert (answer.status, answer.headers["Allow"]) == (405, "GET,HEAD")


async def test_the_runbook_of_an_alert_is_served_also_while_there_are_no_figures(settings):
    async with board(settings) as session:
        found = await asked(session, "/runbooks/FunnelwatchKpisStale")
        unknown = await asked(session, "/runbooks/Nothing")

    assert (found[0], found[2].startswith("# FunnelwatchKpisStale\n")) == (200, True)
    assert unknown[0] == 404


async def test_what_people_were_told_is_taken_as_json_only(settings):
    async with board(settings) as session:
        for kind, body, status in (
            ("application/json", b'{"alerts":[]}', 204),
            ("application/json", b"{}", 400),
            ("text/plain", b'{"alerts":[]}', 415),
        ):
            async with session.post("/api/v1/told", data=body, headers={"Content-Type": kind}) as answer:
                assert answer.status == status, kind


async def test_an_acknowledgement_is_json_and_of_an_alert_that_exists(settings):
    async with board(settings) as session:
        for kind, body, status in (
            ("text/plain", b"{}", 415),
            ("application/json", b"{}", 400),
            ("application/json", b'{"alertname":"Nothing"}', 404),
        ):
            async with session.post("/api/v1/acknowledgements", data=body, headers={"Content-Type": kind}) as answer:
                assert answer.status == status, kind
        page = await asked(session, "/acknowledge?alertname=RepLossSpike&rep=a&team=b&lang=fa")

    assert page[0] == 200
    assert '<html lang="fa" dir="rtl">' in page[2]


async def test_a_change_is_on_the_stream_and_in_the_document_at_once(settings, writer, cells):
    writer.everything(cells, at=clock.now_us())
    async with board(settings) as session:
        await until(session, "/readyz", 200)
        async with session.get("/api/v1/stream") as stream:
            events = _events(stream)
            beginning = [await anext(events) for _ in range(5)]

            assert [name for name, _ in beginning] == ["status", "reps", "teams", "organisation", "alerts"]
            assert len(beginning[1][1]["rows"]) == REPS

            before = beginning[1][1]["rows"][0]
            change = {DayCell(before["id"], TODAY): {("won", "new-business", "EUR"): 100}}
            writer.change(Kind.EMAIL, 1, change, at=clock.now_us())
            async with asyncio.timeout(SECONDS_MAX):
                told = before
                while told["won"] < 100:
                    name, data = await anext(events)
                    if name == "reps":
                        told = next((row for row in data["rows"] if row["id"] == before["id"]), told)

        document = json.loads((await asked(session, f"/api/v1/reps/{before['id']}"))[2])

        assert document["sales"]["mtd"]["won"] == told["won"]


async def test_metrics_are_those_of_the_documents_in_both_formats(settings, writer, cells):
    rep = ItemCell("crm:1", "rep", "crm:1")
    for own in cells.values():
        if rep in own:
            own[rep] = replace(own[rep], name=HOSTILE, teams=((0, HOSTILE),))
    writer.everything(cells, at=clock.now_us())
    async with board(settings) as session:
        await until(session, "/metrics", 200)
        _, headers, text = await asked(session, "/metrics")
        _, open_headers, open_text = await asked(session, "/metrics", Accept="application/openmetrics-text")
        document = json.loads((await asked(session, "/api/v1/reps/crm:1"))[2])
    classic, modern = _series(parse_classic(text)), _series(parse_openmetrics(open_text))
    key = ("rep", "crm:1"), ("team", label_text(HOSTILE))

    assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert open_headers["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert {name for name, _ in classic} == {name for name, _ in modern}
    assert classic["sales_rep_idle_seconds", frozenset(key)] == document["funnel"]["idle_seconds"]
    for window in settings.board.metric_windows:
        lost = document["windows"][window]["loss_rate"]
        assert classic.get(("sales_rep_loss_ratio", frozenset({*key, ("window", window)}))) == lost
    assert [
        name for name, labels in classic if name == "sales_kpi_age_seconds" and ("topic", "crm.deals") in labels
    ] == []
    for kind in Kind:
        topic = f"{settings.kafka.prefix}crm.{kind.value}s"
        labels = frozenset({("topic", topic), ("partition", "1")})
        assert classic["sales_partition_owner_epoch", labels] == 7
        assert 0 <= classic["sales_kpi_age_seconds", labels] < SECONDS_MAX
    assert await asyncio.to_thread(complaints, text) == b""


def complaints(text: str) -> bytes:
    """What promtool has to say against a page; nothing where it is not installed."""
    if shutil.which("promtool") is None:
        return b""
    return subprocess.run(
        ["promtool", "check", "metrics"],
        input=text.encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    ).stdout


async def test_a_flood_of_invented_reps_leaves_the_real_ones_their_series(settings, writer, cells):
    settings = replace(settings, board=replace(settings.board, reps_max=REPS))
    flood = {DayCell(f"aaa{number}", TODAY): {("won", "new-business", "EUR"): 2} for number in range(120)}
    writer.everything(cells | {(Kind.EMAIL, 1): flood}, at=clock.now_us())
    async with board(settings) as session:
        await until(session, "/metrics", 200)
        labels = {("rep", "__other__"), ("team", ""), ("outcome", "won"), ("window", "today")}
        async with asyncio.timeout(SECONDS_MAX):
            found = {}
            while found.get(("sales_rep_deals", frozenset(labels))) != 240:
                found = _series(parse_classic((await asked(session, "/metrics"))[2]))
        reps = {dict(labels)["rep"] for name, labels in found if name == "sales_rep_idle_seconds"}

        assert reps == {f"crm:{number}" for number in range(1, REPS + 1)}
        assert found["funnelwatch_reps_over_limit", frozenset()] == 120
        assert found["funnelwatch_reps_capped_total", frozenset()] == 120
        assert (await asked(session, "/api/v1/reps/aaa7"))[0] == 200


async def test_half_of_the_partitions_are_no_figures(settings, writer, cells):
    writer.whole(Kind.DEAL, 0, cells[Kind.DEAL, 0], at=clock.now_us())
    async with board(settings) as session:
        await until(session, "/readyz", 503, "1 of 10 partitions")
        ready = json.loads((await asked(session, "/readyz"))[2])

        assert ready["detail"] == "1 of 10 partitions have been read. Are the workers running?"
        for path in ("/api/v1/reps", "/api/v1/reps/crm:1", "/api/v1/organisation", "/api/v1/alerts", "/metrics"):
            status, headers, body = await asked(session, path)
            assert (status, ready["detail"] in body) == (503, True), path
        assert headers["Content-Type"] == "text/plain; charset=utf-8"

        writer.everything(cells, at=clock.now_us())
        await until(session, "/metrics", 200)


async def test_while_redis_is_away_nothing_is_answered_and_then_it_recovers(tmp_path, settings, cells, caplog):
    (port,) = free_ports(1)
    settings = replace(settings, redis=replace(settings.redis, port=port))
    server = EmbeddedRedis(tmp_path, port)
    server.start()
    writer = ShardWriter(settings)
    writer.everything(cells, at=clock.now_us())
    async with board(settings) as session:
        await until(session, "/readyz", 200)
        before = (await asked(session, "/api/v1/reps/crm:1"))[2]
        server.kill()
        await until(session, "/readyz", 503)
        for path in ("/api/v1/reps/crm:1", "/metrics", "/api/v1/teams"):
            status, _, body = await asked(session, path)
            assert (status, f"Redis at 127.0.0.1:{port} is away" in body) == (503, True), path
        assert (await asked(session, "/healthz"))[0] == 200

        server.start()
        writer.everything(cells, at=clock.now_us())
        await until(session, "/readyz", 200)

        assert (await asked(session, "/api/v1/reps/crm:1"))[2] == before
    writer.close()
    server.stop()

    assert len([record for record in caplog.records if "is away" in record.message]) == 1


async def test_pages_come_in_the_language_asked_for_with_nothing_from_elsewhere(settings):
    async with board(settings) as session:
        for path in ("/", "/reps/crm:1"):
            assert '<html lang="fa" dir="rtl">' in (await asked(session, f"{path}?lang=fa"))[2]
            _, headers, text = await asked(session, path)

            assert '<html lang="en" dir="ltr">' in text
            assert headers["Content-Type"] == "text/html; charset=utf-8"
            assert "//" not in text.replace("<!doctype html>", "")
            for own in re.findall(r'(?:src|href)="(/static/[^"]+)"', text):
                assert (await asked(session, own))[0] == 200, own


async def test_a_hostile_name_stays_text(settings, writer):
    record = RepRecord(HOSTILE, None, True, False, None, ((0, HOSTILE),), {}, None, None)
    writer.everything({(Kind.REP, 0): {ItemCell("</script>", "rep", "</script>"): record}}, at=clock.now_us())
    async with board(settings) as session:
        await until(session, "/readyz", 200)
        _, headers, body = await asked(session, "/api/v1/reps")
        page = await asked(session, "/reps/%3C%2Fscript%3E?lang=%22%3E%3Cscript%3E")

    assert json.loads(body)["rows"][0]["name"] == HOSTILE
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert page[0] == 200
    assert '<html lang="en" dir="ltr">' in page[2]
    assert "<script>" not in page[2]
    assert "unsafe" not in page[1]["Content-Security-Policy"]


async def test_the_description_of_the_api_describes_what_is_answered(settings, writer, cells):
    writer.everything(cells, at=clock.now_us())
    async with board(settings) as session:
        await until(session, "/readyz", 200)
        description = json.loads((await asked(session, "/api/v1/openapi.json"))[2])
        for route in ROUTES:
            if route.type is None:
                continue
            path = route.path.replace("{id}", "crm:1" if "reps" in route.path else "North")
            status, _, body = await asked(session, path)
            schema = {"$ref": f"#/components/schemas/{route.type.__name__}", "components": description["components"]}

            assert status == 200, path
            assert list(Draft202012Validator(schema).iter_errors(json.loads(body))) == [], path
    assert description["openapi"].startswith("3.1")


async def test_more_pages_than_may_listen_are_refused_and_the_board_stays_up(settings, writer, monkeypatch):
    monkeypatch.setattr(hub, "LISTENERS_MAX", 1)
    writer.everything({}, at=clock.now_us())
    async with board(settings) as session:
        await until(session, "/readyz", 200)
        async with session.get("/api/v1/stream") as first:
            assert first.status == 200
            assert (await asked(session, "/api/v1/stream"))[0] == 503
        await until(session, "/api/v1/stream", 200)


async def test_a_port_in_use_is_one_clear_sentence(settings):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", settings.board.port))
        taken.listen()
        with pytest.raises(OperationError, match=rf"listen on 127\.0\.0\.1:{settings.board.port}: .*board\.port"):
            await serve(settings, Secrets(), asyncio.Event())


async def test_a_board_that_starts_again_knows_since_when_an_alert_fires(settings, writer, cells):
    writer.everything(cells, at=clock.now_us())
    async with board(settings) as session:
        before = await firing(session)
    later = replace(settings, clock=(NOW + timedelta(minutes=5)).isoformat())
    async with board(later) as session:
        after = await firing(session)

    assert before != {}
    assert after == before


async def firing(session: aiohttp.ClientSession) -> dict[str, str]:
    """The alerts that fire, once there are any: id to since when."""
    async with asyncio.timeout(SECONDS_MAX):
        while True:
            status, _, body = await asked(session, "/api/v1/alerts")
            if status == 200 and (alerts := json.loads(body)["alerts"]):
                return {alert["id"]: alert["since"] for alert in alerts}
            await asyncio.sleep(0.1)


async def test_while_workers_are_behind_nobody_is_judged_and_alerts_stand(settings, writer, cells):
    """Of half a picture much looks like trouble: one topic is ahead of another while a backlog is read."""
    writer.current_us = clock.now_us() - 60_000_000
    writer.everything(cells, at=clock.now_us())
    async with board(settings) as session:
        await until(session, "/api/v1/status", 200, "still reading")
        await asyncio.sleep(2)
        _, _, page = await asked(session, "/metrics")

        assert json.loads((await asked(session, "/api/v1/alerts"))[2])["alerts"] == []
        assert "funnelwatch_board_judgement_held 1\n" in page
        assert "sales_rep_evidence{" not in page
        assert "sales_rep_won_amount{" in page

        writer.current_us = ALWAYS_CURRENT_US
        writer.everything(cells, at=clock.now_us())
        before = await firing(session)
        writer.current_us = 0
        writer.everything({}, at=clock.now_us())
        await until(session, "/api/v1/status", 200, "still reading")
        await asyncio.sleep(2)

        assert json.loads((await asked(session, "/api/v1/alerts"))[2])["alerts"] != []
        assert await firing(session) == before


async def test_documents_and_alerts_go_to_kafka_once_for_each_change(kafka, settings, writer, cells):
    settings = replace(settings, kafka=replace(settings.kafka, bootstrap=(kafka,)))
    writer.everything(cells, at=clock.now_us())
    await ensure(settings, Secrets())
    prefix = settings.kafka.prefix
    consumer = AIOKafkaConsumer(
        f"{prefix}kpi.reps", f"{prefix}kpi.alerts", bootstrap_servers=kafka, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        async with board(settings) as session:
            await until(session, "/readyz", 200)
            first = [await _document(consumer, prefix) for _ in range(REPS)]

            assert {key for key, _ in first} == {f"crm:{number}" for number in range(1, REPS + 1)}

            writer.change(
                Kind.EMAIL, 1, {DayCell("crm:3", TODAY): {("won", "new-business", "EUR"): 50}}, at=clock.now_us()
            )
            key, body = await _document(consumer, prefix)

            assert key == "crm:3"
            assert json.loads(body) == json.loads((await asked(session, "/api/v1/reps/crm:3"))[2])
    finally:
        await consumer.stop()


async def _document(consumer: AIOKafkaConsumer, prefix: str) -> tuple[str, bytes]:
    async with asyncio.timeout(SECONDS_MAX):
        while True:
            message = await consumer.getone()
            if message.topic == f"{prefix}kpi.reps":
                return message.key.decode(), message.value


async def _events(stream: aiohttp.ClientResponse):
    name = ""
    async for raw in stream.content:
        line = raw.decode().rstrip("\n")
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


def _series(families) -> dict:
    return {(sample.name, frozenset(sample.labels.items())): sample.value for one in families for sample in one.samples}


def _encode(document: Document) -> bytes:
    return msgspec.json.encode(document)
