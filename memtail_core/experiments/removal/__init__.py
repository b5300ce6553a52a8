"""What test accuracy costs without the memorized examples."""
