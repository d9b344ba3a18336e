"""What a payload would become: the translator's results, each as a line."""

from __future__ import annotations

from funnelwatch.agents.clock import now_us
from funnelwatch.agents.gateway.directory import Directory
from funnelwatch.agents.gateway.sources import options_with_mapping
from funnelwatch.schemas.encode import encode_event
from funnelwatch.schemas.reasons import RefusedError
from funnelwatch.schemas.settings import Settings, SourceSettings
from funnelwatch.schemas.sources.contract import Delivery, Outgoing, Passed, Result
from funnelwatch.schemas.sources.registry import SYSTEMS


def tried(  # noqa: PLR0917  (a request in its order)
    settings: Settings, source: SourceSettings, method: str, url: str, headers: dict[str, str], body: bytes
) -> tuple[list[str], bool]:
    """What a request becomes, a line each, and whether it is taken.

    Raises:
        ConfigurationError: The source's mapping or the table of people cannot be used.
    """
    options = options_with_mapping(source, settings)
    directory = Directory(settings)
    delivery = Delivery(method=method, url=url, headers=headers, body=body, received_us=now_us())
    try:
        results = SYSTEMS[source.system].translate(delivery, options)
        lines = [_line(result, directory) for result in results]
    except RefusedError as error:
        return [f"refused: {error.reason.value}: {error.detail}"], False
    return lines or ["nothing: the delivery is empty"], True


def _line(result: Result, directory: Directory) -> str:
    if isinstance(result, Passed):
        return f"passed: {result.reason}{': ' if result.detail else ''}{result.detail}"
    if not isinstance(result, Outgoing):
        account = f" of {result.account}" if result.account else ""
        return f"wanted: {result.entity} {result.id}{account} is to be fetched"
    references = result.references
    rep = directory.rep_of(references) if references else None
    event = encode_event(result.event(rep)).decode()
    if references and rep is None:
        return f"kept until the table of people knows {' or '.join(references)}: {event}"
    return f"event: {event}"
