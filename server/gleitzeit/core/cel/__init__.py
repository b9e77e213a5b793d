"""CEL expressions: read, bounded, weighed and evaluated."""
