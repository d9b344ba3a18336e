"""``funnelwatch dlq``: looking at what was refused, and sending it again after a fix."""
