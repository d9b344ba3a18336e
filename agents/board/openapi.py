"""The description of the API, generated from the types that are served."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from funnelwatch import __version__
from funnelwatch.schemas.board import Alerts, Problem, Rows, Status
from funnelwatch.schemas.digest import Digests
from funnelwatch.schemas.document import Document

API: Final = "/api/v1"
JSON: Final = "application/json"
PROBLEM: Final = "application/problem+json"

_TYPES: Final = (Document, Rows, Alerts, Digests, Status, Problem)


class Route(msgspec.Struct, frozen=True):
    """One address: what it answers, and as which type. ``parameter`` is the name of what stands in the path."""

    path: str
    name: str
    summary: str
    type: type | None
    media: str = JSON
    parameter: str = ""


ROUTES: Final = (
    Route(f"{API}/reps", "listReps", "Key figures of all reps, worst first.", Rows),
    Route(f"{API}/reps/{{id}}", "getRep", "All KPIs of one rep.", Document, parameter="id"),
    Route(f"{API}/teams", "listTeams", "Key figures of all teams, worst first.", Rows),
    Route(f"{API}/teams/{{id}}", "getTeam", "All KPIs of one team.", Document, parameter="id"),
    Route(f"{API}/organisation", "getOrganisation", "All KPIs of the organisation.", Document),
    Route(f"{API}/alerts", "listAlerts", "The alerts that are firing, critical ones first.", Alerts),
    Route(f"{API}/digests", "listDigests", "What each manager's daily digest is made of.", Digests),
    Route(
        f"{API}/stream",
        "stream",
        "Changes as server-sent events: `reps`, `teams`, `organisation` (Rows), `gone` (pairs of level and id), "
        "`alerts` (Alerts), `status` (Status, each second). A new stream begins with everything.",
        None,
        media="text/event-stream",
    ),
    Route(f"{API}/status", "getStatus", "How whole and how old the figures are.", Status),
    Route("/healthz", "health", "Answers while the process runs.", None, media="text/plain"),
    Route("/readyz", "ready", "200 when all partitions have been read, else 503; how far it is.", Status),
    Route(
        "/metrics", "metrics", "All KPIs for Prometheus: classic text, or OpenMetrics if asked for.", None, "text/plain"
    ),
)


def document() -> dict[str, Any]:
    """The API as an OpenAPI 3.1 document."""
    _, components = msgspec.json.schema_components(_TYPES, ref_template="#/components/schemas/{name}")
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Funnelwatch board",
            "version": __version__,
            "description": "Live sales KPIs per rep, team and organisation. Amounts are decimal text by currency; a "
            "ratio whose denominator is zero is null. While Redis is away, or not all partitions have been read, "
            "figures are answered with 503.",
        },
        "paths": {route.path: {"get": _operation(route)} for route in ROUTES},
        "components": {"schemas": components},
    }


def _operation(route: Route) -> dict[str, Any]:
    responses = {"200": {"description": route.summary, "content": _content(route.media, route.type)}}
    unavailable = Status if route.path == "/readyz" else Problem
    if route.path != "/healthz":
        responses["503"] = {
            "description": "The figures are not whole; `detail` says why.",
            "content": _content(JSON if unavailable is Status else PROBLEM, unavailable),
        }
    operation: dict[str, Any] = {"operationId": route.name, "summary": route.summary, "responses": responses}
    if route.parameter:
        responses["404"] = {"description": "There is no such id.", "content": _content(PROBLEM, Problem)}
        operation["parameters"] = [
            {"name": route.parameter, "in": "path", "required": True, "schema": {"type": "string"}}
        ]
    return operation


def _content(media: str, of: type | None) -> dict[str, Any]:
    schema = {"type": "string"} if of is None else {"$ref": f"#/components/schemas/{of.__name__}"}
    return {media: {"schema": schema}}
