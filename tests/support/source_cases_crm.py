"""Every CRM from the signed request to the figure: one deal of one rep, made three days ago and won yesterday."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

from funnelwatch.schemas.sources.crm.hubspot_proof import v3
from funnelwatch.schemas.sources.proofs import hmac_base64
from support import crm_life
from support.source_cases import Case, Request
from support.vendors import QuickBooks, Salesforce, SuiteCrm, Vtiger

SECRET = "s3cret of this source"
DAY_US = 86_400_000_000
AMOUNT = "1200.5"
WON = {"windows.30d.won": 1, "windows.30d.won_amount": {"EUR": AMOUNT}, "windows.30d.created": 1}
JSON = {"content-type": "application/json"}


def rows(now_us: int) -> list[crm_life.Deal]:
    """The deal, when it was made and when it was won."""
    created_at = (now_us - 3 * DAY_US) // crm_life.MINUTE_US * crm_life.MINUTE_US
    won_at = created_at + 2 * DAY_US
    first = crm_life.Deal(
        id=1,
        created_at=created_at,
        at=created_at,
        owner="7",
        stage=crm_life.STAGES[0],
        stage_since=created_at,
        status="open",
        closed_at=None,
        amount=AMOUNT,
        changed=("owner", "stage", "status", "amount"),
    )
    return [first, first._replace(at=won_at, status="won", closed_at=won_at, stage_since=won_at, changed=("status",))]


def digest(key: bytes, message: bytes) -> str:
    return hmac.new(key, message, hashlib.sha256).hexdigest()


def proof(system: str, url: str, body: bytes, now_us: int) -> dict[str, str]:
    """The headers by which a system proves itself."""
    seconds, ms = str(now_us // 1_000_000), str(now_us // 1_000)
    if system == "pipedrive":
        return {"authorization": "Basic " + base64.b64encode(b"ana:pw").decode()}
    if system == "hubspot":
        return {
            "x-hubspot-signature-v3": v3(SECRET, "POST", url, body, ms),
            "x-hubspot-request-timestamp": ms,
        }
    if system == "espocrm":
        return {"signature": base64.b64encode(f"w1:{digest(b'k1', body)}".encode()).decode()}
    if system == "twenty":
        signature = digest(SECRET.encode(), f"{ms}:".encode() + body)
        return {"x-twenty-webhook-signature": signature, "x-twenty-webhook-timestamp": ms}
    if system == "close":
        return {"close-sig-hash": digest(b"\xab" * 32, seconds.encode() + body), "close-sig-timestamp": seconds}
    return {"x-funnelwatch-key": SECRET}


def told(dialect: str, url: str, now_us: int) -> list[Request]:
    """The deal's life in a CRM's dialect, each delivery twice, the last one first."""
    system = crm_life.DIALECTS[dialect][0]
    found = []
    for delivery in crm_life.told(dialect, rows(now_us)):
        body = delivery.body
        if system == "zoho":
            body = json.dumps(json.loads(body) | {"token": SECRET, "channel_id": "1"}).encode()
        query = f"?{delivery.url.partition('?')[2]}" if "?" in delivery.url else ""
        found.append(Request(body, JSON | proof(system, url + query, body, now_us), query))
    if system == "espocrm":
        return found  # its updates have no time but that at which they come
    found.reverse()
    return found if system in {"hubspot", "twenty", "close"} else [*found, *found]


def dialect_case(dialect: str, **settings: Any) -> Case:
    system, _, own = crm_life.DIALECTS[dialect]
    name = dialect.replace(" ", "-").replace(",", "")
    secrets = {"pipedrive": "ana:pw", "espocrm": "w1:k1", "close": "ab" * 32}
    person = ":19x7" if system == "vtiger" else ":7"
    return Case(
        name=name,
        system=system,
        person=person,
        requests=lambda url, now_us: told(dialect, url, now_us),
        figures=WON,
        secret=secrets.get(system, SECRET),
        settings={"currency": "EUR"} | own | settings,
    )


def convergehub(_url: str, now_us: int) -> list[Request]:
    """A relay's posts, by the mapping that ships."""
    found = []
    for row in rows(now_us):
        record = {
            "record": "deal",
            "id": "D-1",
            "owner_email": "ana@convergehub.example",
            "created_at": crm_life.iso(row.created_at),
            "modified_at": crm_life.iso(row.at),
            "stage": "Won" if row.status == "won" else row.stage,
            "amount": AMOUNT,
            "currency": "EUR",
            "close_date": crm_life.iso(row.at)[:10],
        }
        found.append(Request(json.dumps(record).encode(), JSON | {"x-funnelwatch-key": SECRET}))
    return found[::-1]


