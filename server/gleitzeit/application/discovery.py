"""Providers that enter by themselves: by entry point, or by a module that the configuration names."""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import logging
import sys
from collections.abc import Mapping
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from pydantic import BaseModel

from gleitzeit.config.settings import Configuration
from gleitzeit.core.diagnostics import did_you_mean
from gleitzeit.core.errors import ConfigurationError
from gleitzeit.core.sections import read_section
from gleitzeit.providers.base import ProtocolProvider
from gleitzeit.registry import ProtocolProviderRegistry

GROUP = "gleitzeit.providers"
MCP = "mcp"
"""The provider whose section is a top-level key, as it is in the files of hosts."""

_loaded: WeakKeyDictionary[ProtocolProviderRegistry, dict[str, tuple[ProtocolProvider, dict[str, Any]]]]
_loaded = WeakKeyDictionary()

_logger = logging.getLogger(__name__)


def load_providers(registry: ProtocolProviderRegistry, config: Configuration) -> None:
    """Register every provider that is installed or configured; one that can't be loaded is reported in `overview`.

    What was registered by code before stays. Raises `ConfigurationError` for a section that no provider takes, or
    whose keys do not fit its provider.
    """
    _import_modules(registry, config)
    entries = {entry.name: entry for entry in importlib.metadata.entry_points(group=GROUP)}
    _check_sections(config, entries)
    for name, entry in entries.items():
        try:
            found = entry.load()
        except Exception as error:  # noqa: BLE001 - a stranger's module may raise anything, and must not stop the rest
            _report(registry, name, error)
        else:
            _enter(registry, config, name, found)


def unasked(registry: ProtocolProviderRegistry, name: str) -> bool:
    """Whether a provider is there only because it is installed, without a section of its own."""
    loaded = _loaded.get(registry, {}).get(name)
    return loaded is not None and loaded[0] is registry.provider(name) and not loaded[1]


def _import_modules(registry: ProtocolProviderRegistry, config: Configuration) -> None:
    for folder in config.module_path:
        if str(folder) not in sys.path:
            sys.path.append(str(folder))
    for module in config.modules:
        try:
            importlib.import_module(module)
        except Exception as error:  # noqa: BLE001 - a user's module may raise anything, and must not stop the rest
            _report(registry, module, _explained(module, error, config.module_path))


def _explained(module: str, error: Exception, folders: tuple[Path, ...]) -> Exception:
    if isinstance(error, ModuleNotFoundError) and error.name == module:
        places = ", ".join(str(folder) for folder in folders) or "the Python path"
        return ConfigurationError(f'providers.modules: there is no module "{module}" in {places}')
    return error


def _report(registry: ProtocolProviderRegistry, name: str, error: Exception) -> None:
    _logger.error("provider %s could not be loaded: %s: %s", name, type(error).__name__, error)
    registry.report_broken(name, error)


def _check_sections(config: Configuration, entries: Mapping[str, EntryPoint]) -> None:
    for name in config.providers:
        if name in entries:
            continue
        known = sorted({*entries, "modules", "path"})
        raise ConfigurationError(
            f"{config.where(f'providers.{name}')}: no such provider is installed",
            hint=did_you_mean(name, known) or f"known are {', '.join(known)}",
        )


def _enter(registry: ProtocolProviderRegistry, config: Configuration, name: str, found: object) -> None:
    if not (inspect.isclass(found) and issubclass(found, ProtocolProvider)):
        _call(registry, name, found)
        return
    section, key = _section(config, name)
    if _settled(registry, name, section):
        return
    checked = _checked(config, found, section, key)
    try:
        provider = found.from_config(name, checked)
        if provider.protocol is not None:
            registry.register_protocol(provider.protocol)
        registry.register_provider(provider.protocol_id, provider)
    except Exception as error:  # a stranger's class may raise anything, and must not stop the rest
        if section and isinstance(error, ConfigurationError):
            raise
        _report(registry, name, error)
    else:
        _loaded.setdefault(registry, {})[name] = (provider, section)


def _settled(registry: ProtocolProviderRegistry, name: str, section: Mapping[str, Any]) -> bool:
    present = registry.provider(name)
    loaded = _loaded.get(registry, {}).get(name)
    if present is None:
        return False
    # What a program registered by itself stays; what was loaded here is replaced where its section has changed.
    return loaded is None or loaded[0] is not present or loaded[1] == section


def _call(registry: ProtocolProviderRegistry, name: str, found: object) -> None:
    if not callable(found):
        _report(registry, name, ConfigurationError(f"{found!r} is neither a ProtocolProvider nor a function"))
        return
    try:
        found()
    except Exception as error:  # noqa: BLE001 - a stranger's function may raise anything, and must not stop the rest
        _report(registry, name, error)


def _section(config: Configuration, name: str) -> tuple[dict[str, Any], str]:
    if name == MCP:
        return config.mcp.model_dump(mode="json", exclude_defaults=True), MCP
    return dict(config.providers.get(name, {})), f"providers.{name}"


def _checked(
    config: Configuration, provider: type[ProtocolProvider], section: Mapping[str, Any], key: str
) -> BaseModel | Mapping[str, Any]:
    if provider.config_model is None:
        return section
    return read_section(provider.config_model, section, key, config.origins)
