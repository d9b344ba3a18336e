"""Any JSON webhook becomes events by a mapping; it is believed as its options say, and refused otherwise."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from funnelwatch.schemas.events import DealData
from funnelwatch.schemas.mapping import parse
from funnelwatch.schemas.reasons import RefusedError
from funnelwatch.schemas.sources.contract import Dated, Delivery, ForgedError, Forgery, Outgoing, Passed, SourceOptions
from funnelwatch.schemas.sources.formats.webhook import SYSTEM
from funnelwatch.schemas.sources.proofs import hmac_base64, hmac_hex

MAPPING = parse("""
source = "own"
zone = "Europe/Berlin"

[[files]]
name = "deals"
each = "$.deals[?@.kind == 'deal']"

[[files.events]]
type = "deal.won"
id = { template = "{id}/{changed}" }
subject = "id"
time = "changed"
when = [{ column = "stage.name", is = "Won" }]
[files.events.data]
rep_id = { column = "$.owners[0].email", prefix = "" }
amount = "value"
currency = { constant = "EUR" }
""")
OPTIONS = SourceOptions(name="shop", system="webhook", mapping=MAPPING)
WON = {
    "deals": [
        {"kind": "note", "id": 1},
        {
            "kind": "deal",
            "id": 7,
            "changed": "2026-11-23 10:00:00",
            "stage": {"name": "Won"},
            "value": 12.5,
            "owners": [{"email": "sara@firm.example"}],
        },
    ]
}
NOW_US = 1_700_000_000_000_000


def body(value):
    return Delivery(body=json.dumps(value).encode())


def test_members_paths_and_json_paths_name_what_a_column_is_in_a_file():
    (found,) = SYSTEM.translate(body(WON), OPTIONS)

    assert found.references == ("sara@firm.example",)
    assert (found.subject, found.id, found.source) == ("shop:7", "7/2026-11-23 10:00:00", "funnelwatch/webhook/shop")
    assert found.event("sara").data == DealData(rep_id="sara", amount=125_000, currency="EUR")
    assert found.at == 1_795_424_400_000_000


def test_the_same_delivery_again_is_the_same_events():
    assert SYSTEM.translate(body(WON), OPTIONS) == SYSTEM.translate(body(WON), OPTIONS)


def test_a_form_is_a_record():
    mapping = msgspec.structs.replace(MAPPING, files=(msgspec.structs.replace(MAPPING.files[0], each=""),))
    form = b"id=7&changed=2026-11-23T10%3A00%3A00Z&stage.name=Won&value=5"
    delivery = Delivery(headers={"content-type": "application/x-www-form-urlencoded"}, body=form)

    (found,) = SYSTEM.translate(delivery, msgspec.structs.replace(OPTIONS, mapping=mapping))

    assert found.data["amount"] == "5"


def test_what_no_rule_is_about_is_passed():
    assert SYSTEM.translate(body({"deals": []}), OPTIONS) == [
        Passed("no_rule", "no rule of the mapping makes an event of this")
    ]


def test_a_value_that_cannot_be_read_is_refused():
    wrong = json.loads(json.dumps(WON).replace("2026-11-23 10:00:00", "yesterday"))

    with pytest.raises(RefusedError) as refused:
        SYSTEM.translate(body(wrong), OPTIONS)

    assert refused.value.reason == "bad_time"


def test_paths_and_joins_that_cannot_be_used_are_told():
    mapping = parse(
        'source = "s"\njoins = [{ name = "a", key = "b", columns = ["c"] }]\n[[files]]\nname = "x"\neach = "$.["\n'
        '[[files.events]]\ntype = "deal.won"\nsubject = "id"\ntime = "t"'
    )

    problems = SYSTEM.check(msgspec.structs.replace(OPTIONS, mapping=mapping))

    assert [problem.partition(":")[0] for problem in problems] == ["mapping_file", "mapping_file"]


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(
    st.sampled_from(["deals", "kind", "id", "changed", "stage", "name", "value", "owners", "email"]), x)))  # fmt: skip
def test_any_json_is_events_passed_or_refused(value):
    try:
        found = SYSTEM.translate(body({"deals": value}), OPTIONS)
    except RefusedError:
        return

    assert all(isinstance(one, Outgoing | Passed) for one in found)


def signed(scheme, headers, **options):
    return Delivery(headers=headers, body=b"{}"), SourceOptions(
        name="shop", system="webhook", options={"scheme": scheme, **options}
    )


SECONDS = str(NOW_US // 1_000_000)
STANDARD = hmac_base64("secret", f"m1.{SECONDS}.{{}}".encode())
PROVEN = [
    signed("signature", {"x-signature-256": "sha256=" + hmac_hex("secret", b"{}")}),
    signed(
        "signature",
        {"x-sig": hmac_base64("secret", b"{}", "sha1")},
        signature_header="X-Sig",
        encoding="base64",
        algorithm="sha1",
    ),
    signed(
        "timed",
        {"x-signature-256": "sha256=" + hmac_hex("secret", f"{SECONDS}.{{}}".encode()), "x-time": SECONDS},
        timestamp_header="X-Time",
    ),
    signed("standard", {"webhook-id": "m1", "webhook-timestamp": SECONDS, "webhook-signature": f"v1,x v1,{STANDARD}"}),
    signed("token", {"authorization": "Bearer secret"}),
    signed("token", {"authorization": "Basic " + base64.b64encode(b"secret").decode()}),
]


@pytest.mark.parametrize(("delivery", "options"), PROVEN)
def test_each_scheme_believes_the_secret_and_nothing_else(delivery, options):
    SYSTEM.proof.verify(delivery, "secret", options, NOW_US)

    for other, secret in ((delivery, "secret2"), (delivery, "")):
        with pytest.raises(ForgedError) as forged:
            SYSTEM.proof.verify(other, secret, options, NOW_US)
        assert forged.value.reason is Forgery.WRONG_PROOF
    with pytest.raises(ForgedError) as forged:
        SYSTEM.proof.verify(Delivery(body=b"{}"), "secret", options, NOW_US)
    assert forged.value.reason is Forgery.MISSING_PROOF


@pytest.mark.parametrize(("delivery", "options"), PROVEN[2:4])
def test_a_signed_time_must_be_near_the_clock(delivery, options):
    with pytest.raises(ForgedError) as forged:
        SYSTEM.proof.verify(delivery, "secret", options, NOW_US + 301_000_000)

    assert forged.value.reason is Forgery.OUTSIDE_WINDOW
    assert isinstance(SYSTEM.proof, Dated)
    assert SYSTEM.proof.moment(delivery, options) == SECONDS


def test_a_challenge_comes_back_only_where_it_is_asked_for():
    asked = Delivery(method="GET", url="https://h.example/hooks/shop?challenge=abc")
    options = SourceOptions(name="shop", system="webhook", options={"challenge": "challenge"})

    assert SYSTEM.proof.handshake(asked, "secret", options).body == b"abc"
    assert SYSTEM.proof.handshake(body({"challenge": "xyz"}), "secret", options).body == b"xyz"
    assert SYSTEM.proof.handshake(asked, "secret", OPTIONS) is None
    assert SYSTEM.proof.handshake(body(WON), "secret", options) is None


def test_every_system_has_a_page_of_its_own_name_and_says_what_its_options_mean():
    from funnelwatch.schemas.sources.registry import SYSTEMS

    for name, system in SYSTEMS.items():
        assert name == system.name
        assert system.page.endswith(".md")
        assert Path(system.page).name == system.page
        assert all(system.options.values())


def test_a_text_in_a_document_is_not_read_as_another_document():
    inner = json.dumps({"deals": [WON["deals"][1]]})

    assert [one.reason for one in SYSTEM.translate(body(inner), OPTIONS)] == ["no_rule"]
