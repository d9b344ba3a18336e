"""The gateway's addresses, on Litestar: hooks, probes, metrics, and their description (OpenAPI)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import msgspec
from litestar import HttpMethod, Litestar, MediaType, Request, Response, get, route
from litestar.exceptions import HTTPException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody, Schema, Tag
from litestar.params import FromPath
from litestar.types.internal_types import PathParameterDefinition

from funnelwatch import __version__
from funnelwatch.agents.gateway.bodies import GoneError
from funnelwatch.agents.gateway.metrics import CONTENT_TYPE, Metrics
from funnelwatch.agents.gateway.receiving import PROBLEM, Receiver
from funnelwatch.schemas.board import Problem
from funnelwatch.schemas.sources.contract import Reply

log = logging.getLogger(__name__)

AnyRequest = Request[Any, Any, Any]

HOOK: Final = "/hooks/{name:str}"
WITH_BODY: Final = ("post", "put")
HEADERS: Final = {"x-content-type-options": "nosniff", "cache-control": "no-store"}
REFUSALS: Final = {
    400: "The request cannot be read",
    401: "The delivery does not prove where it comes from, or is a replay (some systems expect another status)",
    404: "No source has this name",
    405: "The source is not called with this method",
    408: "The body did not arrive in time",
    413: "The body is too large, packed or unpacked",
    415: "The body is packed in an unknown way",
    422: "The delivery is believed and cannot be read: the detail says why",
    429: "The source sends more than its limit",
    503: "Kafka is away and the spool is full: try again later",
}


@dataclass
class _Delivered(Operation):
    """A description with the bodies that sources send."""

    def __post_init__(self) -> None:
        if not (self.operation_id or "").startswith(WITH_BODY):
            return
        anything = OpenAPIMediaType(schema=Schema(description="As the source's system sends it."))
        media = ("application/json", "application/cloudevents+json", "application/x-www-form-urlencoded")
        self.request_body = RequestBody(content=dict.fromkeys(media, anything), required=False)


def application(receiver: Receiver, metrics: Metrics, trouble: Callable[[], str]) -> Litestar:
    """All addresses.

    Args:
        receiver: What takes deliveries.
        metrics: What ``/metrics`` shows.
        trouble: Why deliveries cannot be accepted now; empty if they can.
    """
    documented = {
        status: ResponseSpec(Problem, description=text, media_type=PROBLEM) for status, text in REFUSALS.items()
    }

    @route(
        HOOK,
        http_method=[HttpMethod.POST, HttpMethod.PUT, HttpMethod.GET, HttpMethod.OPTIONS],
        status_code=200,
        summary="Deliver, or ask whether to",
        description="What a source sends, as its system sends it. Answered when its events are acknowledged by Kafka "
        "or on disk. Which methods, bodies and proofs a source takes is on its system's page; some systems ask by GET "
        "or OPTIONS whether they may deliver.",
        operation_id=_operation_id,
        operation_class=_Delivered,
        tags=["hooks"],
        responses=documented,
        media_type=MediaType.TEXT,
    )
    async def hook(name: FromPath[str], request: AnyRequest) -> Response[bytes]:
        scope = request.scope
        query = scope["query_string"].decode("latin-1")
        path = scope.get("raw_path", b"").decode("latin-1")
        address = f"{path}?{query}" if query else path
        try:
            reply = await receiver.receive(name, scope["method"], address, scope["headers"], request.receive)
        except GoneError:
            reply = Reply(400)
        return _response(reply)

    @get("/healthz", summary="Liveness", tags=["probes"], media_type=MediaType.TEXT)
    async def health() -> str:
        return "ok\n"

    @get(
        "/readyz",
        summary="Readiness: deliveries can be accepted",
        tags=["probes"],
        media_type=MediaType.TEXT,
        responses={503: ResponseSpec(str, description="They cannot; the text says why", media_type=MediaType.TEXT)},
    )
    async def ready() -> Response[str]:
        found = trouble()
        return Response(f"{found or 'ready'}\n", status_code=503 if found else 200, media_type=MediaType.TEXT)

    @get("/metrics", summary="Metrics for Prometheus", tags=["probes"])
    async def exposition() -> Response[bytes]:
        return Response(metrics.page(), media_type=CONTENT_TYPE)

    return Litestar(
        [hook, health, ready, exposition],
        exception_handlers={HTTPException: _problem, Exception: _defect},
        openapi_config=OpenAPIConfig(
            title="Funnelwatch gateway",
            version=__version__,
            description="What webhooks of CRMs and telephone systems are pointed at.",
            path="/",
            render_plugins=[JsonRenderPlugin(path="/openapi.json")],
            tags=[Tag("hooks", description="Deliveries"), Tag("probes", description="For operators")],
        ),
        logging_config=None,
        request_max_body_size=None,  # held to by the receiver, while it reads
    )


def _operation_id(_handler: object, method: HttpMethod | str, path: list[str | PathParameterDefinition]) -> str:
    return f"{HttpMethod(method).value.lower()}_{path[0]}"


def _response(reply: Reply) -> Response[bytes]:
    return Response(
        reply.body,
        status_code=reply.status,
        headers={**HEADERS, **{name: value for name, value in reply.headers.items() if name != "content-type"}},
        media_type=reply.headers.get("content-type", MediaType.TEXT),
    )


def _problem(_: AnyRequest, error: HTTPException) -> Response[bytes]:
    """An address or a request that is not read is a problem document like any other (RFC 9457)."""
    body = msgspec.json.encode(Problem(HTTPStatus(error.status_code).phrase, error.status_code, error.detail))
    headers = {**HEADERS, **(error.headers or {})}
    return Response(body, status_code=error.status_code, headers=headers, media_type=PROBLEM)


def _defect(_: AnyRequest, error: Exception) -> Response[bytes]:
    """A defect of ours: the log has it, the caller may try again."""
    log.error("a request could not be answered; this is a defect", exc_info=error)
    body = msgspec.json.encode(Problem("Internal server error", 500, "The gateway's log says what happened."))
    return Response(body, status_code=500, headers=HEADERS, media_type=PROBLEM)
