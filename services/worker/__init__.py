"""Trains shards: takes a task, calls what the local run calls, stores the bits."""
