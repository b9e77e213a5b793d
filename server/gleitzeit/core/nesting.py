"""Workflows and questions as tasks of a workflow, and Gleitzeits as servers of another one."""

from __future__ import annotations

RUN_WORKFLOW = "workflow/run"
"""The method that runs a workflow; its parameter `workflow` is one, with references of its own."""

ASK_HUMAN = "human/ask"
"""The method that asks a person."""

PATH_KEY = "io.gleitzeit/path"
"""Where the `_meta` of a request says by which Gleitzeits it has come."""
