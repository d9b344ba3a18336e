"""Grafana dashboards as code: what each shows, in English and Persian, and the files Grafana loads.

``python -m funnelwatch.agents.dashboards DIR`` writes them; ``deploy/grafana/dashboards`` holds what it wrote.
"""

from funnelwatch.agents.dashboards.files import LANGUAGES, dashboards

__all__ = ["LANGUAGES", "dashboards"]
