"""Watches the store: enqueues again what was lost, publishes reports."""
