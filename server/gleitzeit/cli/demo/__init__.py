"""The demo: a server, a provider and a workflow, shown at work through the eyes of a host."""
