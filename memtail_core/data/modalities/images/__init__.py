"""The modality "images"."""
