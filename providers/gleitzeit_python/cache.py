"""What decides a result beside the method and its parameters, for a task that may keep it."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio

from gleitzeit.core.errors import NotFoundError
from gleitzeit.providers.base import CacheKey
from gleitzeit_python.config import PythonSettings
from gleitzeit_python.requests.request import job_of
from gleitzeit_python.sandbox.base import Job
from gleitzeit_python.worker.paths import opened

_FOLDERS = "the modules in the folders of PYTHONPATH may change"


async def cache_facts(parameters: Mapping[str, Any], settings: PythonSettings, roots: Sequence[Path]) -> CacheKey:
    """The interpreter, and what the script and the files hold: they may change under their names.

    Raises what `job_of` does for wrong parameters, and `NotFoundError` for a file that can't be read.
    """
    return await anyio.to_thread.run_sync(lambda: _key(job_of(parameters, settings, roots)))


def _key(job: Job) -> CacheKey:
    facts = {
        "python": sys.version,
        "code": hashlib.sha256(job.code.encode("utf-8", "surrogatepass")).hexdigest(),
        "files": {name: _digest(path) for name, path in job.files.items()},
    }
    return CacheKey(facts, repeatable=not job.python_path, reason=_FOLDERS if job.python_path else "")


def _digest(path: Path) -> str:
    try:
        with open(opened(str(path), os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:  # noqa: PTH123 - no link may take the file's place
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise NotFoundError(f"files: {path.name} can't be read: {os.strerror(error.errno or 0)}") from error
