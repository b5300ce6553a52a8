"""Where memorization happens: the last layer trained alone."""
