"""The REST API below ``/api/v1``: management (studies, workers) and results (scores, pairs)."""
