"""The modality "features": rows of a table."""
