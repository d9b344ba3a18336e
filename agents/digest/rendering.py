"""A digest as a mail: subject, HTML and plain text, in one language. Everything from outside is escaped."""

from __future__ import annotations

from functools import cache
from urllib.parse import quote, urlsplit

import jinja2
import msgspec

from funnelwatch.agents.digest.words import DIRECTIONS, WORDS, Writing
from funnelwatch.schemas.board import Row
from funnelwatch.schemas.digest import DayFigures, Digest
from funnelwatch.schemas.settings import Settings


class Mail(msgspec.Struct, frozen=True):
    """What is sent."""

    subject: str
    html: str
    text: str


@cache
def _environment() -> jinja2.Environment:
    """HTML is escaped, plain text is not; a name that a template does not know is a fault."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("funnelwatch.agents.digest"),
        autoescape=jinja2.select_autoescape(["html"]),
        undefined=jinja2.StrictUndefined,
    )


def render(digest: Digest, settings: Settings, language: str) -> Mail:
    """The mail of one manager."""
    writing = Writing(language, settings.calendar.system)
    words = WORDS[writing.language]
    helped = [one for one in digest.reps if one.row.severity or one.row.reasons][: settings.digest.reps_max]
    shown = digest.reps[: settings.digest.reps_max]
    support = settings.benchmarks.support_ratio

    def rep_url(rep: str) -> str:
        return f"{settings.board.url}/reps/{quote(rep, safe='')}?lang={writing.language}"

    def reasons(row: Row) -> str:
        return str(words["comma"]).join(words["reasons"].get(reason, reason) for reason in row.reasons)

    def short(day: DayFigures) -> bool:
        return bool(day.outreach_expected) and day.outreach < support * (day.outreach_expected or 0)

    subject = f"{words['title']}: {writing.day(digest.today)}"
    context = {
        "lang": writing.language,
        "dir": DIRECTIONS[writing.language],
        "t": words,
        "w": writing,
        "digest": digest,
        "helped": helped,
        "shown": shown,
        "hidden": len(digest.reps) - len(shown),
        "subject": subject,
        "board": settings.board.url,
        "rep_url": rep_url,
        "reasons": reasons,
        "short": short,
        "safe": _is_web,
    }
    pages = _environment()
    return Mail(
        subject,
        pages.get_template("digest.html").render(context),
        pages.get_template("digest.txt").render(context),
    )


def _is_web(url: str) -> bool:
    """Whether an address is one to be linked: recordings come from publishers, who may send ``javascript:``."""
    try:
        return urlsplit(url).scheme in {"http", "https"}
    except ValueError:
        return False
