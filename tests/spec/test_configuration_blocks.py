"""The configuration as the document shows it is read, and reaches the providers that it is for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest
import yaml

from gleitzeit.application import open_application
from gleitzeit.config import load_configuration
from gleitzeit.registry import ProtocolProviderRegistry


@pytest.mark.anyio
async def test_a_configuration_block_is_accepted(
    entry: Any, document_blocks: Mapping[int, str], tmp_path: Path
) -> None:
    text = document_blocks[entry.block]
    (tmp_path / "config.yaml").write_text(text, encoding="utf-8")
    registry = ProtocolProviderRegistry()
    with anyio.fail_after(20):
        async with open_application(load_configuration(environ={"GLEITZEIT_HOME": str(tmp_path)}), registry=registry):
            overview = {provider.provider_id: provider for provider in registry.overview()}
    ((name, section),) = yaml.safe_load(text)["providers"].items()
    assert name in overview
    assert overview[name].error is None
    settings: Any = registry.provider(name)
    for key in ("endpoint", "timeout", "max_retries", "models", "max_memory", "allowed_modules", "sandbox"):
        if key in section:
            assert getattr(settings.settings, key) == section[key]


@pytest.mark.anyio
async def test_the_downstream_servers_are_read(entry: Any, document_blocks: Mapping[int, str], tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(document_blocks[entry.block], encoding="utf-8")
    environ = {"GLEITZEIT_HOME": str(tmp_path), "GITHUB_TOKEN": "made-up"}
    configuration = load_configuration(environ=environ)
    servers = {server["name"]: server for server in configuration.mcp.servers}
    assert servers["filesystem"]["tool_prefix"] == "fs."
    assert servers["filesystem"]["command"] == ["npx", "-y", "@modelcontextprotocol/server-filesystem"]
    assert servers["github"]["connection_type"] == "stdio"
    assert "made-up" not in repr(configuration)
