"""From catalogue and settings to what Prometheus and Alertmanager read: rules, routing, texts, runbooks. Pure."""
