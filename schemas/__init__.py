"""The language of the wire: envelope, events, KPI document, alert, configuration, codec. Pure; no I/O."""
