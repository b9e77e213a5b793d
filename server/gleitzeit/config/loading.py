"""Reading the configuration: flags before environment before file before defaults."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gleitzeit.config.filling import fill_section, read_secrets
from gleitzeit.config.later import refuse_later_keys
from gleitzeit.config.roots import check_root
from gleitzeit.config.settings import DATABASE, FILE_KEYS, MEMORY, Configuration
from gleitzeit.config.source import Source, from_environment, from_file, from_flags, merged
from gleitzeit.core.diagnostics import did_you_mean
from gleitzeit.core.errors import ConfigurationError
from gleitzeit.core.sections import read_section


def home_folder(environ: Mapping[str, str] | None = None) -> Path:
    """The folder of Gleitzeit's own files: `GLEITZEIT_HOME`, else `~/.gleitzeit`."""
    chosen = (os.environ if environ is None else environ).get("GLEITZEIT_HOME")
    return Path(chosen).expanduser().absolute() if chosen else Path.home() / ".gleitzeit"


def load_configuration(
    path: str | os.PathLike[str] | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Configuration:
    """The configuration from `path` (else `GLEITZEIT_CONFIG`, else `config.yaml` in the home folder, if it is there).

    Raises `ConfigurationError` naming the key, where it is written, and how to mend it, and `UnsupportedError` for a
    key that this version can't honour.
    """
    environ = os.environ if environ is None else environ
    home = home_folder(environ)
    file, found = _file(path, environ, home)
    source = merged(found, from_environment(environ), from_flags(overrides or {}))
    _check_sections(source)
    base = file.parent if file is not None else home
    values = _fill(source, environ)
    refuse_later_keys(values, source.origins)
    return _configuration(values, source.origins, environ, home, file, base)


def _file(path: str | os.PathLike[str] | None, environ: Mapping[str, str], home: Path) -> tuple[Path | None, Source]:
    named = path or environ.get("GLEITZEIT_CONFIG")
    file = Path(named).expanduser().absolute() if named else home / "config.yaml"
    if named or file.exists():
        return file, from_file(file)
    return None, Source()


def _check_sections(source: Source) -> None:
    for key, value in source.values.items():
        where = f"{key} ({source.origins[key]})" if key in source.origins else _first_origin(source, key)
        if key not in FILE_KEYS:
            hint = did_you_mean(key, FILE_KEYS) or f"the sections are {', '.join(FILE_KEYS)}"
            raise ConfigurationError(f"{where}: unknown key", hint=hint)
        if value is not None and not isinstance(value, dict):
            raise ConfigurationError(f"{where}: a section is a mapping of keys, not {value!r}")


def _first_origin(source: Source, key: str) -> str:
    origins = (origin for place, origin in source.origins.items() if place.startswith(f"{key}."))
    return f"{key} ({next(origins, 'given by the caller')})"


def _fill(source: Source, environ: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    filled: dict[str, dict[str, Any]] = {}
    for key, value in source.values.items():
        section: dict[str, Any] = value or {}
        filled[key] = section if key in ("mcp", "mcpServers", "secrets") else fill_section(section, environ, key)
    return filled


def _configuration(
    values: dict[str, dict[str, Any]],
    origins: Mapping[str, str],
    environ: Mapping[str, str],
    home: Path,
    file: Path | None,
    base: Path,
) -> Configuration:
    providers = dict(values.pop("providers", {}))
    modules, module_path = providers.pop("modules", ()), providers.pop("path", ())
    servers = values.pop("mcpServers", {})
    mcp = dict(values.pop("mcp", {}))
    secrets = read_secrets(values.pop("secrets", {}), environ, base)
    fields: dict[str, Any] = {
        **values,
        "home": home,
        "path": file,
        "providers": providers,
        "modules": _as_list(modules),
        "module_path": _as_list(module_path),
        "mcp": {**mcp, "mcpServers": {**mcp.get("mcpServers", {}), **servers}},
        "secrets": secrets,
        "origins": dict(origins),
    }
    return _with_folders(read_section(Configuration, fields, "", origins), base)


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _with_folders(configuration: Configuration, base: Path) -> Configuration:
    where = configuration.where("files.roots")
    named = configuration.files.roots
    roots = tuple(check_root(base / root.expanduser(), configuration.home, where) for root in named)
    files = configuration.files.model_copy(update={"roots": roots or (configuration.home / "files",)})
    module_path = tuple(base / folder.expanduser() for folder in configuration.module_path)
    directories = tuple(base / folder.expanduser() for folder in configuration.workflows.directories)
    workflows = configuration.workflows.model_copy(update={"directories": directories})
    engine = configuration.engine.model_copy(update={"database": _database(configuration, base)})
    audit = configuration.server.audit
    if audit is not None:
        server = configuration.server.model_copy(update={"audit": base / audit.expanduser()})
        configuration = configuration.model_copy(update={"server": server})
    folders = {"files": files, "module_path": module_path, "workflows": workflows, "engine": engine}
    return configuration.model_copy(update=folders)


def _database(configuration: Configuration, base: Path) -> str:
    named = configuration.engine.database
    if named is None:
        return str(configuration.home / DATABASE)
    if named == MEMORY:
        return MEMORY
    if named in ("", ".") or named.startswith((":", "file:")) or ":/" in named:
        where = configuration.where("engine.database")
        raise ConfigurationError(f"{where}: must be a file, or memory", hint="name a file such as runs.db")
    return str(base / Path(named).expanduser())
