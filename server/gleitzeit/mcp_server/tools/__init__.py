"""The tools that a model calls: what they say of themselves, and what they do."""
