"""Vendors' APIs on this machine, that behave like the real ones: log-ins, sessions that expire, pages, busy answers."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import re
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

from aiohttp import web

QUERY = re.compile(
    r"SELECT (?P<what>\*|COUNT\(\*\)) FROM (?P<module>\w+)"
    r"(?: WHERE modifiedtime >= '(?P<since>[^']*)')?(?: ORDER BY modifiedtime)?"
    r"(?: LIMIT (?P<offset>\d+), (?P<count>\d+))?;"
)


class Vendor:
    """What all of them have: an address, what was asked, and answers that are put in front of the real ones."""

    def __init__(self) -> None:
        self.address = ""
        self.asked: list[str] = []
        self.before: list[web.Response] = []
        """Answers that are given first, in this order, instead of the real ones."""
        self.body = ""
        """Of the latest request."""

    def application(self) -> web.Application:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._answer)
        return application

    async def _answer(self, request: web.Request) -> web.Response:
        body = self.body = await request.text()
        self.asked.append(f"{request.method} {request.path_qs}")
        if self.before:
            return self.before.pop(0)
        return self.answer(request, {name: found[0] for name, found in parse_qs(body).items()})

    def answer(self, request: web.Request, form: dict[str, str]) -> web.Response:
        raise NotImplementedError


@asynccontextmanager
async def serving(vendor: Vendor):
    """The vendor at an address on this machine."""
    runner = web.AppRunner(vendor.application())
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    vendor.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield vendor
    finally:
        await runner.cleanup()


class Vtiger(Vendor):
    """``webservice.php`` of Vtiger 7: challenge, log-in, ``query`` of 100 rows at most, ``sync``."""

    def __init__(self, user: str = "funnelwatch", access_key: str = "key") -> None:
        super().__init__()
        self.modules: dict[str, list[dict[str, Any]]] = {"Users": [], "Leads": [], "Potentials": [], "PhoneCalls": []}
        self.deleted: dict[str, list[tuple[int, str]]] = {}
        self.sessions: set[str] = set()
        self.logins = 0
        self.page_max = 100
        self._user, self._key = user, access_key
        self._now = 1_772_000_000

    def answer(self, request: web.Request, form: dict[str, str]) -> web.Response:
        asked = {**request.query, **form}
        operation = asked.get("operation")
        if operation == "getchallenge":
            return self._success({"token": "4fb1d0", "serverTime": 1, "expireTime": 2})
        if operation == "login":
            wanted = hashlib.md5(f"4fb1d0{self._key}".encode(), usedforsecurity=False).hexdigest()
            if (asked.get("username"), asked.get("accessKey")) != (self._user, wanted):
                return self._failure("INVALID_USER_CREDENTIALS", "Invalid username or password")
            self.logins += 1
            name = f"session{self.logins}"
            self.sessions.add(name)
            return self._success({"sessionName": name, "userId": "19x1", "version": "0.22", "vtigerVersion": "7.5.0"})
        if asked.get("sessionName") not in self.sessions:
            return self._failure("INVALID_SESSIONID", "Session Identifier provided is Invalid")
        return self._query(asked["query"]) if operation == "query" else self._sync(asked)

    def _query(self, text: str) -> web.Response:
        match = QUERY.fullmatch(text)
        if match is None:
            return self._failure("QUERY_SYNTAX_ERROR", text)
        if match["module"] not in self.modules:
            return self._failure("ACCESS_DENIED", "Permission to perform the operation is denied")
        rows = [row for row in self.modules[match["module"]] if row.get("modifiedtime", "") >= (match["since"] or "")]
        rows.sort(key=lambda row: row.get("modifiedtime", ""))
        if match["what"] != "*":
            return self._success([{"count": str(len(rows))}])
        start = int(match["offset"] or 0)
        return self._success(rows[start : start + min(self.page_max, int(match["count"] or self.page_max))])

    def _sync(self, asked: dict[str, str]) -> web.Response:
        since = int(asked["modifiedTime"])
        gone = [(at, id_) for at, id_ in self.deleted.get(asked["elementType"], []) if at > since]
        last = max((at for at, _ in gone), default=since)
        found = {"updated": [], "deleted": [id_ for _, id_ in gone], "more": False, "lastModifiedTime": last}
        return self._success(found)

    @staticmethod
    def _success(result: object) -> web.Response:
        return web.json_response({"success": True, "result": result})

    @staticmethod
    def _failure(code: str, message: str) -> web.Response:
        return web.json_response({"success": False, "error": {"code": code, "message": message}})


class SuiteCrm(Vendor):
    """The V8 API: OAuth2 client credentials, filtered and sorted pages."""

    def __init__(self, client_id: str = "client", secret: str = "key") -> None:
        super().__init__()
        self.modules: dict[str, list[dict[str, Any]]] = {}
        self.tokens: set[str] = set()
        self.logins = 0
        self._client = (client_id, secret)

    def answer(self, request: web.Request, form: dict[str, str]) -> web.Response:
        if request.path == "/Api/access_token":
            if (form.get("client_id"), form.get("client_secret")) != self._client:
                return web.json_response({"error": "invalid_client"}, status=401)
            self.logins += 1
            self.tokens.add(f"t{self.logins}")
            return web.json_response({"token_type": "Bearer", "expires_in": 3600, "access_token": f"t{self.logins}"})
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return web.json_response({"error": "access_denied"}, status=401)
        module = request.path.rpartition("/")[2]
        since = request.query["filter[date_modified][gte]"].replace(" ", "T")
        rows = [row for row in self.modules.get(module, []) if row["attributes"]["date_modified"][:19] >= since]
        rows.sort(key=lambda row: row["attributes"]["date_modified"])
        size, number = int(request.query["page[size]"]), int(request.query["page[number]"])
        return web.json_response({"data": rows[(number - 1) * size : number * size]})


class HubSpot(Vendor):
    """CRM objects by id, with a private app's token."""

    def __init__(self, token: str = "key") -> None:
        super().__init__()
        self.objects: dict[str, dict[str, Any]] = {}
        self._token = token

    def answer(self, request: web.Request, form: dict[str, str]) -> web.Response:
        if request.headers.get("authorization") != f"Bearer {self._token}":
            return web.json_response({"status": "error", "category": "INVALID_AUTHENTICATION"}, status=401)
        found = self.objects.get(request.path.removeprefix("/crm/v3/objects/"))
        if found is None:
            return web.json_response({"status": "error", "category": "OBJECT_NOT_FOUND"}, status=404)
        return web.json_response(found)


