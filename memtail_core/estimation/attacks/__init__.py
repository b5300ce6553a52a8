"""Attacks that infer membership: one file each, one protocol, one registry."""
