"""What each trial trains on, and which trials are trained together: pure functions of a study."""
