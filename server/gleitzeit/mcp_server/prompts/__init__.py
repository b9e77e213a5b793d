"""Prompts that a person starts in their host: writing a workflow, and finding out why a run failed."""
