"""From the parameters of a request to a `Job`: everything that can be wrong with them is said here, by name."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gleitzeit.core.data import is_mapping
from gleitzeit.core.errors import LimitError, ValidationError
from gleitzeit_python.config import PythonSettings
from gleitzeit_python.requests.environment import environment_of, module_folders
from gleitzeit_python.requests.files import (
    artifact_patterns,
    check_size,
    folders_of_modules,
    readable_files,
    script_text,
)
from gleitzeit_python.requests.limits import limits_of, modules_of
from gleitzeit_python.sandbox.base import Job

_LARGEST_ARGS = 4 << 20
_INLINE = "<task>"


def touches_files(parameters: Mapping[str, Any]) -> bool:
    """Whether the disk has to be looked at, which may take time."""
    return bool(parameters.get("script") or parameters.get("files") or module_folders(_environment(parameters)))


def _environment(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    env = parameters.get("env")
    return env if is_mapping(env) else {}


def job_of(parameters: Mapping[str, Any], settings: PythonSettings, roots: Sequence[Path]) -> Job:
    """The job that the parameters ask for."""
    env = _environment(parameters)
    variables = environment_of(env)
    text, filename = source_of(parameters, roots)
    return Job(
        code=text,
        filename=filename,
        mode="script" if parameters.get("script") is not None else "inline",
        args=_arguments(parameters.get("args")),
        env=variables,
        files=readable_files(roots, parameters.get("files") or ()),
        python_path=folders_of_modules(roots, module_folders(env)),
        artifacts=artifact_patterns(parameters.get("artifacts") or ()),
        allowed_modules=modules_of(parameters, settings),
        packages=parameters.get("packages") or settings.packages,
        limits=limits_of(parameters, settings),
    )


def source_of(parameters: Mapping[str, Any], roots: Sequence[Path]) -> tuple[str, str]:
    """The code of a request, and what its file is called in tracebacks."""
    script, code = parameters.get("script"), parameters.get("code")
    if (script is None) == (code is None):
        said = "both are there" if script is not None else "neither is there"
        raise ValidationError(f"either `script` or `code` is needed; {said}", hint="give one of them")
    if script is not None:
        return script_text(roots, script), script
    text = str(code)
    check_size(len(text) if text.isascii() else len(text.encode("utf-8", "replace")), "code")
    return text, _INLINE


def _arguments(args: Any) -> Any:
    """The arguments, which have to be JSON."""
    if args is None:
        return None
    try:
        size = len(json.dumps(args, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise ValidationError(f"args: not JSON: {reason}", hint="pass text, numbers, lists and objects") from None
    if size > _LARGEST_ARGS:
        raise LimitError(
            f"args: larger than {_LARGEST_ARGS >> 20} MiB", hint="put it into a file and name it in `files`"
        )
    return args
