"""`python/validate`: code is looked at inside of the sandbox, and never run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from gleitzeit.core.data import is_list, is_object
from gleitzeit_python.config import PythonSettings
from gleitzeit_python.requests.limits import modules_of
from gleitzeit_python.requests.request import source_of
from gleitzeit_python.results.result import error_of
from gleitzeit_python.sandbox.base import Job, Limits, Outcome

_SECONDS = 20.0
_CALL = "\nresult = inspected(**args)\n"


def inspection_of(parameters: Mapping[str, Any], settings: PythonSettings, roots: Sequence[Path]) -> Job:
    """The job that inspects the code of a request."""
    code, filename = source_of(parameters, roots)
    modules = modules_of(parameters, settings)
    args = {
        "code": code,
        "filename": filename,
        "inline": parameters.get("script") is None,
        "allowed": None if modules is None else sorted(modules),
    }
    limits = Limits(timeout=_SECONDS, memory=max(settings.memory, 256 << 20))
    return Job(
        _inspector() + _CALL, "<inspection>", args=args, packages=settings.packages, limits=limits, interactive=False
    )


def verdict_of(outcome: Outcome, job: Job) -> dict[str, Any]:
    """What `python/validate` answers. Code that ends the process which compiles it is not valid."""
    if outcome.ended in ("crashed", "memory", "timeout"):
        error = error_of(outcome, job)
        return _verdict([{"line": 1, "column": 1, "message": f"it can't be compiled: {error.message}"}])
    if outcome.problem is not None or not is_list(outcome.value):
        raise error_of(outcome, job)
    return _verdict([problem for problem in outcome.value if is_object(problem)])


def _verdict(errors: list[dict[str, Any]]) -> dict[str, Any]:
    return {"valid": not errors, "errors": errors}


@cache
def _inspector() -> str:
    return (Path(__file__).parent / "inspection.py").read_text(encoding="utf-8")
