"""Workflows as tasks of another one, and Gleitzeits as servers of another one."""

from __future__ import annotations

RUN_WORKFLOW = "workflow/run"
"""The method that runs a workflow; its parameter `workflow` is one, with references of its own."""

PATH_KEY = "io.gleitzeit/path"
"""Where the `_meta` of a request says by which Gleitzeits it has come."""
