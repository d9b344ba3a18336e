"""Every telephone system from the signed request to the figure: a cold call of 30 s, and one nobody answered."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from funnelwatch.schemas.sources.phones.cdr import COLUMNS
from funnelwatch.schemas.sources.proofs import hmac_base64
from support.samples_phones import jwt
from support.source_cases import Case, Request
from support.vendors import RingCentral

SECRET = "s3cret of this source"
ZONE = "Asia/Tehran"
HOUR_US = 3_600_000_000
JSON = {"content-type": "application/json"}
FORM = {"content-type": "application/x-www-form-urlencoded"}
COLD: dict[str, Any] = {"zone": ZONE, "options": {"cold": "all"}}
CALLED = "+989331112233"
FIGURES = {
    "windows.30d.outreach.call": 2,
    "windows.30d.outreach.outbound_calls": 2,
    "windows.30d.outreach.connected_calls": 1,
    "windows.30d.outreach.talk_seconds": 30.0,
}


def calls(now_us: int) -> list[tuple[str, int, int, bool]]:
    """Two calls: id, begin and answer in µs, whether it was answered. Each lasts 30 s from the answer on."""
    began = (now_us - 5 * HOUR_US) // 1_000_000 * 1_000_000
    return [("1001", began, began + 10_000_000, True), ("1002", began + HOUR_US, began + HOUR_US + 10_000_000, False)]


RINGCENTRAL = RingCentral()
"""Whose call log has the talk times, and is polled."""


def local(at: int) -> str:
    return datetime.fromtimestamp(at / 1e6, UTC).astimezone(ZoneInfo(ZONE)).strftime("%Y-%m-%d %H:%M:%S")


def iso(at: int) -> str:
    return datetime.fromtimestamp(at / 1e6, UTC).isoformat().replace("+00:00", "Z")


def ended(answered: int) -> int:
    return answered + 30_000_000


def posted(body: Any, **headers: str) -> Request:
    return Request(json.dumps(body).encode(), JSON | {name.replace("_", "-"): text for name, text in headers.items()})


def basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


def told(tell: Callable[[str, str, int, int, bool], list[Request]]) -> Callable[[str, int], list[Request]]:
    """Both calls, the later one first, everything twice: what is delivered again changes no figure."""

    def requests(url: str, now_us: int) -> list[Request]:
        found = [request for call in reversed(calls(now_us)) for request in tell(url, *call)]
        return [*found, *found]

    return requests


def twilio(url: str, name: str, began: int, answered: int, talked: bool) -> list[Request]:
    query = "?rep=sara"
    fields = {
        "CallSid": f"CA{name}",
        "CallStatus": "completed" if talked else "no-answer",
        "Direction": "outbound-api",
        "From": "+13163336936",
        "To": CALLED,
        "CallDuration": "30" if talked else "0",
        "Duration": "1",
        "Timestamp": format_datetime(datetime.fromtimestamp(ended(answered) / 1e6, UTC)),
    }
    text = url + query + "".join(key + fields[key] for key in sorted(fields))
    signature = hmac_base64(SECRET, text.encode(), "sha1")
    return [Request(urlencode(fields).encode(), FORM | {"x-twilio-signature": signature}, query)]


def aircall(_: str, name: str, began: int, answered: int, talked: bool) -> list[Request]:
    data = {
        "id": int(name),
        "direction": "outbound",
        "started_at": began // 1_000_000,
        "answered_at": answered // 1_000_000 if talked else None,
        "ended_at": ended(answered) // 1_000_000,
        "raw_digits": CALLED,
        "user": {"id": 7},
    }
    body = {"resource": "call", "token": SECRET, "timestamp": ended(answered) // 1_000_000, "data": data}
    return [posted(body | {"event": event}) for event in ("call.ended", "call.hungup")]


def ringcentral(_: str, name: str, began: int, answered: int, talked: bool) -> list[Request]:
    party = {
        "id": "p-1",
        "extensionId": "7",
        "direction": "Outbound",
        "from": {"phoneNumber": "107", "extensionId": "7"},
    }
    party["to"] = {"phoneNumber": CALLED}

    def session(code: str, at: int, sequence: int, **more: Any) -> Request:
        told_ = party | {"status": {"code": code}} | more
        body = {"sequence": sequence, "sessionId": name, "telephonySessionId": f"s-{name}", "eventTime": iso(at)}
        return posted({"uuid": "1", "body": body | {"parties": [told_]}}, verification_token=SECRET)

    record = {
        "id": f"R{name}",
        "sessionId": name,
        "startTime": iso(answered),
        "duration": 30 if talked else 0,
        "type": "Voice",
        "direction": "Outbound",
        "result": "Call connected" if talked else "No Answer",
        "from": {"extensionId": "7"},
        "to": {"phoneNumber": CALLED},
    }
    if record["id"] not in {one["id"] for one in RINGCENTRAL.records}:
        RINGCENTRAL.records.append(record)
    found = [session("Setup", began, 1), session("Disconnected", ended(answered), 3, missedCall=not talked)]
    if talked:
        found.insert(1, session("Answered", answered, 2))
    return found[::-1]


def dialpad(_: str, name: str, began: int, answered: int, talked: bool) -> list[Request]:
    claims = {
        "call_id": int(name),
        "state": "hangup" if talked else "missed",
        "direction": "outbound",
        "date_started": began // 1_000,
        "date_connected": answered // 1_000 if talked else None,
        "event_timestamp": ended(answered) // 1_000,
        "duration": 30_000.0 if talked else 0,
        "external_number": CALLED,
        "target": {"type": "user", "id": 7},
    }
    return [Request(jwt(claims, SECRET), {"content-type": "application/jwt"})]


@cache
def gong_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


def gong(url: str, name: str, began: int, answered: int, talked: bool) -> list[Request]:
    meta = {
        "id": name,
        "started": iso(answered),
        "duration": 30 if talked else 5,
        "direction": "Outbound",
        "primaryUserId": "7",
        "sdrDisposition": "Connected" if talked else "No Answer",
    }
    data: dict[str, Any] = {"metaData": meta, "parties": []}
    if talked:
        meta["url"] = "https://gong.example/call?id=1001"
        data["interaction"] = {"interactionStats": [{"name": "Talk Ratio", "value": 43.5}]}
    body = json.dumps({"isTest": False, "callData": data}).encode()
    claims = {"webhook_url": url, "body_sha256": hashlib.sha256(body).hexdigest()}
    signed = b".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in ({"alg": "RS256"}, claims)
    )
    signature = base64.urlsafe_b64encode(gong_key().sign(signed, PKCS1v15(), SHA256())).rstrip(b"=")
    return [Request(body, JSON | {"authorization": f"Bearer {(signed + b'.' + signature).decode()}"})]


def simotel(_: str, name: str, began: int, answered: int, talked: bool) -> list[Request]:
    body = {
        "event_name": "Cdr",
        "starttime": local(began),
        "endtime": local(ended(answered)),
        "src": "107",
        "dst": "09331112233",
        "type": "outgoing",
        "disposition": "ANSWERED" if talked else "NO ANSWER",
        "billsec": "30" if talked else "0",
        "unique_id": name,
    }
    return [posted(body, authorization=basic("pbx:secret"))]


def threecx(_: str, name: str, began: int, answered: int, talked: bool) -> list[Request]:
    body = {
        "CallType": "Outbound" if talked else "Notanswered",
        "Number": CALLED,
        "Agent": "107",
        "Duration": "00:00:30" if talked else "00:00:00",
        "CallStartTimeUTC": iso(began),
        "CallEstablishedTimeUTC": iso(answered) if talked else "",
        "CallEndTimeUTC": iso(ended(answered)),
    }
    return [posted(body, authorization=basic("pbx:secret"))]


def pbxmanager(_: str, name: str, began: int, answered: int, talked: bool) -> list[Request]:
    def callback(status: str, **fields: str) -> Request:
        whole = {"callstatus": status, "callUUID": name, "vtigersignature": SECRET} | fields
        return Request(urlencode(whole).encode(), FORM)

    found = [
        callback("StartApp", callerIdNumber="107", callerid2="09331112233", StartTime=local(began)),
        callback(
            "EndCall",
            starttime=local(began),
            endtime=local(ended(answered)),
            billableseconds="30" if talked else "0",
        ),
        callback(
            "Hangup",
            callerIdNum="107",
            causetxt="Normal Clearing",
            HangupCause="ANSWER" if talked else "NO ANSWER",
            EndTime=local(ended(answered)),
        ),
    ]
    return found[::-1]


def asterisk() -> Case:
    """Records in a file, the CRM of nobody: it is followed, not posted."""
    path = Path(tempfile.mkdtemp(prefix="funnelwatch-cdr-")) / "Master.csv"
    path.touch()

    def requests(_url: str, now_us: int) -> list[Request]:
        text = io.StringIO()
        for name, began, answered, talked in calls(now_us):
            row = {
                "src": "107",
                "dst": "09331112233",
                "channel": "SIP/107-01",
                "dstchannel": "SIP/trunk-02",
                "lastapp": "Dial",
                "start": local(began),
                "answer": local(answered) if talked else "",
                "end": local(ended(answered)),
                "billsec": "30" if talked else "0",
                "disposition": "ANSWERED" if talked else "NO ANSWER",
                "uniqueid": name,
            }
            csv.writer(text).writerow([row.get(column, "") for column in COLUMNS.split(",")])
        path.write_text(text.getvalue())
        return []

    settings = {"zone": ZONE, "options": {"cold": "all", "cdr_file": str(path)}}
    return Case("asterisk", "asterisk", ":107", requests, FIGURES, settings=settings)


CASES = [
    Case("twilio", "twilio", ":sara", told(twilio), FIGURES, settings=COLD),
    Case("aircall", "aircall", ":7", told(aircall), FIGURES, settings=COLD),
    Case(
        "ringcentral",
        "ringcentral",
        ":7",
        told(ringcentral),
        FIGURES,
        settings=COLD | {"options": {"cold": "all", "client_id": "app", "poll_seconds": "0.2"}},
        vendor=RINGCENTRAL,
        api_secret="cs:jwt",
    ),
    Case("dialpad", "dialpad", ":7", told(dialpad), FIGURES, settings=COLD),
    Case(
        "gong",
        "gong",
        ":7",
        told(gong),
        FIGURES | {"coaching.0.url": "https://gong.example/call?id=1001", "coaching.0.talk_ratio": 0.435},
        gong_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
        settings=COLD,
    ),
    Case("simotel", "simotel", ":107", told(simotel), FIGURES, "pbx:secret", settings=COLD),
    Case("3cx", "3cx", ":107", told(threecx), FIGURES, "pbx:secret", settings=COLD),
    Case("pbxmanager", "pbxmanager", ":107", told(pbxmanager), FIGURES, settings=COLD),
    asterisk(),
]
