"""What fetches from other systems, and what is remembered of what they told."""
