"""Artifacts, put where later tasks can name them: below the first of the roots, in a folder of their run and task."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gleitzeit.core.errors import ForbiddenError, ProviderError
from gleitzeit.providers.base import TaskContext
from gleitzeit_python.sandbox.base import Artifact
from gleitzeit_python.worker.artifacts import wanted
from gleitzeit_python.worker.paths import opened

FOLDER = "artifacts"
_UNFIT = re.compile(r"[^A-Za-z0-9_.\-]+")


def keep(artifacts: Sequence[Artifact], patterns: Sequence[str], task: TaskContext) -> list[dict[str, Any]]:
    """Write the files that were asked for, whatever the code has sent beside them.

    Tells of each its name, its size and its path, which `files` of another task can name.
    """
    artifacts = [artifact for artifact in artifacts if wanted(artifact.name, patterns)]
    if not artifacts:
        return []
    if not task.roots:
        raise ForbiddenError("artifacts: there is no folder to keep them in", hint="name one in files.roots")
    root = task.roots[0].resolve()
    folder = root / FOLDER / _name(task.run_id) / _name(task.task_id)
    try:
        return [_kept(artifact, root, folder) for artifact in artifacts]
    except OSError as error:
        raise ProviderError(f"artifacts: they can't be kept: {os.strerror(error.errno or 0)}") from error


def _kept(artifact: Artifact, root: Path, folder: Path) -> dict[str, Any]:
    place = folder / artifact.name
    parent = place.parent.resolve()
    if not parent.is_relative_to(root):
        raise ForbiddenError(f'artifacts: "{artifact.name}" would lie outside of the allowed folders')
    parent.mkdir(parents=True, exist_ok=True)
    draft = parent / f".{secrets.token_hex(8)}"
    descriptor = opened(str(draft), os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(artifact.data)
        draft.replace(parent / place.name)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise
    return {"name": artifact.name, "size": len(artifact.data), "path": place.relative_to(root).as_posix()}


def _name(text: str) -> str:
    """A text as the name of a folder; what has none gets one by chance."""
    return _UNFIT.sub("_", text).strip(".") or secrets.token_hex(8)
