"""The tools that come and go: saved workflows, and the tools of downstream servers that are exposed."""