class QuickBooks(Vendor):
    """Objects of one company, and the log-in, which gives another refresh token each time."""

    def __init__(self, secret: str = "cs", refresh: str = "r0") -> None:
        super().__init__()
        self.objects: dict[str, dict[str, Any]] = {}
        self.tokens: set[str] = set()
        self.refresh = refresh
        self.logins = 0
        self._secret = secret

    def answer(self, request: web.Request, form: dict[str, str]) -> web.Response:
        if request.path == "/oauth2/v1/tokens/bearer":
            if form.get("refresh_token") != self.refresh:
                return web.json_response({"error": "invalid_grant"}, status=400)
            self.logins += 1
            self.refresh = f"r{self.logins}"
            self.tokens = {f"a{self.logins}"}
            return web.json_response({"access_token": f"a{self.logins}", "refresh_token": self.refresh})
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return web.json_response({}, status=401)
        found = self.objects.get(request.path.removeprefix("/v3/company/"))
        if found is None:
            return web.json_response({"Fault": {"type": "ValidationFault"}}, status=404)
        return web.Response(text=json.dumps(found), content_type="application/json")


UNKNOWN_CLIENT = {"error": "403::Unknown client", "advice": {"reconnect": "handshake"}}


class Salesforce(Vendor):
    """Client credentials, records, and change events by CometD: clients with a cookie, replay, what is kept of it."""

    def __init__(self, client_id: str = "app", secret: str = "cs") -> None:
        super().__init__()
        self.tokens: set[str] = set()
        self.logins = 0
        self.clients: dict[str, int | None] = {}
        """The number of the last event that each one heard; None before it subscribed."""
        self.handshakes = 0
        self.subscribed: list[int] = []
        self.kept: list[tuple[int, dict[str, Any]]] = []
        self.oldest = 0
        """Events up to this number are not kept any more."""
        self.records: dict[str, dict[str, Any]] = {}
        self.wait_seconds = 0.2
        self._client = (client_id, secret)
        self._came = asyncio.Event()

    def happens(self, payload: dict[str, Any]) -> None:
        number = self.kept[-1][0] + 3 if self.kept else 9_007_199_254_740_993
        self.kept.append((number, payload))
        self._came.set()
        self._came = asyncio.Event()

    async def _answer(self, request: web.Request) -> web.Response:
        if not request.path.startswith("/cometd/"):
            return await super()._answer(request)
        if self.before:
            return self.before.pop(0)
        (message,) = await request.json()
        self.asked.append(message["channel"])
        known = request.headers.get("authorization", "").removeprefix("Bearer ") in self.tokens
        replies, cookie = await self._replies(message, known, request.cookies.get("BAYEUX_BROWSER", ""))
        answer = web.json_response([{"id": message.get("id"), **reply} for reply in replies])
        if cookie:
            answer.set_cookie("BAYEUX_BROWSER", cookie)
        return answer

    async def _replies(self, message: dict[str, Any], known: bool, cookie: str) -> tuple[list[dict[str, Any]], str]:
        channel, client = message["channel"], message.get("clientId", "")
        if channel == "/meta/handshake":
            return self._handshake(channel, known)
        if not known:
            error: dict[str, Any] = {"error": "401::Authentication invalid", "advice": {"reconnect": "none"}}
        elif client not in self.clients or cookie != client:
            error = UNKNOWN_CLIENT
        elif channel == "/meta/subscribe":
            return [self._subscribe(message)], ""
        else:
            return await self._connect(channel, client), ""
        return [{"channel": channel, "successful": False} | error], ""

    def _handshake(self, channel: str, known: bool) -> tuple[list[dict[str, Any]], str]:
        if not known:
            reason = {"sfdc": {"failureReason": "401::Authentication invalid"}}
            denied = {"error": "403::Handshake denied", "ext": reason, "advice": {"reconnect": "none"}}
            return [{"channel": channel, "successful": False} | denied], ""
        self.handshakes += 1
        name = f"c{self.handshakes}"
        self.clients[name] = None
        return [{"channel": channel, "successful": True, "clientId": name, "ext": {"replay": True}}], name

    def _subscribe(self, message: dict[str, Any]) -> dict[str, Any]:
        channel = message["channel"]
        after = message["ext"]["replay"][message["subscription"]]
        if after not in {-1, -2} and after < self.oldest:
            error = f"400::The replayId {{{after}}} you provided was invalid."
            return {"channel": channel, "successful": False, "error": error}
        self.subscribed.append(after)
        self.clients[message["clientId"]] = self.oldest if after == -2 else after
        return {"channel": channel, "successful": True, "subscription": message["subscription"]}

    async def _connect(self, channel: str, client: str) -> list[dict[str, Any]]:
        events = self._events(client)
        if not events:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._came.wait(), self.wait_seconds)
            events = self._events(client)
        if client not in self.clients:
            return [{"channel": channel, "successful": False} | UNKNOWN_CLIENT]
        return [*events, {"channel": channel, "successful": True, "advice": {"timeout": 110_000}}]

    def _events(self, client: str) -> list[dict[str, Any]]:
        after = self.clients.get(client)
        if after is None:
            return []
        found = [(number, payload) for number, payload in self.kept if number > max(after, self.oldest)]
        if found:
            self.clients[client] = found[-1][0]
        return [
            {"channel": "/data/ChangeEvents", "data": {"schema": "s", "payload": one, "event": {"replayId": number}}}
            for number, one in found
        ]

    def answer(self, request: web.Request, form: dict[str, str]) -> web.Response:
        if request.path == "/services/oauth2/token":
            if (form.get("grant_type"), form.get("client_id"), form.get("client_secret")) != (
                "client_credentials",
                *self._client,
            ):
                return web.json_response({"error": "invalid_client"}, status=400)
            self.logins += 1
            self.tokens.add(f"t{self.logins}")
            return web.json_response({"access_token": f"t{self.logins}", "instance_url": self.address})
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return web.json_response([{"errorCode": "INVALID_SESSION_ID"}], status=401)
        found = self.records.get(request.path.partition("/sobjects/")[2])
        return (
            web.json_response([{"errorCode": "NOT_FOUND"}], status=404) if found is None else web.json_response(found)
        )


