"""The worker: events from Kafka into folds, folds into cells, cells into Redis. Faust, RocksDB and Redis meet here."""
