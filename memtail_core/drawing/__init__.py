"""How a figure or a section of a report looks. Nothing here knows what a study is."""
