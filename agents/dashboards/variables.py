"""The variables at the top of a dashboard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    VariableHide,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from funnelwatch.agents.dashboards.spec import Say
from funnelwatch.schemas.settings import BoardSettings

SOURCE: Final = DataSourceRef(type_val="prometheus", uid="${datasource}")
DEFAULT_WINDOW: Final = "30d"
BOARD: Final = BoardSettings()


def datasource(_: Say) -> Any:
    """Which Prometheus."""
    return builders.DatasourceVariable("datasource").label("Data source").type("prometheus")


def job(_: Say) -> Any:
    """Which scrape job; there is one, unless several organisations share a Prometheus."""
    return _of_process("job", "label_values(funnelwatch_build_info, job)")


def instance(_: Say) -> Any:
    """Which process."""
    return _of_process("instance", 'label_values(funnelwatch_build_info{job=~"$job"}, instance)')


def team(say: Say) -> Any:
    """Which teams."""
    return _several("team", say("Team", "تیم"), 'label_values(sales_team_info{job=~"$job"}, team)')


def rep(say: Say) -> Any:
    """Which reps, by name; the value is the id."""
    query = 'query_result(sales_rep_info{job=~"$job", team=~"$team"})'
    regex = '/name="(?<text>[^"]*)".*rep="(?<value>[^"]*)"/'
    return _several("rep", say("Rep", "فروشنده"), query).regex(regex)


def pipeline(say: Say) -> Any:
    """Which pipelines."""
    query = 'label_values(sales_team_open_deals{job=~"$job"}, pipeline)'
    return _several("pipeline", say("Pipeline", "قیف"), query)


def window(say: Say) -> Any:
    """One window: figures of two windows are never added."""
    names = ",".join(BOARD.metric_windows)
    return (
        builders.CustomVariable("window")
        .label(say("Window", "بازه"))
        .values(names)
        .current(_option(DEFAULT_WINDOW))
        .multi(multi=False)
        .include_all(include_all=False)
    )


def currency(say: Say) -> Any:
    """One currency: amounts of two are never added."""
    return (
        builders.QueryVariable("currency")
        .label(say("Currency", "ارز"))
        .datasource(SOURCE)
        .query('label_values(sales_team_won_amount{job=~"$job"}, currency)')
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(multi=False)
        .include_all(include_all=False)
    )


def board(say: Say) -> Any:
    """Where the board's own pages are, for links to recordings and reasons."""
    address = f"http://{BOARD.host}:{BOARD.port}"
    return builders.TextBoxVariable("board").label(say("Board", "تابلو")).default_value(address).hide(_hidden())


VARIABLES: Final[dict[str, Callable[[Say], Any]]] = {
    builder.__name__: builder for builder in (datasource, job, instance, team, rep, pipeline, window, currency, board)
}


def _of_process(name: str, query: str) -> Any:
    return _several(name, name.title(), query).hide(_hidden())


def _hidden() -> VariableHide:
    return VariableHide.HIDE_VARIABLE


def _several(name: str, label: str, query: str) -> Any:
    return (
        builders.QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        .query(query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(multi=True)
        .include_all(include_all=True)
        .all_value(".+")
        .current(_option("All", "$__all"))
    )


def _option(text: str, value: str | None = None) -> Any:
    return VariableOption(selected=True, text=text, value=value or text)
