"""A `spec.Dashboard` as Grafana's JSON model, by Grafana's own builders."""

from __future__ import annotations

import json
from itertools import count
from typing import Any, Final

from grafana_foundation_sdk.builders import bargauge, common, dashboard, prometheus, stat, table, text, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as looks
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat
from grafana_foundation_sdk.models.text import TextMode

from funnelwatch.agents.dashboards.spec import Dashboard, Panel, Query, Say, Step
from funnelwatch.agents.dashboards.variables import SOURCE, VARIABLES

COLUMNS: Final = 24
_ALWAYS: Final = ("datasource", "job", "instance")


def render(page: Dashboard, say: Say, language: str) -> str:
    """The file Grafana loads."""
    builder = (
        dashboard.Dashboard(page.title)
        .uid(uid(page.key, language))
        .description(page.description)
        .tags(["funnelwatch", language])
        .readonly()
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .refresh(page.refresh)
        .time(page.since, "now")
        .link(_navigation(say, language))
    )
    for name in (*_ALWAYS, *page.variables):
        builder.with_variable(VARIABLES[name](say))
    numbers, top = count(1), 0
    for title, panels in page.rows:
        if title:
            builder.with_row(
                dashboard.Row(title).grid_pos(models.GridPos(x=0, y=top, w=COLUMNS, h=1)).id(next(numbers))
            )
            top += 1
        top = _place(builder, panels, top, numbers)
    return json.dumps(builder.build(), cls=JSONEncoder, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def uid(key: str, language: str) -> str:
    """A dashboard's uid, which links and alerts name: ``funnelwatch-KEY``, in another language than English ``-fa``."""
    return f"funnelwatch-{key}" if language == "en" else f"funnelwatch-{key}-{language}"


def _navigation(say: Say, language: str) -> Any:
    return (
        dashboard.DashboardLink(say("Dashboards", "داشبوردها"))
        .type(models.DashboardLinkType.DASHBOARDS)
        .tags(["funnelwatch", language])
        .as_dropdown(as_dropdown=True)
        .include_vars(include_vars=True)
        .keep_time(keep_time=True)
    )


def _place(builder: Any, panels: tuple[Panel, ...], top: int, numbers: Any) -> int:
    """Panels from left to right, line by line; the first free line."""
    left, tallest = 0, 0
    for panel in panels:
        if left + panel.width > COLUMNS:
            left, top, tallest = 0, top + tallest, 0
        position = models.GridPos(x=left, y=top, w=panel.width, h=panel.height)
        builder.with_panel(_panel(panel).grid_pos(position).id(next(numbers)))
        left, tallest = left + panel.width, max(tallest, panel.height)
    return top + tallest


def _panel(panel: Panel) -> Any:
    builder = _KINDS[panel.kind](panel).title(panel.title).description(_described(panel))
    if panel.kind == "text":
        return builder
    builder.datasource(SOURCE).unit(panel.unit).thresholds(_thresholds(panel.steps))
    for number, query in enumerate(panel.queries):
        builder.with_target(_target(panel, query, chr(ord("A") + number)))
    if panel.maximum is not None:
        builder.max(panel.maximum)
    if panel.links:
        builder.data_links([_link(title, url) for title, url in panel.links])
    return builder


def _target(panel: Panel, query: Query, letter: str) -> Any:
    target = prometheus.Dataquery().expr(query.expression).ref_id(letter).datasource(SOURCE)
    if query.legend:
        target.legend_format(query.legend)
    if panel.kind == "lines":
        return target.range()
    return target.instant().format(PromQueryFormat.TABLE if panel.kind == "table" else PromQueryFormat.TIME_SERIES)


def _thresholds(steps: tuple[Step, ...]) -> Any:
    found = [models.Threshold(value=step.at, color=step.color) for step in steps]
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(found or [_plain()])


def _plain() -> models.Threshold:
    return models.Threshold(value=None, color="text")


def _described(panel: Panel) -> str:
    """The description, with what the colours mean in words: no meaning by colour alone."""
    words = [f"{step.word} (≥ {step.at:g})" if step.at is not None else step.word for step in panel.steps]
    return f"{panel.description} {' → '.join(words)}." if words else panel.description


def _link(title: str, url: str) -> Any:
    return dashboard.DashboardLink(title).url(url).target_blank(target_blank=False)


def _reduced() -> Any:
    return common.ReduceDataOptions().calcs(["lastNotNull"]).values(values=False)


def _stat(panel: Panel) -> Any:
    builder = stat.Panel().reduce_options(_reduced()).graph_mode(looks.BigValueGraphMode.NONE)
    is_one = len(panel.queries) == 1 and not panel.queries[0].legend
    mode = looks.BigValueTextMode.VALUE if is_one else looks.BigValueTextMode.VALUE_AND_NAME
    return builder.text_mode(mode).color_mode(looks.BigValueColorMode.BACKGROUND)


def _bars(_: Panel) -> Any:
    return (
        bargauge.Panel()
        .reduce_options(_reduced())
        .orientation(looks.VizOrientation.HORIZONTAL)
        .display_mode(looks.BarGaugeDisplayMode.BASIC)
        .value_mode(looks.BarGaugeValueMode.TEXT)
        .show_unfilled(show_unfilled=True)
        .min(0)
    )


def _lines(panel: Panel) -> Any:
    legend = (
        common.VizLegendOptions()
        .display_mode(looks.LegendDisplayMode.TABLE)
        .placement(looks.LegendPlacement.BOTTOM)
        .calcs(["lastNotNull"])
        .show_legend(show_legend=True)
    )
    builder = timeseries.Panel().legend(legend).line_width(2).fill_opacity(10).show_points(looks.VisibilityMode.NEVER)
    if panel.steps:
        builder.thresholds_style(common.GraphThresholdsStyleConfig().mode(looks.GraphThresholdsStyleMode.DASHED))
    return builder


def _text(panel: Panel) -> Any:
    return text.Panel().mode(TextMode.MARKDOWN).content(panel.text)


def _table(panel: Panel) -> Any:
    """One row a rep or team: the queries joined by it, each a column."""
    builder = table.Panel().show_header(show_header=True)
    many = len(panel.queries) > 1
    if many:
        builder.with_transformation(
            models.DataTransformerConfig(id_val="joinByField", options={"byField": panel.join, "mode": "outer"})
        )
    names = {f"Value #{chr(ord('A') + i)}" if many else "Value": query.column for i, query in enumerate(panel.queries)}
    hidden = {"Time": True, **{f"Time {number}": True for number in range(1, len(panel.queries) + 1)}}
    builder.with_transformation(
        models.DataTransformerConfig(id_val="organize", options={"excludeByName": hidden, "renameByName": names})
    )
    for query in panel.queries:
        if query.unit:
            builder.override_by_name(query.column, [models.DynamicConfigValue(id_val="unit", value=query.unit)])
    return builder


_KINDS: Final = {"stat": _stat, "bars": _bars, "lines": _lines, "table": _table, "text": _text}
