"""Small deliveries of telephone systems, in the shape of the real ones: one call of each, of extension 101."""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any
from urllib.parse import urlencode

from funnelwatch.schemas.sources.contract import Delivery, SourceOptions
from support.samples import FORM, JSON, NOW_US, Sample

URL = "https://hooks.example/hooks/phones"
ZONE = "Asia/Tehran"

TWILIO = {
    "CallSid": "CA1",
    "AccountSid": "AC1",
    "CallStatus": "completed",
    "Direction": "outbound-api",
    "From": "+13163336936",
    "To": "+256700000000",
    "Timestamp": "Thu, 27 Nov 2025 10:00:00 +0000",
    "CallDuration": "9",
    "Duration": "1",
}
AIRCALL = {
    "resource": "call",
    "event": "call.ended",
    "timestamp": 1764237600,
    "token": "secret",
    "data": {
        "id": 7,
        "direction": "outbound",
        "status": "done",
        "started_at": 1764237535,
        "answered_at": 1764237540,
        "ended_at": 1764237555,
        "duration": 20,
        "raw_digits": "+43 720 880079",
        "recording": "https://s3.example/7.mp3?X-Amz-Expires=600&X-Amz-Signature=abc",
        "asset": "https://assets.aircall.io/calls/7/recording",
        "user": {"id": 42, "email": "sara@firm.example"},
        "number": {"id": 1, "digits": "+44 330 818 6690", "name": "Sales"},
        "tags": [{"id": 1, "name": "Cold"}],
        "teams": [],
    },
}
RINGCENTRAL: dict[str, Any] = {
    "uuid": "1",
    "event": "/restapi/v1.0/account/1/extension/2/telephony/sessions",
    "body": {
        "sequence": 6,
        "sessionId": "99",
        "telephonySessionId": "s-99",
        "eventTime": "2025-11-27T10:00:00.000Z",
        "parties": [
            {
                "id": "p-99-1",
                "extensionId": "2",
                "direction": "Outbound",
                "from": {"phoneNumber": "101", "extensionId": "2"},
                "to": {"phoneNumber": "+14083388064"},
                "status": {"code": "Disconnected"},
                "missedCall": False,
            }
        ],
    },
}
RINGCENTRAL_LOG = {
    "id": "ABC",
    "sessionId": "99",
    "startTime": "2025-11-27T09:59:05.000Z",
    "duration": 55,
    "type": "Voice",
    "direction": "Outbound",
    "result": "Call connected",
    "from": {"phoneNumber": "+15625555772", "extensionNumber": "101"},
    "to": {"phoneNumber": "+14083388064"},
    "extension": {"id": 2},
    "recording": {
        "id": "5",
        "uri": "https://rc.example/recording/5",
        "contentUri": "https://rc.example/recording/5/content",
    },
}
DIALPAD = {
    "call_id": 5,
    "state": "hangup",
    "direction": "outbound",
    "date_started": 1764237580000,
    "date_connected": 1764237588000,
    "date_ended": 1764237600000,
    "event_timestamp": 1764237600500,
    "duration": 11989.972,
    "total_duration": 20056.427,
    "external_number": "+16195550100",
    "internal_number": "+13215550100",
    "target": {"type": "user", "id": 42, "email": "sara@firm.example"},
    "contact": {"phone": "+16195550100"},
    "was_recorded": "TRUE",
    "call_recording_ids": ["1"],
    "company_call_review_share_link": "https://dialpad.com/shared/call/company",
    "public_call_review_share_link": "https://dialpad.com/shared/call/public",
    "labels": ["cold"],
}
GONG = {
    "isTest": False,
    "callData": {
        "metaData": {
            "id": "11",
            "started": "2025-11-27T13:30:00+03:30",
            "duration": 147,
            "direction": "Outbound",
            "primaryUserId": "42",
            "url": "https://gong.example/call?id=11",
            "scope": "External",
            "sdrDisposition": None,
        },
        "parties": [
            {"affiliation": "External", "phoneNumber": "+16195550100"},
            {
                "affiliation": "Internal",
                "userId": "42",
                "emailAddress": "sara@firm.example",
                "phoneNumber": "+15555550100",
            },
        ],
        "interaction": {"interactionStats": [{"name": "Talk Ratio", "value": 43.5}]},
        "context": [
            {
                "system": "Salesforce",
                "objects": [{"objectType": "Opportunity", "objectId": "0061Q00000mkU1fQAE", "fields": []}],
            }
        ],
    },
}
SIMOTEL = {
    "event_name": "Cdr",
    "starttime": "2025-11-27 13:29:40.471398",
    "endtime": "2025-11-27 13:30:00.471398",
    "src": "101",
    "dst": "09331112233",
    "type": "outgoing",
    "disposition": "ANSWERED",
    "billsec": "9",
    "wait": 11,
    "record": "20251127_1764237580.378.mp3",
    "unique_id": "1764237580.378",
}
THREECX = {
    "CallType": "Outbound",
    "Number": "00989331112233",
    "Agent": "101",
    "AgentEmail": "sara@firm.example",
    "Duration": "00:00:09",
    "CallStartTimeUTC": "2025-11-27T09:59:40Z",
    "CallEstablishedTimeUTC": "2025-11-27T09:59:51Z",
    "CallEndTimeUTC": "2025-11-27T10:00:00Z",
    "EntityId": "77",
    "EntityType": "Leads",
}
PBXMANAGER = {
    "callstatus": "Hangup",
    "callUUID": "u-1",
    "callerIdNum": "09331112233",
    "causetxt": "Normal Clearing",
    "HangupCause": "ANSWER",
    "EndTime": "2025-11-27 13:30:00",
    "Duration": "20",
    "vtigersignature": "secret",
}
CDR = {
    "src": "101",
    "dst": "09331112233",
    "channel": "SIP/101-0000002a",
    "dstchannel": "SIP/trunk-0000002b",
    "lastapp": "Dial",
    "start": "2025-11-27 13:29:40",
    "answer": "2025-11-27 13:29:51",
    "end": "2025-11-27 13:30:00",
    "duration": "20",
    "billsec": "9",
    "disposition": "ANSWERED",
    "uniqueid": "1764237580.378",
    "linkedid": "1764237580.378",
    "sequence": "12",
    "recordingfile": "out-09331112233-101-20251127-132940-1764237580.378.wav",
}
MASTER = (
    '"","101","09331112233","from-internal","""Sara"" <101>","SIP/101-0000002a","SIP/trunk-0000002b","Dial",'
    '"SIP/trunk/09331112233,300,Tb","2025-11-27 13:29:40","2025-11-27 13:29:51","2025-11-27 13:30:00",20,9,'
    '"ANSWERED","DOCUMENTATION","1764237580.378",""\n'
)
AMI = """\
Event: Newchannel
Channel: PJSIP/101-0000002a
ChannelState: 4
CallerIDNum: 101
Exten: 09331112233
Context: from-internal
Uniqueid: 1764237580.378
Linkedid: 1764237580.378
Timestamp: 1764237580.100

Event: Newchannel
Channel: PJSIP/trunk-0000002b
ChannelState: 0
CallerIDNum: 09331112233
Context: from-trunk
Uniqueid: 1764237580.379
Linkedid: 1764237580.378
Timestamp: 1764237580.200

Event: DialBegin
Channel: PJSIP/101-0000002a
Uniqueid: 1764237580.378
Linkedid: 1764237580.378
DestChannel: PJSIP/trunk-0000002b
DestUniqueid: 1764237580.379
DestLinkedid: 1764237580.378
DialString: trunk/09331112233
Timestamp: 1764237580.200

Event: DialEnd
Channel: PJSIP/101-0000002a
Uniqueid: 1764237580.378
Linkedid: 1764237580.378
DestChannel: PJSIP/trunk-0000002b
DestUniqueid: 1764237580.379
DialStatus: ANSWER
Timestamp: 1764237591.000

Event: Hangup
Channel: PJSIP/trunk-0000002b
Uniqueid: 1764237580.379
Linkedid: 1764237580.378
Cause: 16
Cause-txt: Normal Clearing
Timestamp: 1764237600.000

Event: Hangup
Channel: PJSIP/101-0000002a
Uniqueid: 1764237580.378
Linkedid: 1764237580.378
Cause: 16
Cause-txt: Normal Clearing
Timestamp: 1764237600.000
"""


