"""Run a study on this machine: prepare it, train its missing shards, store and load its trials."""
