"""What to do about an exception of code, where the sandbox most likely stands behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gleitzeit_python.sandbox.base import Job, Problem

_NETWORK = frozenset({"gaierror", "herror", "URLError", "ConnectError", "ConnectionError", "NetworkUnreachable"})
_IMPORTS = frozenset({"ImportError", "ModuleNotFoundError"})
_DISK = ("[Errno 27]", "[Errno 28]")
_READ_ONLY = "[Errno 30]"


def hint_of(problem: Problem, job: Job, facts: Mapping[str, Any]) -> str | None:
    """What the exception itself says, else what its kind means in the tier that the facts name."""
    tier = facts.get("tier")
    if problem.hint:
        return problem.hint
    if problem.type in _IMPORTS:
        return _of_import(problem, job, tier)
    if tier == "none":
        return None
    if problem.type == "FileNotFoundError":
        return "code sees the files that `files` names, by those names, and no others"
    if problem.message.startswith(_DISK):
        return "write less, or raise providers.python.max_disk in the configuration"
    if problem.message.startswith(_READ_ONLY):
        return "what `files` names can only be read: write to a file of another name"
    if facts.get("network") == "none" and problem.type in _NETWORK:
        return "there is no network in the sandbox: let a tool fetch it, by a task before or by `calls` and `call`"
    if problem.type == "PermissionError" and tier in ("ns", "ll"):
        return "there is no network, no file of the host and no other program in the sandbox; tier docker has programs"
    return None


def _of_import(problem: Problem, job: Job, tier: Any) -> str | None:
    if problem.type == "ImportError":
        refused = job.allowed_modules is not None and "not among the allowed modules" in problem.message
        return "name it in `allowed_modules`, as far as the list of the configuration permits" if refused else None
    if tier == "wasm":
        return "the tier wasm has the standard library alone; ns, ll and docker have the packages of the server"
    if job.packages == "none":
        return "`packages: host` has what is installed beside Gleitzeit"
    return "install it where Gleitzeit is installed; modules of your own are found by PYTHONPATH in `env`"
