"""From text to data: YAML and JSON, with the position of every value, and faults in plain words."""
