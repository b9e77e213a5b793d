"""Where keys come from: a YAML file, environment variables and flags, each value with its origin."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import yaml

from gleitzeit.config.settings import FILE_KEYS
from gleitzeit.core.errors import ConfigurationError

PREFIX = "GLEITZEIT_"
NOT_KEYS = frozenset({"GLEITZEIT_HOME", "GLEITZEIT_CONFIG", "GLEITZEIT_TOKEN"})
MAXIMUM_BYTES = 1 << 20

# Typed as Any, for the loader in C has no types of its own.
Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Source:
    """Nested keys, and by their path (`server.port`) where each was written."""

    values: dict[str, Any] = field(default_factory=dict[str, Any])
    origins: dict[str, str] = field(default_factory=dict[str, str])


def from_file(path: Path) -> Source:
    """The keys of a YAML file. Raises `ConfigurationError` with the line of what is wrong."""
    text = _text(path)
    try:
        loader = Loader(text)
        node = loader.get_single_node()
        if node is None:
            return Source()
        origins = dict(_origins(node, "", path))
        values = loader.construct_document(node)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path}: {_yaml_problem(error)}", hint="mend the YAML there") from None
    if not isinstance(values, dict):
        raise ConfigurationError(f"{path}: the file is not a mapping of sections", hint=_SECTIONS_HINT)
    return Source(cast("dict[str, Any]", values), origins)


def from_environment(environ: Mapping[str, str]) -> Source:
    """The keys of variables such as `GLEITZEIT_PROVIDERS__OLLAMA__ENDPOINT`; values are YAML scalars or JSON."""
    source = Source()
    for variable in sorted(environ):
        if variable.startswith(PREFIX) and variable not in NOT_KEYS:
            keys = _keys(variable.removeprefix(PREFIX))
            _put(source, keys, _value(environ[variable]), f"environment variable {variable}")
    return source


def from_flags(overrides: Mapping[str, Any]) -> Source:
    """The keys that a command line or a program gives, nested or with dots."""
    source = Source()
    for key, value in overrides.items():
        _put(source, key.split("."), value, "given by the caller")
    return source


def merged(*sources: Source) -> Source:
    """One source in which later ones win, key by key; lists are replaced as a whole."""
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for source in sources:
        values = _merge(values, source.values)
        origins.update(source.origins)
    return Source(values, origins)


_SECTIONS_HINT = f"the sections are {', '.join(FILE_KEYS)}"


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path}: {os.strerror(error.errno or 0)}", hint="check the path") from error
    if len(data) > MAXIMUM_BYTES:
        raise ConfigurationError(f"{path}: {len(data)} bytes, at most {MAXIMUM_BYTES} are read")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path}: not UTF-8 text", hint="save it as UTF-8") from None


def _yaml_problem(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
    return f"{where}{getattr(error, 'problem', None) or error}"


def _origins(node: yaml.Node, prefix: str, path: Path) -> Iterator[tuple[str, str]]:
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(cast("list[yaml.Node]", node.value)):
            yield f"{prefix}[{index}]", _place(item, path)
            yield from _origins(item, f"{prefix}[{index}]", path)
    if not isinstance(node, yaml.MappingNode):
        return
    seen: set[str] = set()
    for key, value in cast("list[tuple[yaml.Node, yaml.Node]]", node.value):
        name = str(key.value)
        if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
            raise ConfigurationError(f"{_place(key, path)}: a key must be a text", hint="put it in quotes")
        if name in seen:
            raise ConfigurationError(f'{_place(key, path)}: the key "{name}" is given twice', hint="keep one of them")
        seen.add(name)
        full = f"{prefix}.{name}" if prefix else name
        yield full, _place(key, path)
        yield from _origins(value, full, path)


def _place(node: yaml.Node, path: Path) -> str:
    return f"{path.name}, line {node.start_mark.line + 1}"


def _keys(variable: str) -> list[str]:
    first, *rest = variable.split("__")
    known = {key.lower(): key for key in FILE_KEYS}
    top = known.get(first.lower(), first.lower())
    # The names of secrets are the user's own and keep their case.
    return [top, *(rest if top in ("secrets", "mcpServers") else [key.lower() for key in rest])]


def _value(text: str) -> Any:
    try:
        value: Any = yaml.load(text, Loader=Loader)  # noqa: S506 - Loader is a safe one
    except (yaml.YAMLError, ValueError, RecursionError):
        return text
    if value is None or (isinstance(value, (dict, list)) and text.lstrip()[:1] not in ("{", "[")):
        return text
    return cast("Any", value)


def _put(source: Source, keys: list[str], value: Any, origin: str) -> None:
    place: dict[str, Any] = source.values
    for key in keys[:-1]:
        inner = place.setdefault(key, {})
        if not isinstance(inner, dict):
            raise ConfigurationError(f"{'.'.join(keys)} ({origin}): {key} already has a value of its own")
        place = cast("dict[str, Any]", inner)
    last = keys[-1]
    place[last] = _merge(place.get(last), value)
    source.origins[".".join(keys)] = origin


def _merge(lower: Any, upper: Any) -> Any:
    if not isinstance(lower, dict) or not isinstance(upper, dict):
        return upper
    result = dict(cast("dict[str, Any]", lower))
    for key, value in cast("dict[str, Any]", upper).items():
        result[key] = _merge(result.get(key), value)
    return result
