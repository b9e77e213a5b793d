"""The configuration that a command goes by."""

from __future__ import annotations

import os
from pathlib import Path

from gleitzeit.config import Configuration, load_configuration
from gleitzeit.core.errors import NotFoundError

DEBUG = "GLEITZEIT_DEBUG"


def configured(file: Path | None) -> Configuration:
    """The configuration from `file`, or from where it usually is.

    Raises `NotFoundError` where there is no such file, and `ConfigurationError` where it can't be used.
    """
    if file is not None and not file.exists():
        raise NotFoundError(f"there is no file {file}", hint="--config names an existing configuration")
    environment = {name: value for name, value in os.environ.items() if name != DEBUG}
    return load_configuration(file, environment)
