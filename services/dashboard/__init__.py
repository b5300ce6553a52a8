"""The dashboard: what people and programs see of the studies, and how they ask for more."""
