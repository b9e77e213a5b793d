"""Runs workflows: what to do next is decided by `gleitzeit.core.plan`, and done here."""
