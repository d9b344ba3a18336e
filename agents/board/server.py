"""The board over HTTP: API, metrics, probes, and the pages. While the figures are not whole, figures are a 503."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import msgspec
from aiohttp import ETag, hdrs, web

from funnelwatch.agents import clock
from funnelwatch.agents.board.acknowledging import Acknowledgement, NotAcknowledgedError, acknowledge
from funnelwatch.agents.board.board import EVENTS, SCRAPE_REST, Board
from funnelwatch.agents.board.hub import Full, encode_event
from funnelwatch.agents.board.openapi import API, JSON, PROBLEM, document
from funnelwatch.agents.board.pace import Pace
from funnelwatch.agents.board.roster import ORGANISATION, Key
from funnelwatch.schemas.board import Problem
from funnelwatch.streams.alerting.files import runbooks
from funnelwatch.streams.exposition import CLASSIC_TYPE, OPENMETRICS_TYPE, prefers_openmetrics

STATIC: Final = Path(__file__).parent / "static"
DIRECTIONS: Final = {"en": "ltr", "fa": "rtl"}
LANGUAGE: Final = "en"
HEARTBEAT_SECONDS: Final = 15.0
"""A comment on a quiet stream, so that a page that went away is noticed."""
PARTS_PER_WRITE: Final = 1_000
"""Pieces of the metrics page, of some hundred bytes each, that are written at a time."""
BOARD: Final = web.AppKey("board", Board)

SECURITY_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def problem(status: int, title: str, detail: str) -> web.Response:
    """An answer that says why there is none (RFC 9457)."""
    return web.Response(
        status=status, body=msgspec.json.encode(Problem(title, status, detail)), content_type=PROBLEM, charset="utf-8"
    )


def unavailable(detail: str) -> web.Response:
    """503: the figures are not whole, so none is shown."""
    response = problem(503, "The figures are not available", detail)
    response.headers["Retry-After"] = "1"
    return response


@web.middleware
async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Security headers on everything; an unknown address is a problem document like any other."""
    try:
        response = await handler(request)
    except web.HTTPException as error:
        if error.status < 400:  # noqa: PLR2004  (redirections and "not modified" are answers)
            raise
        response = problem(error.status, error.reason, f"{request.method} {request.path}: {error.reason}.")
        if allow := error.headers.get("Allow"):
            response.headers["Allow"] = allow
    if not response.prepared:
        response.headers.update(SECURITY_HEADERS)
    return response


def whole(handler: Handler) -> Handler:
    """Answer with 503 and the reason while the figures are not whole."""

    async def checked(request: web.Request) -> web.StreamResponse:
        trouble = request.app[BOARD].trouble()
        return unavailable(trouble) if trouble else await handler(request)

    return checked


def _json(data: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(data), content_type=JSON, charset="utf-8")


async def _entry(request: web.Request, key: Key) -> web.Response:
    board = request.app[BOARD]
    entry = board.figures.serve(key, board.now())
    if entry is None:
        return problem(404, f"No such {key[0]}", f"No {key[0]} has the id {key[1]!r}.")
    tag = ETag(entry.etag)
    if any(known.value in {entry.etag, "*"} for known in request.if_none_match or ()):
        response = web.Response(status=304)
    else:
        response = web.Response(body=entry.answer(), content_type=JSON, charset="utf-8")
    response.etag = tag
    response.headers["Cache-Control"] = "no-cache"
    return response


async def rep(request: web.Request) -> web.Response:
    """The document of one rep."""
    return await _entry(request, ("rep", request.match_info["id"]))


async def team(request: web.Request) -> web.Response:
    """The document of one team."""
    return await _entry(request, ("team", request.match_info["id"]))


async def organisation(request: web.Request) -> web.Response:
    """The document of the organisation."""
    return await _entry(request, ORGANISATION)


async def reps(request: web.Request) -> web.Response:
    """Key figures of all reps."""
    return _json(request.app[BOARD].rows("rep"))


async def teams(request: web.Request) -> web.Response:
    """Key figures of all teams."""
    return _json(request.app[BOARD].rows("team"))


async def alerts(request: web.Request) -> web.Response:
    """What fires now."""
    return _json(request.app[BOARD].alerts())


async def digests(request: web.Request) -> web.Response:
    """What each manager's daily digest is made of."""
    return _json(request.app[BOARD].digests())


async def status(request: web.Request) -> web.Response:
    """How whole and how old the figures are; answered in any case."""
    return _json(request.app[BOARD].status())


async def ready(request: web.Request) -> web.Response:
    """The readiness probe."""
    found = request.app[BOARD].status()
    response = _json(found)
    response.set_status(200 if found.ready else 503)
    return response


async def health(_: web.Request) -> web.Response:
    """The liveness probe: the loop turns."""
    return web.Response(text="ok\n")


