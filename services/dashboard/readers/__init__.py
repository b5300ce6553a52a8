"""Reads what clients send in a process of its own, with limits of time and memory, and no secrets.

    isolation   starts the process and ends it: late, too large, or when the client is gone
    limits      the limits, as the process sets them for itself
    study_text  TOML or JSON → tables
    dataset     an npz file → a checked dataset

Parsers take far more time and memory for some inputs than their size suggests, and no thread can be
stopped. A process can.
"""
