"""The aggregator: enqueues again what was lost, and publishes reports."""
