"""The alternatives that memtail is compared with: each trains one model on one subset."""