def salesforce_heard() -> Case:
    """Change events by CometD; nothing is posted."""
    vendor = Salesforce()

    def requests(_url: str, now_us: int) -> list[Request]:
        if not vendor.kept:
            for delivery in crm_life.told("salesforce", rows(now_us)):
                vendor.happens(json.loads(delivery.body)["payload"])
        return []

    return Case(
        "salesforce-heard",
        "salesforce",
        ":7",
        requests,
        WON,
        settings={"currency": "EUR"} | {"options": {"client_id": "app"}},
        vendor=vendor,
        api_secret="cs",
    )


def vtiger_polled() -> Case:
    vendor = Vtiger()

    def requests(_url: str, now_us: int) -> list[Request]:
        row = rows(now_us)[-1]
        (delivery,) = crm_life.told("vtiger", [rows(now_us)[0], row])[-1:]
        vendor.modules["Potentials"] = json.loads(delivery.body)["result"]
        return []

    options = {"user": "funnelwatch", "poll_seconds": "0.2"}
    return Case(
        "vtiger-polled",
        "vtiger",
        ":19x7",
        requests,
        WON,
        settings={"options": options},
        vendor=vendor,
        api_secret="key",
    )


def suitecrm_polled() -> Case:
    vendor = SuiteCrm()

    def requests(_url: str, now_us: int) -> list[Request]:
        delivery = crm_life.told("suitecrm", rows(now_us))[-1]
        (record,) = json.loads(delivery.body)["data"]
        record.pop("funnelwatch_since")
        record["attributes"]["date_closed"] = crm_life.iso(rows(now_us)[-1].at)[:10]
        vendor.modules["Opportunities"] = [record]
        return []

    options = {"client_id": "client", "poll_seconds": "0.2"}
    return Case(
        "suitecrm", "suitecrm", ":7", requests, WON, settings={"options": options}, vendor=vendor, api_secret="key"
    )


def quickbooks_fetched() -> Case:
    """A company without a CRM: its estimates are the deals."""
    vendor = QuickBooks()

    def requests(_url: str, now_us: int) -> list[Request]:
        first, last = rows(now_us)
        vendor.objects["1185/estimate/6"] = {
            "Estimate": {
                "Id": "6",
                "TxnStatus": "Accepted",
                "AcceptedDate": crm_life.iso(last.at)[:10],
                "TotalAmt": float(AMOUNT),
                "MetaData": {"CreateTime": crm_life.iso(first.at), "LastUpdatedTime": crm_life.iso(last.at)},
                "CurrencyRef": {"value": "EUR"},
                "CustomField": [{"Name": "Rep", "StringValue": "ana@quickbooks.example"}],
            }
        }
        entity = {"name": "Estimate", "id": "6", "operation": "Update", "lastUpdated": crm_life.iso(last.at)}
        body = json.dumps(
            {"eventNotifications": [{"realmId": "1185", "dataChangeEvent": {"entities": [entity]}}]}
        ).encode()
        return [Request(body, JSON | {"intuit-signature": hmac_base64(SECRET, body)})] * 2

    options = {"fetch": True, "client_id": "app", "estimates": "deals", "rep_field": "Rep"}
    return Case(
        "quickbooks",
        "quickbooks",
        "ana@quickbooks.example",
        requests,
        WON,
        settings={"options": options},
        vendor=vendor,
        api_secret="cs:r0",
    )


POLLED = {"vtiger, polled", "suitecrm"}
CASES = [
    *(dialect_case(dialect) for dialect in crm_life.DIALECTS if dialect not in POLLED),
    Case(
        "convergehub",
        "webhook",
        "ana@convergehub.example",
        convergehub,
        WON,
        settings={
            "mapping_file": "convergehub_webhook",
            "options": {"scheme": "token", "signature_header": "x-funnelwatch-key"},
        },
    ),
    salesforce_heard(),
    vtiger_polled(),
    suitecrm_polled(),
    quickbooks_fetched(),
]
