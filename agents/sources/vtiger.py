"""Vtiger's web service: logs in by access key, reads what was changed since the last time, and what was deleted.

Records are read by ``query`` in the order of their last change, page by page, from where the last run came to: the
first run reads the whole history. Deletions are only told by ``sync``. How far it has come is noted after each page
whose events are safe, so that an interruption at any place repeats a page at most, which changes nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import re
from typing import Any, Final

from funnelwatch.agents.clock import now_us
from funnelwatch.agents.errors import OperationError
from funnelwatch.agents.gateway.polling import Polled, Poller
from funnelwatch.agents.sources import seen
from funnelwatch.agents.sources.api import Api, DeniedError, could_begin, secret_of
from funnelwatch.agents.sources.fetching import take
from funnelwatch.agents.sources.place import BEGINNING, Place
from funnelwatch.schemas.reasons import RefusedError
from funnelwatch.schemas.sources import reading
from funnelwatch.schemas.sources.contract import Delivery, SourceOptions
from funnelwatch.schemas.sources.crm import records
from funnelwatch.schemas.sources.crm.records import Outcome
from funnelwatch.schemas.sources.crm.vtiger import LOST, WON
from funnelwatch.schemas.sources.crm.vtiger_record import MODULES, Record

log = logging.getLogger(__name__)

PAGE: Final = 100
"""What Vtiger gives at most."""
SYNCS_MAX: Final = 10_000
"""Pages of deletions in one round."""
LOGINS_MAX: Final = 2
DEFAULT_MODULES: Final = "Users,Leads,Potentials,PhoneCalls"
STAGES: Final = {"Potentials": "sales_stage", "Leads": "leadstatus"}
_TIME: Final = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}", re.ASCII)
"""How Vtiger writes times, and how it wants them in its queries."""
EXPIRED: Final = frozenset(
    {"INVALID_SESSIONID", "AUTHENTICATION_REQUIRED", "SESSION_EXPIRED", "AUTHENTICATION_FAILURE"}
)
ABSENT: Final = frozenset(
    {"ACCESS_DENIED", "UNKNOWN_ENTITY", "INVALID_MODULE", "UNKNOWN_OPERATION", "METHOD_NOT_FOUND"}
)
"""Modules and operations that this Vtiger, or this user, does not have."""


class VtigerError(OperationError):
    """Vtiger answered with an error; ``code`` is its own."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"Vtiger answers {code}: {message}")
        self.code = code


class Session:
    """A log-in that is renewed when it has expired."""

    def __init__(self, api: Api, user: str, access_key: str) -> None:
        self._api = api
        self._user = user
        self._access_key = access_key
        self._name = ""

    async def ask(self, operation: str, **parameters: str) -> Any:
        """The result of an operation.

        Raises:
            VtigerError: Vtiger does not do it.
            OperationError: It does not answer, or not with JSON.
        """
        for attempt in range(1, LOGINS_MAX + 1):
            if not self._name:
                await self._log_in()
            try:
                query = {"operation": operation, "sessionName": self._name, **parameters}
                return _result((await self._api.get("/webservice.php", query)).body)
            except DeniedError:
                if attempt == LOGINS_MAX:
                    raise
            except VtigerError as error:
                if error.code not in EXPIRED or attempt == LOGINS_MAX:
                    raise
            self._name = ""
        raise AssertionError

    async def _log_in(self) -> None:
        challenge = {"operation": "getchallenge", "username": self._user}
        token = reading.text_of(_result((await self._api.get("/webservice.php", challenge)).body).get("token"))
        key = hashlib.md5(f"{token}{self._access_key}".encode(), usedforsecurity=False).hexdigest()
        form = {"operation": "login", "username": self._user, "accessKey": key}
        found = _result((await self._api.post("/webservice.php", form)).body)
        self._name = reading.text_of(found.get("sessionName") or found.get("sessionId"))
        if not self._name:
            raise OperationError("Vtiger gives no session: its answer to the log-in has no sessionName.")


def _result(body: bytes) -> Any:
    try:
        answer = json.loads(body)
    except ValueError:
        raise OperationError("Vtiger does not answer with JSON: is the address that of its web service?") from None
    if not isinstance(answer, dict) or answer.get("success") is not True:
        error = answer.get("error") if isinstance(answer, dict) else None
        error = error if isinstance(error, dict) else {}
        raise VtigerError(str(error.get("code", "nothing"))[:100], str(error.get("message", ""))[:300])
    return answer.get("result")


async def poll(polled: Polled) -> None:
    """Read what changed, again and again, until cancelled."""
    options = polled.source.options
    async with Api(options.option("address"), float(options.option("pause_seconds", "0.5"))) as api:
        session = Session(api, options.option("user"), secret_of(polled.source))
        while True:
            await look(polled, session)
            polled.heard()
            await asyncio.sleep(float(options.option("poll_seconds", "15")))