class Zoho(Vendor):
    """The Notification API: channels that are made by POST and changed by PUT, and tokens by a refresh token."""

    def __init__(self, client_id: str = "app", secret: str = "cs", refresh: str = "r") -> None:
        super().__init__()
        self.tokens: set[str] = set()
        self.logins = 0
        self.channels: dict[str, dict[str, Any]] = {}
        self.changes: list[str] = []
        self._client = (client_id, secret, refresh)

    def answer(self, request: web.Request, form: dict[str, str]) -> web.Response:
        if request.path == "/oauth/v2/token":
            if tuple(form.get(name) for name in ("client_id", "client_secret", "refresh_token")) != self._client:
                return web.json_response({"error": "invalid_code"})  # with 200, as Zoho does
            self.logins += 1
            self.tokens.add(f"t{self.logins}")
            return web.json_response({"access_token": f"t{self.logins}", "expires_in": 3600})
        if request.headers.get("authorization", "").removeprefix("Zoho-oauthtoken ") not in self.tokens:
            return web.json_response({"code": "INVALID_TOKEN", "status": "error"}, status=401)
        (wanted,) = json.loads(self.body)["watch"]
        name, there = wanted["channel_id"], wanted["channel_id"] in self.channels
        if there == (request.method == "POST"):
            return web.json_response({"watch": [{"code": "INVALID_DATA", "status": "error"}]}, status=400)
        self.channels[name] = wanted
        self.changes.append(request.method)
        return web.json_response({"watch": [{"code": "SUCCESS", "status": "success"}]})


