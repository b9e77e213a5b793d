"""Workflows as tasks of another one."""

from __future__ import annotations

RUN_WORKFLOW = "workflow/run"
"""The method that runs a workflow; its parameter `workflow` is one, with references of its own."""
