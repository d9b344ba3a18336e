"""The imperative shell: Faust, Kafka, Redis, HTTP, files, the clock."""
