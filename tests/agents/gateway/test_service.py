"""The running gateway without a Kafka: what it takes is on disk, what it does not take it refuses as it should."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging

import msgspec
import pytest
from support.gateway import SECRET, event, gateway_settings, running, signed, spooled

from funnelwatch.agents.gateway.refusals import kept
from funnelwatch.schemas.problems import ConfigurationError
from funnelwatch.schemas.settings import SourceSettings

MAPPING = """
source = "own"
[[files]]
name = "deals"
[[files.events]]
type = "deal.won"
id = "id"
subject = "id"
time = "at"
[files.events.data]
amount = "amount"
"""
HEADERS = b"POST /hooks/own HTTP/1.1\r\nhost: x\r\n"


async def test_what_is_accepted_survives_a_restart(tmp_path):
    settings = gateway_settings(tmp_path)
    async with running(settings) as gateway:
        assert (await gateway.post(event(1)))[0] == 200
        assert (await gateway.post([event(2), event(3)]))[0] == 200
        assert await gateway.metric("funnelwatch_spool_events") == 3
    async with running(settings) as gateway:
        assert await gateway.metric("funnelwatch_spool_events") == 3
        assert (await gateway.post(event(4)))[0] == 200

    assert [one["id"] for one in spooled(settings)] == ["1", "2", "3", "4"]


async def test_events_in_flight_at_the_stop_are_not_lost(tmp_path):
    settings = gateway_settings(tmp_path)
    async with running(settings) as gateway:
        posts = [asyncio.create_task(gateway.post(event(number))) for number in range(100)]
        await asyncio.wait(posts, return_when=asyncio.FIRST_COMPLETED)

    answered = [post.result()[0] for post in posts if not post.exception()]
    assert 1 <= answered.count(200) <= len(spooled(settings))


async def test_whatever_is_not_proven_is_refused_and_goes_nowhere(tmp_path):
    settings = gateway_settings(tmp_path)
    body = json.dumps(event(1)).encode()
    async with running(settings) as gateway:
        for headers in (
            {},
            signed(b"other"),
            signed(body, "other secret"),
            {"authorization": "Bearer x"},
            {"authorization": "Basic x"},
            {"x-signature-256": "sha256="},
        ):
            status, answer = await gateway.post(body, headers=headers)
            assert status == 401
            assert json.loads(answer)["detail"] in {"missing_proof", "wrong_proof", "unreadable_proof"}
        assert await gateway.metric("funnelwatch_deliveries_total", result="forged") == 6

    assert spooled(settings) == []


async def test_what_cannot_be_read_is_refused_with_the_reason(tmp_path):
    settings = gateway_settings(tmp_path)
    twice = json.dumps(event(1)).replace('"id": "1"', '"id": "1", "id": "2"').encode()
    deep = b"[" * 100_000
    bodies = {
        b"": "empty",
        b"no": "unreadable_json",
        twice: "repeated_member",
        deep: "nested_too_deep",
        json.dumps(event(1) | {"type": "deal.eaten"}).encode(): "unknown_type",
        json.dumps(event(1, amount="much")).encode(): "bad_amount",
    }
    async with running(settings) as gateway:
        for body, reason in bodies.items():
            status, answer = await gateway.post(body)
            assert (status, json.loads(answer)["detail"].partition(":")[0]) == (422, reason)
            assert await gateway.metric("funnelwatch_deliveries_refused_total", reason=reason) == 1

    assert spooled(settings) == []


async def test_what_was_refused_is_kept_with_its_bytes_and_taken_after_a_correction(tmp_path):
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(MAPPING.replace('time = "at"', 'time = "when"'), encoding="utf-8")
    shop = SourceSettings(name="shop", system="webhook", mapping_file=str(mapping))
    settings = gateway_settings(tmp_path, shop)
    body = json.dumps({"id": 1, "at": "2026-11-23T10:00:00Z"}).encode()
    async with running(settings) as gateway:
        assert (await gateway.post(body, name="shop"))[0] == 422
        assert (await gateway.post(b"no"))[0] == 422
    assert [(one.name, one.reason, one.delivery.body) for one in kept(tmp_path / "gateway")] == [
        ("shop", "missing_attribute", body),
        ("own", "unreadable_json", b"no"),
    ]
    mapping.write_text(MAPPING, encoding="utf-8")
    async with running(settings) as gateway:

        async def taken():
            return await gateway.metric("funnelwatch_refused_deliveries") == 1

        await gateway.until("one of the two is taken", taken)

    assert [one["id"] for one in spooled(settings)] == ["1"]
    assert SECRET.encode() not in (tmp_path / "gateway" / "gateway.sqlite").read_bytes()


async def test_addresses_and_methods_that_are_none_are_refused(tmp_path):
    async with running(gateway_settings(tmp_path)) as gateway:
        assert (await gateway.post(b"{}", name="other"))[0] == 404
        assert (await gateway.get("/hooks/own"))[0] == 405
        assert (await gateway.get("/nothing"))[0] == 404
        assert await gateway.metric("funnelwatch_deliveries_total", source="__unknown__") == 1


async def test_an_answer_that_comes_before_the_body_is_not_lost_with_the_connection(tmp_path):
    async with running(gateway_settings(tmp_path)) as gateway:
        for body in (b"x" * 10, b"x" * 10_000_000):
            statuses = [(await gateway.post(body, name=name, headers={}))[0] for name in ("nobody", "own") * 5]
            assert statuses == [404, 401 if len(body) == 10 else 413] * 5


async def test_packed_bodies_are_read_and_bombs_are_not(tmp_path):
    settings = gateway_settings(tmp_path)
    body = json.dumps(event(1)).encode()
    async with running(settings) as gateway:
        packed = {**signed(body), "content-encoding": "gzip"}
        assert (await gateway.post(gzip.compress(body), headers=packed))[0] == 200
        bomb = gzip.compress(b"\0" * 50_000_000)
        assert (await gateway.post(bomb, headers=packed))[0] == 413
        assert (await gateway.post(b"\0" * 2_000_000, headers=signed(b"")))[0] == 413
        assert (await gateway.post(body, headers={**packed, "content-encoding": "br"}))[0] == 415

    assert len(spooled(settings)) == 1


async def test_chunked_lies_are_refused(tmp_path):
    chunked = HEADERS + b"transfer-encoding: chunked\r\n\r\n"
    async with running(gateway_settings(tmp_path, body_seconds=0.3)) as gateway:
        for pieces, status in (
            ((chunked, b"zz\r\n"), b"400"),
            ((chunked, b"5\r\nabc\r\n0\r\n\r\n"), b"400"),
            ((chunked, b"ffffffffffffffffff\r\n"), b"400"),
            ((HEADERS + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n", b"0\r\n\r\n"), b"400"),
            ((HEADERS + b"content-length: 5\r\ncontent-length: 6\r\n\r\n", b"abcdef"), b"400"),
            ((HEADERS + b"content-length: -5\r\n\r\n",), b"400"),
            ((HEADERS + b"content-length: 5\r\n\r\n", b"abc"), b"408"),
            ((chunked, b"100000\r\n", b"x" * 0x100000, b"\r\n1\r\nx\r\n"), b"413"),
        ):
            answer = await gateway.raw(*pieces)
            assert answer.split(b" ")[1] == status, (pieces[0][-40:], answer[:100])


async def test_whoever_is_slow_is_cut_off_and_nobody_else(tmp_path):
    async with running(gateway_settings(tmp_path, header_seconds=0.5, body_seconds=0.5)) as gateway:
        slow_headers = gateway.raw(HEADERS, *[b"x"] * 60, pause=0.05)
        slow_body = gateway.raw(HEADERS + b"content-length: 100\r\n\r\n", *[b"x"] * 60, pause=0.05)
        silent = gateway.raw()
        answers = await asyncio.gather(slow_headers, slow_body, silent, gateway.post(event(1)))

    assert answers[3][0] == 200
    assert b" 408 " in answers[2]


async def test_a_handshake_gives_back_nothing_that_is_no_header(tmp_path):
    asked = HEADERS.replace(b"POST", b"OPTIONS") + b"connection: close\r\nwebhook-request-origin: "
    async with running(gateway_settings(tmp_path)) as gateway:
        assert b"webhook-allowed-origin: a.example" in await gateway.raw(asked + b"a.example\r\n\r\n")
        for origin in (b"a\x7f", b"a\xff", b"a" * 2_000):
            assert b" 400 " in (await gateway.raw(asked + origin + b"\r\n\r\n"))[:20]


async def test_large_headers_are_refused(tmp_path):
    async with running(gateway_settings(tmp_path)) as gateway:
        little_by_little = await gateway.raw(HEADERS, *[b"a: " + b"x" * 8_000 + b"\r\n"] * 8)
        at_once = await gateway.raw(HEADERS + b"a: " + b"x" * 40_000 + b"\r\ncontent-length: 3\r\n\r\nabc")
        assert (await gateway.post(event(1)))[0] == 200

    assert little_by_little == b"" or b" 431 " in little_by_little
    assert at_once == b"" or b" 431 " in at_once


async def test_connections_are_limited_in_all_and_of_one_address(tmp_path):
    settings = gateway_settings(tmp_path, connections_max=12, connections_per_address_max=8)
    async with running(settings) as gateway:
        opened = [
            await asyncio.open_connection("127.0.0.1", settings.gateway.port, local_addr=("127.0.0.9", 0))
            for _ in range(10)
        ]
        assert (await gateway.post(event(1)))[0] == 200
        assert 8 <= await gateway.metric("funnelwatch_gateway_connections") <= 9
        refused = [await closed(reader) for reader, _ in opened[8:]]
        assert refused == [True, True]
        assert not any(reader.at_eof() for reader, _ in opened[:8])
        for _, writer in opened:
            writer.close()


async def test_a_rate_is_kept_and_the_caller_told_when_to_come_back(tmp_path):
    settings = gateway_settings(tmp_path)
    slow = msgspec.structs.replace(settings.sources[0], requests_per_second_max=2.0)
    async with running(msgspec.structs.replace(settings, sources=(slow,))) as gateway:
        statuses = [(await gateway.post(event(number)))[0] for number in range(8)]

    assert statuses[:4] == [200] * 4
    assert 429 in statuses[4:]


async def test_a_full_spool_is_a_503_that_says_when_to_come_back(tmp_path):
    settings = gateway_settings(tmp_path)
    full = msgspec.structs.replace(settings.gateway, spool_bytes_max=300)
    async with running(msgspec.structs.replace(settings, gateway=full)) as gateway:
        statuses = [(await gateway.post(event(number)))[0] for number in range(5)]
        assert (await gateway.get("/readyz"))[0] == 200

    assert statuses in ([200, 503, 503, 503, 503], [200, 200, 503, 503, 503])
    assert len(spooled(settings)) == statuses.count(200)


async def test_a_replay_is_refused_and_a_redelivery_is_not(tmp_path):
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(MAPPING, encoding="utf-8")
    shop = SourceSettings(
        name="shop",
        system="webhook",
        mapping_file=str(mapping),
        options={"scheme": "timed", "timestamp_header": "x-time"},
    )
    settings = gateway_settings(tmp_path, shop)
    import time

    body = json.dumps({"id": 1, "at": "2026-11-23T10:00:00Z", "amount": 5}).encode()

    def at(seconds):
        return {"x-time": str(seconds), **signed(f"{seconds}.".encode() + body)}

    now = int(time.time())
    async with running(settings) as gateway:
        assert (await gateway.post(body, name="shop", headers=at(now)))[0] == 200
        status, answer = await gateway.post(body, name="shop", headers=at(now))
        assert (status, json.loads(answer)["detail"]) == (401, "replayed")
        assert (await gateway.post(body, name="shop", headers=at(now - 1)))[0] == 200
        assert (await gateway.post(body, name="shop", headers=at(now - 400)))[0] == 401
        assert (await gateway.post(event(1)))[0] == (await gateway.post(event(1)))[0] == 200

    found = spooled(settings)
    assert [one["id"] for one in found] == ["1"] * 4  # a redelivery is the same event again


async def test_events_of_unknown_people_are_kept_until_the_table_knows_them(tmp_path):
    people = tmp_path / "people.toml"
    people.write_text('[[people]]\nrep = "sara"\nids = ["own:1"]\n', encoding="utf-8")
    settings = gateway_settings(tmp_path, people=str(people))
    async with running(settings) as gateway:
        for number, person in enumerate(["own:1", "own:2", "own:3", "sara"]):
            assert (await gateway.post(event(number, rep_id=person)))[0] == 200
        assert await gateway.metric("funnelwatch_unknown_events") == 2
        assert await gateway.metric("funnelwatch_spool_events") == 2
        people.write_text("[[people]", encoding="utf-8")
        await asyncio.sleep(2.5)
        assert (await gateway.post(event(9, rep_id="own:1")))[0] == 200  # a broken table leaves the old one
        people.write_text(
            '[[people]]\nrep = "sara"\nids = ["own:1"]\n[[people]]\nrep = "ali"\nids = ["own:2"]\n', encoding="utf-8"
        )

        async def released():
            return await gateway.metric("funnelwatch_unknown_events") == 1

        await gateway.until("the kept event is published", released)

    assert [(one["id"], one["data"]["rep_id"]) for one in spooled(settings)] == [
        ("0", "sara"),
        ("3", "sara"),
        ("9", "sara"),
        ("1", "ali"),
    ]


async def test_a_secret_is_replaced_without_a_gap_and_never_told(tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    settings = gateway_settings(tmp_path)
    body = json.dumps(event(1)).encode()
    async with running(settings) as gateway:
        (tmp_path / "secret").write_text(f"the new one\n{SECRET}\n", encoding="utf-8")

        async def known():
            return (await gateway.post(body, headers=signed(body, "the new one")))[0] == 200

        await gateway.until("the new secret is good", known)
        assert (await gateway.post(body))[0] == 200
        pages = [(await gateway.get(path))[1] for path in ("/metrics", "/openapi.json", "/readyz")]

    for text in (*pages, caplog.text, repr(settings), *(str(record.args) for record in caplog.records)):
        assert SECRET not in text
        assert "the new one" not in text


async def test_missing_secrets_and_mappings_are_all_told_at_the_start(tmp_path):
    settings = gateway_settings(tmp_path)
    sources = (
        msgspec.structs.replace(settings.sources[0], secret_file=""),
        SourceSettings(name="b", system="cloudevents", secret_file=str(tmp_path / "absent")),
        SourceSettings(name="c", system="webhook", mapping_file=str(tmp_path / "absent.toml"), secret_env="C"),
    )

    with pytest.raises(ConfigurationError) as told:
        async with running(msgspec.structs.replace(settings, sources=sources)):
            pass

    assert [problem.path for problem in told.value.problems] == [
        "sources[0]",
        "sources[1]",
        "sources[2].mapping_file",
        "sources[2]",
    ]
    assert "FUNNELWATCH_SECRET_OWN" in str(told.value)


async def test_the_description_names_the_addresses(tmp_path):
    async with running(gateway_settings(tmp_path)) as gateway:
        status, text = await gateway.get("/openapi.json")

    assert status == 200
    assert {"/hooks/{name}", "/healthz", "/readyz", "/metrics"} <= set(json.loads(text)["paths"])


async def closed(reader):
    """Whether a connection was closed by the other side, in whatever way."""
    try:
        return await asyncio.wait_for(reader.read(1), 5) == b""
    except ConnectionError:
        return True
