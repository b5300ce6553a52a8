"""Train the missing shards of a study on this machine: prepare, tune, train, store, load."""