async def metrics(request: web.Request) -> web.StreamResponse:
    """All KPIs, in the format asked for; a plain sentence while they are not whole."""
    board = request.app[BOARD]
    if trouble := board.trouble():
        return web.Response(status=503, text=f"{trouble}\n")
    openmetrics = prefers_openmetrics(request.headers.get("Accept", ""))
    parts = await board.metrics(openmetrics=openmetrics)
    headers = {"Content-Type": OPENMETRICS_TYPE if openmetrics else CLASSIC_TYPE}
    if request.method == hdrs.METH_HEAD:
        return web.Response(headers=headers)
    response = web.StreamResponse(headers=headers | SECURITY_HEADERS)
    response.content_length = sum(map(len, parts))
    await response.prepare(request)
    pace = Pace(SCRAPE_REST)
    for first in range(0, len(parts), PARTS_PER_WRITE):
        await response.write(b"".join(parts[first : first + PARTS_PER_WRITE]))
        await pace.rest()
    return response


async def told(request: web.Request) -> web.Response:
    """Alertmanager tells whom it told. Nothing but what the wall shows beside an alert comes from it."""
    if request.content_type != JSON:  # a page of another origin can send no JSON unasked
        return problem(415, "Not JSON", "Send what Alertmanager's webhook sends, as application/json.")
    try:
        request.app[BOARD].take_announcement(await request.read())
    except msgspec.MsgspecError as error:
        return problem(400, "No message of Alertmanager", str(error))
    return web.Response(status=204)


async def acknowledgement(request: web.Request) -> web.Response:
    """Somebody has seen a page: silence it until the next working day."""
    if request.content_type != JSON:
        return problem(415, "Not JSON", "Send an acknowledgement as application/json.")
    try:
        asked = msgspec.json.decode(await request.read(), type=Acknowledgement)
        return _json(await acknowledge(request.app[BOARD].settings, asked, clock.now_us()))
    except msgspec.MsgspecError as error:
        return problem(400, "No acknowledgement", str(error))
    except NotAcknowledgedError as error:
        return problem(error.status, "Not acknowledged", str(error))


async def runbook(request: web.Request) -> web.Response:
    """What an alert means and what to do about it, as Markdown; also while the figures are not whole."""
    name = request.match_info["name"]
    text = runbooks().get(name)
    if text is None:
        return problem(404, "No such runbook", f"No alert is called {name!r}.")
    return web.Response(text=text, content_type="text/plain", charset="utf-8")


async def stream(request: web.Request) -> web.StreamResponse:
    """Changes as they come, beginning with everything. Also while the figures are not whole: the page says so."""
    board = request.app[BOARD]
    try:
        listener = board.hub.join()
    except Full:
        return unavailable("As many pages listen as this board can serve. Close one, or try again later.")
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store", **SECURITY_HEADERS}
    )
    try:
        await response.prepare(request)
        await response.write(_beginning(board))
        while True:
            try:
                event = await asyncio.wait_for(listener.next(), HEARTBEAT_SECONDS)
            except TimeoutError:
                event = b": still here\n\n"
            if event is None:
                return response
            await response.write(event)
    except ConnectionResetError:
        return response  # the page is gone: nobody is left to tell
    finally:
        board.hub.leave(listener)


def _beginning(board: Board) -> bytes:
    events = [encode_event("status", board.status())]
    if board.trouble() is None:
        events += [encode_event(event, board.rows(level)) for event, level in EVENTS.items()]
        events.append(encode_event("alerts", board.alerts()))
    return b"retry: 1000\n\n" + b"".join(events)


def _page(name: str) -> Handler:
    """A page in the language that ``?lang=`` asks for; all that differs in the document itself is its direction."""
    template = (STATIC / name).read_text("utf-8")
    pages = {lang: template.format(lang=lang, dir=direction) for lang, direction in DIRECTIONS.items()}

    async def page(request: web.Request) -> web.StreamResponse:
        text = pages.get(request.query.get("lang", ""), pages[LANGUAGE])
        return web.Response(text=text, content_type="text/html", charset="utf-8", headers={"Cache-Control": "no-cache"})

    return page


def application(board: Board) -> web.Application:
    """All addresses of the board."""
    app = web.Application(middlewares=[guarded])
    app[BOARD] = board
    description = msgspec.json.encode(document())

    async def openapi(_: web.Request) -> web.Response:
        return web.Response(body=description, content_type=JSON, charset="utf-8")

    app.add_routes(
        [
            web.get(f"{API}/reps", whole(reps)),
            web.get(f"{API}/reps/{{id:.+}}", whole(rep)),
            web.get(f"{API}/teams", whole(teams)),
            web.get(f"{API}/teams/{{id:.+}}", whole(team)),
            web.get(f"{API}/organisation", whole(organisation)),
            web.get(f"{API}/alerts", whole(alerts)),
            web.get(f"{API}/digests", whole(digests)),
            web.get(f"{API}/status", status),
            web.post(f"{API}/told", told),
            web.post(f"{API}/acknowledgements", acknowledgement),
            web.get(f"{API}/stream", stream),
            web.get(f"{API}/openapi.json", openapi),
            web.get("/healthz", health),
            web.get("/readyz", ready),
            web.get("/metrics", metrics),
            web.get("/runbooks/{name}", runbook),
            web.get("/", _page("wall.html")),
            web.get("/reps/{id:.+}", _page("rep.html")),
            web.get("/acknowledge", _page("acknowledge.html")),
            web.static("/static", STATIC),
        ]
    )
    return app
