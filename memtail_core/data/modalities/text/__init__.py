"""The modality "text"."""
