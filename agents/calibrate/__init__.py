"""``funnelwatch calibrate``: how often detectors would page for nothing, what they would find, how fast."""
