"""Writes what Prometheus and Alertmanager read, from the settings and from who the board knows."""
