"""The worker: takes tasks from the queue, trains their shards as a local run does, stores them."""
