"""The language of Gleitzeit: documents, references, plans and errors. It does no I/O."""
