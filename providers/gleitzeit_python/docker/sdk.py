"""The Docker SDK: it has no types, and takes longer to import than most servers need it."""

from __future__ import annotations

import importlib
from typing import Any


def load() -> Any:
    """The package `docker`, imported when it is first needed."""
    return importlib.import_module("docker")
