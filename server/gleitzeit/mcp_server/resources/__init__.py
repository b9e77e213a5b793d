"""What can be read at an address: runs, tasks, saved workflows, the schema of documents, downstream servers."""
