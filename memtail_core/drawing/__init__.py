"""How a figure or a section of a report looks; nothing here knows what a study is."""
