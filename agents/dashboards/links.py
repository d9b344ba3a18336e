"""Where a panel leads: the same rep or team on another dashboard, or the board's own page with recordings."""

from __future__ import annotations

from funnelwatch.agents.dashboards.render import uid
from funnelwatch.agents.dashboards.spec import Say

_KEPT = "${__url_time_range}&${datasource:queryparam}&${job:queryparam}&${instance:queryparam}"

Links = tuple[tuple[str, str], ...]


def of_rep(say: Say, language: str, value: str = "${__field.labels.rep}") -> Links:
    """To the rep's dashboard, and to the board's page of the rep, where the reasons and the recordings are."""
    return (
        (say("Rep", "فروشنده"), f"/d/{uid('rep', language)}?var-rep={value}&var-team=$__all&{_KEPT}"),
        (say("Reasons and recordings", "دلایل و مکالمه‌ها"), f"${{board}}/reps/{value}?lang={language}"),
    )


def of_team(say: Say, language: str) -> Links:
    """To the manager's dashboard of one team."""
    address = f"/d/{uid('manager', language)}?var-team=${{__field.labels.team}}&{_KEPT}"
    return ((say("Team", "تیم"), address),)
