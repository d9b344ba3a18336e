"""The board: merges what the workers publish into figures, and shows them to people, programs and Prometheus.

It holds nothing it cannot rebuild: the table comes from Redis, everything else from the table.
"""
