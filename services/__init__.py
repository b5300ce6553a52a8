"""What runs in containers: queue settings, worker, aggregator. Thin."""
