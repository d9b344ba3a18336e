"""What several test folders share: builders of events, strategies, seeded generators."""
