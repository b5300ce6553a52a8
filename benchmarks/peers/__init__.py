"""What memtail is measured against: each trains one model on one subset, as its users would."""
