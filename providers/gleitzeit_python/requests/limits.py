"""What a request may use: never more than the configuration allows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from gleitzeit.core.errors import ForbiddenError, ValidationError
from gleitzeit_python.config import LONGEST, SMALLEST_MEMORY, PythonSettings
from gleitzeit_python.inspection import covered
from gleitzeit_python.sandbox.base import Limits
from gleitzeit_python.sizes import shown_size, size_in_bytes


def limits_of(parameters: Mapping[str, Any], settings: PythonSettings) -> Limits:
    """The limits of one request. Raises an error that names the parameter."""
    return Limits(
        timeout=_timeout(parameters.get("timeout"), settings),
        memory=_memory(parameters.get("max_memory"), settings),
        output=settings.max_output,
        disk=settings.max_disk,
        artifacts=settings.max_artifacts,
    )


def modules_of(parameters: Mapping[str, Any], settings: PythonSettings) -> frozenset[str] | None:
    """The modules that the code itself may import; nothing where all are allowed."""
    asked = parameters.get("allowed_modules")
    allowed = settings.allowed_modules
    if asked is None:
        return None if allowed is None else frozenset(allowed)
    for name in asked:
        if not all(part.isidentifier() for part in name.split(".")):
            raise ValidationError(f"allowed_modules: {name!r} is no name of a module")
    beyond = [] if allowed is None else sorted(name for name in asked if not covered(name, allowed))
    if beyond:
        raise ForbiddenError(
            f"allowed_modules: {', '.join(beyond)} may not be imported here",
            hint=f"providers.python.allowed_modules has {', '.join(allowed or ()) or 'none'}",
        )
    return frozenset(asked)


def _timeout(asked: Any, settings: PythonSettings) -> float:
    if asked is None:
        return settings.timeout
    if isinstance(asked, bool) or not isinstance(asked, int | float) or not 0 < asked <= LONGEST or math.isnan(asked):
        raise ValidationError(
            f"timeout: {str(asked)[:40]} is not between 0 and {LONGEST} seconds",
            hint="leave it out for that of the configuration",
        )
    return float(asked)


def _memory(asked: Any, settings: PythonSettings) -> int:
    if asked is None:
        return settings.memory
    try:
        size = size_in_bytes(asked)
    except ValueError as error:
        raise ValidationError(f"max_memory: {str(asked)[:40]!r} {error}") from None
    if size < SMALLEST_MEMORY:
        raise ValidationError(
            f"max_memory: {str(asked)[:40]} is too little", hint=f"{shown_size(SMALLEST_MEMORY)} are the least"
        )
    if size > settings.memory:
        raise ForbiddenError(
            f"max_memory: {str(asked)[:40]} is more than the {shown_size(settings.memory)} that this server allows",
            hint="ask for less, or raise providers.python.max_memory in the configuration",
        )
    return size