def options(system: str, **own: Any) -> SourceOptions:
    """Options of a source of a system, in the zone of its telephones."""
    return SourceOptions(name="phones", system=system, zone=ZONE, options=own)


def posted(found: Any, **members: Any) -> Delivery:
    """A JSON body; top members of an object can be put in place of its own."""
    body = found | members if isinstance(found, dict) else found
    return Delivery(url=URL, headers=JSON, body=json.dumps(body).encode(), received_us=NOW_US)


def form(found: dict[str, str], *, url: str = URL, **members: str) -> Delivery:
    """A form."""
    return Delivery(url=url, headers=FORM, body=urlencode(found | members).encode(), received_us=NOW_US)


def text(body: str | bytes) -> Delivery:
    """Anything else."""
    return Delivery(url=URL, body=body.encode() if isinstance(body, str) else body, received_us=NOW_US)


def jwt(claims: Any, secret: str = "secret", algorithm: str = "HS256") -> bytes:
    """A JWT, signed with a shared secret."""
    head, middle = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
        for part in ({"alg": algorithm, "typ": "JWT"}, claims)
    )
    signed = head + b"." + middle
    return signed + b"." + base64.urlsafe_b64encode(hmac.digest(secret.encode(), signed, "sha256")).rstrip(b"=")


SAMPLES: dict[str, list[Sample]] = {
    "twilio": [
        (form(TWILIO), options("twilio", cold="all")),
        (form(TWILIO, RecordingSid="RE1", RecordingUrl="https://api.twilio.example/RE1"), options("twilio")),
    ],
    "aircall": [(posted(AIRCALL), options("aircall", cold="cold"))],
    "ringcentral": [(posted(RINGCENTRAL), options("ringcentral")), (posted(RINGCENTRAL_LOG), options("ringcentral"))],
    "dialpad": [(posted(DIALPAD), options("dialpad")), (text(jwt(DIALPAD)), options("dialpad"))],
    "gong": [(posted(GONG), options("gong"))],
    "simotel": [(posted(SIMOTEL), options("simotel", recordings="https://pbx.example/{year}/{file}"))],
    "3cx": [(posted(THREECX), options("3cx"))],
    "pbxmanager": [(form(PBXMANAGER), options("pbxmanager"))]
    + [
        (form(PBXMANAGER, callstatus=status, **more), options("pbxmanager"))
        for status, more in {
            "StartApp": {"callerIdNumber": "101", "callerid2": "09331112233", "StartTime": "2025-11-27 13:29:40"},
            "DialAnswer": {"callerid1": "101", "callerid2": "09331112233"},
            "Record": {"recordinglink": "https://pbx.example/u-1.wav"},
            "EndCall": {"starttime": "2025-11-27 13:29:40", "endtime": "2025-11-27 13:30:00", "billableseconds": "9"},
        }.items()
    ],
    "asterisk": [
        (posted([CDR]), options("asterisk", recordings="https://pbx.example")),
        (text(MASTER), options("asterisk")),
        (text(AMI), options("asterisk", extensions="100-199")),
    ],
}
