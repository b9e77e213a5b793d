"""The contract between Gleitzeit and the providers that carry out tasks."""