class RingCentral(Vendor):
    """The call log of an account, newest first, and the log-in with a JWT. A token holds until it is forgotten."""

    def __init__(self, client_id: str = "app", secret: str = "cs", assertion: str = "jwt") -> None:
        super().__init__()
        self.records: list[dict[str, Any]] = []
        self.tokens: set[str] = set()
        self.logins = 0
        self.page_max = 250
        self._client = f"Basic {base64.b64encode(f'{client_id}:{secret}'.encode()).decode()}"
        self._assertion = assertion

    def answer(self, request: web.Request, form: dict[str, str]) -> web.Response:
        if request.path == "/restapi/oauth/token":
            if request.headers.get("authorization") != self._client or form.get("assertion") != self._assertion:
                return web.json_response({"error": "invalid_grant"}, status=400)
            self.logins += 1
            self.tokens.add(f"t{self.logins}")
            return web.json_response({"access_token": f"t{self.logins}", "token_type": "bearer", "expires_in": 3600})
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return web.json_response({"errorCode": "TokenInvalid"}, status=401)
        begin, end = (datetime.fromisoformat(request.query[name]) for name in ("dateFrom", "dateTo"))
        found = [one for one in self.records if begin <= datetime.fromisoformat(one["startTime"]) <= end]
        found.sort(key=lambda one: one["startTime"], reverse=True)
        size, number = min(self.page_max, int(request.query["perPage"])), int(request.query["page"])
        shown = found[(number - 1) * size : number * size]
        after = {"nextPage": {"uri": "…"}} if number * size < len(found) else {}
        return web.json_response({"records": shown, "navigation": after, "paging": {"page": number}})


def busy(seconds: int = 0, status: int = 503) -> web.Response:
    """An answer that asks for patience."""
    return web.Response(status=status, headers={"retry-after": str(seconds)})
