"""What can be wrong with a document beyond its form."""
