"""A job as a worker reads it, whatever carries it there."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from typing import Any

from gleitzeit_python.sandbox.base import Job

_CPU_LATER = 1
"""Seconds after the time limit: it is to be the clock that ends code, and the limit of the processor what remains."""

_CORES = os.cpu_count() or 1
"""That limit counts all threads of the code together."""


def document_of(job: Job, python_path: Sequence[str], *, memory: int | None) -> dict[str, Any]:
    """The keys of a job's frame; `python_path` is inside, `memory` what its process may have, if it is to see to it."""
    limits = job.limits
    return {
        "code": job.code,
        "filename": job.filename,
        "mode": job.mode,
        "args": job.args,
        "argv": [job.filename] if job.args is None else [job.filename, json.dumps(job.args)],
        "env": dict(job.env),
        "limits": {
            "memory": memory,
            "cpu": math.ceil(limits.timeout * _CORES) + _CPU_LATER,
            "file": limits.disk,
            "artifacts": limits.artifacts,
        },
        "allowed_modules": None if job.allowed_modules is None else sorted(job.allowed_modules),
        "python_path": list(python_path),
        "artifacts": list(job.artifacts),
        "interactive": job.interactive,
    }
