"""The texts of messages, as templates of Alertmanager: title, plain text and HTML, in English and Persian.

HTML is escaped by Alertmanager (Go's html/template). https://prometheus.io/docs/alerting/0.25/notifications/
"""

from __future__ import annotations

from typing import Final

import msgspec

ALERTS_MAX: Final = 10
"""Alerts told in one message; the others are counted: Telegram takes 4,096 characters."""


class Words(msgspec.Struct, frozen=True):
    """What a message says in one language; ``suffix`` is that of the annotations."""

    lang: str
    direction: str
    suffix: str
    over: str
    since: str
    page: str
    dashboard: str
    runbook: str
    acknowledge: str
    silence: str
    more: str


LANGUAGES: Final = (
    Words(
        lang="en",
        direction="ltr",
        suffix="",
        over="over",
        since="since",
        page="Page and recordings",
        dashboard="Dashboard",
        runbook="What to do",
        acknowledge="Acknowledge",
        silence="Silence",
        more="more",
    ),
    Words(
        lang="fa",
        direction="rtl",
        suffix="_fa",
        over="پایان",
        since="از",
        page="صفحه و مکالمه‌ها",
        dashboard="داشبورد",
        runbook="چه باید کرد",
        acknowledge="دیدم",
        silence="سکوت",
        more="هشدار دیگر",
    ),
)

_TEMPLATE: Final = """\
{{ define "funnelwatch.LANG.title" -}}
{{ if .Alerts.Firing }}▲ {{ with index .Alerts.Firing 0 }}SUMMARY{{ end -}}
{{ if gt (len .Alerts.Firing) 1 }} +{{ len (slice .Alerts.Firing 1) }}{{ end -}}
{{ else }}✓ OVER: {{ with index .Alerts.Resolved 0 }}SUMMARY{{ end }}{{ end }}
{{- end }}

{{ define "funnelwatch.LANG.text" -}}
{{ range $i, $_ := .Alerts.Firing }}{{ if lt $i MAX }}▲ SUMMARY
DESCRIPTION
SINCE {{ .StartsAt.Format "2006-01-02 15:04 MST" }}
W_PAGE: PAGE
W_DASHBOARD: DASHBOARD
W_ACKNOWLEDGE: ACKNOWLEDGE
W_SILENCE: {{ .Annotations.silence_url }}
W_RUNBOOK: {{ .Annotations.runbook_url }}

{{ end }}{{ end -}}
{{ if gt (len .Alerts.Firing) MAX }}+{{ len (slice .Alerts.Firing MAX) }} MORE
{{ end -}}
{{ range $i, $_ := .Alerts.Resolved }}{{ if lt $i MAX }}✓ OVER: SUMMARY
{{ end }}{{ end -}}
{{- end }}

{{ define "funnelwatch.LANG.html" -}}
<!doctype html><html lang="LANG" dir="DIRECTION"><body style="font-family:sans-serif;max-width:40em">
{{ range .Alerts.Firing }}<div style="border-inline-start:4px solid #b3261e;padding-inline-start:12px;margin:16px 0">
<p style="font-size:1.2em;margin:0"><b>▲ SUMMARY</b></p>
<p>DESCRIPTION</p>
<p style="color:#555">SINCE <bdi>{{ .StartsAt.Format "2006-01-02 15:04 MST" }}</bdi></p>
<p><a href="PAGE">W_PAGE</a> · <a href="DASHBOARD">W_DASHBOARD</a> ·
<a href="ACKNOWLEDGE">W_ACKNOWLEDGE</a> · <a href="{{ .Annotations.silence_url }}">W_SILENCE</a> ·
<a href="{{ .Annotations.runbook_url }}">W_RUNBOOK</a></p>
</div>{{ end }}
{{ range .Alerts.Resolved }}<p style="color:#2e6b34">✓ OVER: SUMMARY</p>
{{ end }}</body></html>
{{- end }}
"""


def templates() -> str:
    """The file of templates."""
    return "\n".join(map(_of, LANGUAGES))


def _of(words: Words) -> str:
    def annotation(name: str) -> str:
        own = f".Annotations.{name}{words.suffix}"
        return f"{{{{ {own} }}}}" if not words.suffix else f"{{{{ or {own} .Annotations.{name} }}}}"

    return (
        _TEMPLATE.replace("W_PAGE", words.page)
        .replace("W_DASHBOARD", words.dashboard)
        .replace("W_SILENCE", words.silence)
        .replace("W_ACKNOWLEDGE", words.acknowledge)
        .replace("W_RUNBOOK", words.runbook)
        .replace("SUMMARY", annotation("summary"))
        .replace("DESCRIPTION", annotation("description"))
        .replace("PAGE", annotation("page_url"))
        .replace("ACKNOWLEDGE", annotation("acknowledge_url"))
        .replace("DASHBOARD", annotation("dashboard_url"))
        .replace("DIRECTION", words.direction)
        .replace("LANG", words.lang)
        .replace("SINCE", words.since)
        .replace("OVER", words.over)
        .replace("MORE", words.more)
        .replace("MAX", str(ALERTS_MAX))
    )
