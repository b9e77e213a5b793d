"""`${VAR}` and `${VAR:-default}` in the configuration, filled from the environment; `$$` is a `$`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from gleitzeit.core.diagnostics import did_you_mean
from gleitzeit.core.errors import ConfigurationError

_REFERENCE = re.compile(r"\$\$|\$\{(?P<name>[^}:]*)(?::-(?P<default>[^}]*))?\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def fill(value: Any, environ: Mapping[str, str], where: str) -> Any:
    """`value` with its references filled in, at any depth.

    Raises `ConfigurationError` naming the key, after `where`, and the variable that is not set.
    """
    if isinstance(value, str):
        return _filled(value, environ, where) if "$" in value else value
    if isinstance(value, Mapping):
        mapping = cast("Mapping[str, Any]", value)
        return {key: fill(item, environ, f"{where}.{key}") for key, item in mapping.items()}
    if isinstance(value, list):
        items = cast("Sequence[Any]", value)
        return [fill(item, environ, f"{where}[{index}]") for index, item in enumerate(items)]
    return value


def read_secrets(values: Mapping[str, Any], environ: Mapping[str, str], base: Path) -> dict[str, str]:
    """Each secret's value, from `{env: NAME}`, `{file: path}` or `"${NAME}"`; files are relative to `base`.

    Raises `ConfigurationError` for one that can't be read, and for one written into the configuration itself.
    """
    return {name: _secret(f"secrets.{name}", value, environ, base) for name, value in values.items()}


def _filled(text: str, environ: Mapping[str, str], where: str) -> str:
    def replacement(match: re.Match[str]) -> str:
        if match.group() == "$$":
            return "$"
        name = match["name"]
        if not _NAME.fullmatch(name):
            raise ConfigurationError(
                f'{where}: "{match.group()}" does not name an environment variable', hint="write $$ for a plain $"
            )
        value = environ.get(name, "")
        if value or (name in environ and match["default"] is None):
            return value
        if match["default"] is None:
            raise _unset(where, name, environ)
        return match["default"]

    return _REFERENCE.sub(replacement, text)


def _unset(where: str, name: str, environ: Mapping[str, str]) -> ConfigurationError:
    guess = did_you_mean(name, environ)
    hint = f"set {name}, or write ${{{name}:-default}}"
    return ConfigurationError(
        f"{where}: the environment variable {name} is not set", hint=f"{hint}; {guess}" if guess else hint
    )


def _secret(where: str, value: Any, environ: Mapping[str, str], base: Path) -> str:
    if isinstance(value, str) and "${" in value:
        return _filled(value, environ, where)
    source = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    if len(source) == 1 and isinstance(source.get("env"), str):
        return _from_variable(where, source["env"], environ)
    if len(source) == 1 and isinstance(source.get("file"), str):
        return _from_file(where, base / Path(source["file"]).expanduser())
    raise ConfigurationError(
        f"{where}: a secret is not written into the configuration itself",
        hint="write {env: VARIABLE} or {file: path}",
    )


def _from_variable(where: str, name: str, environ: Mapping[str, str]) -> str:
    if name not in environ:
        raise _unset(where, name, environ)
    return environ[name]


def _from_file(where: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{where}: {path} can't be read: {error}") from error