async def look(polled: Polled, session: Session) -> None:
    """Read everything that changed since the last look.

    Raises:
        OperationError: Vtiger does not answer.
        FullError: There is no room for events.
    """
    modules = polled.source.options.option(MODULES, DEFAULT_MODULES).split(",")
    for module in (name.strip() for name in modules if name.strip()):
        try:
            if module == "Users":
                await _users(polled, session)
            else:
                await _changes(polled, session, module)
                await _deletions(polled, session, module)
        except VtigerError as error:
            if error.code not in ABSENT:
                raise
            log.warning("the source %s reads no %s: %s", polled.source.name, module, error)


async def _changes(polled: Polled, session: Session, module: str) -> None:
    """Pages of records in the order of their last change. Those of one second may be more than a page."""
    name, key = polled.source.name, f"{module}/through"
    noted = await Place.noted(polled, key)
    place = noted or Place()
    total = await _count(session, module) if noted is None else 0
    offset = done = 0
    while True:
        where = f"modifiedtime >= '{place.through}' ORDER BY modifiedtime LIMIT {offset}, {PAGE};"
        rows = await session.ask("query", query=f"SELECT * FROM {module} WHERE {where}")  # noqa: S608  (Vtiger's own)
        rows = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
        new = place.new(rows)
        after = place.after(new, _changed)
        await _take(polled, module, new)
        offset = 0 if after.through > place.through else offset + len(rows)
        if new:
            place = after
            await place.note(polled, key)
        done += len(new)
        if total and new:
            log.info("%s of the source %s: %d of %d read", module, name, min(done, total), total)
        if len(rows) < PAGE:
            return


def _changed(row: dict[str, Any]) -> str:
    time = str(row.get("modifiedtime", ""))
    return time if _TIME.fullmatch(time) else ""


async def _count(session: Session, module: str) -> int:
    query = f"SELECT COUNT(*) FROM {module} WHERE modifiedtime >= '{BEGINNING}';"  # noqa: S608  (Vtiger's own language)
    rows = await session.ask("query", query=query)
    try:
        return int(rows[0]["count"])
    except (LookupError, TypeError, ValueError):
        return 0


async def _take(polled: Polled, module: str, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    if module in STAGES:
        await seen.mark(polled, module, rows, lambda row: _look_of(row, module, polled.source.options))
    body = json.dumps({"success": True, "result": rows}).encode()
    await take(polled, _delivery(module, body), f"a page of {module}")


def _look_of(row: dict[str, Any], module: str, options: SourceOptions) -> seen.Look | None:
    record = Record(row, options)
    try:
        stage = record.text("stage" if module == "Potentials" else "state", STAGES[module])
        closed = module == "Potentials" and records.deal_stage(stage, options, WON, LOST) is not Outcome.OPEN
        return record.id, stage, record.modified_at, record.closing_date() if closed else None
    except RefusedError:
        return None  # the translator says why


async def _deletions(polled: Polled, session: Session, module: str) -> None:
    """What ``sync`` says was deleted since its own mark; before the first one nobody asks for deletions."""
    name = polled.source.name
    mark = await polled.spool.noted(name, f"{module}/sync")
    if mark is None:
        await polled.spool.note(name, f"{module}/sync", str(now_us() // 1_000_000))
        return
    for _ in range(SYNCS_MAX):
        found = await session.ask("sync", modifiedTime=mark, elementType=module, syncType="application")
        if not isinstance(found, dict):
            return
        gone = {"updated": [], "deleted": found.get("deleted") or [], "lastModifiedTime": found.get("lastModifiedTime")}
        if gone["deleted"]:
            body = json.dumps({"success": True, "result": gone}).encode()
            await take(polled, _delivery(module, body), f"deletions of {module}")
        latest = str(found.get("lastModifiedTime") or mark)
        advanced, mark = latest > mark, max(mark, latest)
        await polled.spool.note(name, f"{module}/sync", mark)
        if not found.get("more") or not advanced:
            return


async def _users(polled: Polled, session: Session) -> None:
    """Users have no time of their last change: they are read whole, and told when they look different."""
    rows = await session.ask("query", query="SELECT * FROM Users;")
    body = json.dumps({"success": True, "result": rows}, sort_keys=True).encode()
    digest = hashlib.sha256(body).hexdigest()
    if digest == await polled.spool.noted(polled.source.name, "Users"):
        return
    await take(polled, _delivery("Users", body), "users")
    await polled.spool.note(polled.source.name, "Users", digest)


def _delivery(module: str, body: bytes) -> Delivery:
    return Delivery(url=f"?module={module}", body=body, received_us=now_us())


POLLER: Final = Poller(poll, wanted=lambda source: bool(source.options.option("address")), check=could_begin)
