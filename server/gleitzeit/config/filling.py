"""Sections of the configuration with the environment filled in, and the secrets they name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gleitzeit.core.data import is_list, is_mapping
from gleitzeit.core.environment import fill, variable
from gleitzeit.core.errors import ConfigurationError


def fill_section(value: Any, environ: Mapping[str, str], where: str) -> Any:
    """`value` with its references filled in, at any depth.

    Raises `ConfigurationError` naming the key, after `where`, and the variable that is not set.
    """
    if isinstance(value, str):
        return fill(value, environ, where)
    if is_mapping(value):
        return {key: fill_section(item, environ, f"{where}.{key}") for key, item in value.items()}
    if is_list(value):
        return [fill_section(item, environ, f"{where}[{index}]") for index, item in enumerate(value)]
    return value


def read_secrets(values: Mapping[str, Any], environ: Mapping[str, str], base: Path) -> dict[str, str]:
    """Each secret's value, from `{env: NAME}`, `{file: path}` or `"${NAME}"`; files are relative to `base`.

    Raises `ConfigurationError` for one that can't be read, and for one written into the configuration itself.
    """
    return {name: _secret(f"secrets.{name}", value, environ, base) for name, value in values.items()}


def _secret(where: str, value: Any, environ: Mapping[str, str], base: Path) -> str:
    if isinstance(value, str) and "${" in value:
        return fill(value, environ, where)
    if is_mapping(value) and len(value) == 1:
        name, path = value.get("env"), value.get("file")
        if isinstance(name, str):
            return variable(name, environ, where)
        if isinstance(path, str):
            return _from_file(where, base / Path(path).expanduser())
    raise ConfigurationError(
        f"{where}: a secret is not written into the configuration itself",
        hint="write {env: VARIABLE} or {file: path}",
    )


def _from_file(where: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{where}: {path} can't be read: {error}") from error
