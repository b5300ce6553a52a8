"""What an attacker can tell about the training set."""
