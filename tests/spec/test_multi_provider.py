"""The workflow of several providers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import anyio
import pytest

from gleitzeit.application import open_application
from gleitzeit.config import load_configuration
from gleitzeit.core.document import read
from gleitzeit.core.graph import edges, waves
from gleitzeit.registry import ProtocolProviderRegistry


def test_its_order_follows_from_dependencies_and_references(document_blocks: Mapping[int, str]) -> None:
    workflow = read(document_blocks[30]).require()
    assert workflow.name == "Multi-Provider Example"
    order = [tuple(wave) for wave in waves(edges(workflow))]
    assert order == [("generate",), ("analyze",), ("calculate",), ("report",)]


@pytest.mark.anyio
async def test_it_is_valid_as_it_stands(document_blocks: Mapping[int, str], tmp_path: Path) -> None:
    configuration = load_configuration(environ={"GLEITZEIT_HOME": str(tmp_path)})
    with anyio.fail_after(20):
        async with open_application(configuration, registry=ProtocolProviderRegistry()) as application:
            checked = await application.check(document_blocks[30])
    assert [str(diagnostic) for diagnostic in checked.diagnostics] == []
