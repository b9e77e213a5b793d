"""JSON Schema: checking values against it, within bounds, and the schema of the document itself."""
